"""The servers of the site in the browser tests."""

from contextlib import ExitStack
from typing import Self

from tests.services.servers import SHORT_WAITS, PostgreSQL, Redis

#: Settings for the worker and its site, so that nothing takes longer than a test can wait.
HASTE = {**SHORT_WAITS, "BASKET_LEASE_SECONDS": "12"}


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
