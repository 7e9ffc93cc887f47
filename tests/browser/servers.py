"""The servers of the site in the browser tests."""

from contextlib import ExitStack
from typing import Self

from tests.services.servers import PostgreSQL, Redis

#: Settings for the worker and its site, so that nothing takes longer than a test can wait.
HASTE = {
    "BASKET_TIMEOUT": "2",
    "BASKET_LEASE_SECONDS": "12",
    "BASKET_RECHECK_SECONDS": "1",
    "BASKET_SWEEP_EVERY": "0.5",
    "BASKET_WAIT_FACTOR": "0.05",
}


class Servers(ExitStack):
    """A database and a broker of this run's own; a plugin of pytest, found by its type."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.postgres = self.enter_context(PostgreSQL())
        self.redis = self.enter_context(Redis())
        return self

    @property
    def environment(self) -> dict[str, str]:
        """The site's settings for these servers; ``chromium()`` explains the last one."""
        return {
            "DATABASE_URL": self.postgres.url,
            "BROKER_URL": self.redis.url,
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
        }
