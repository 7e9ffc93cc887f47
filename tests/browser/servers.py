"""The servers of the site in the browser tests, and the site as a process."""

import re
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from tests.services.servers import PostgreSQL, Redis
from tests.services.worker import SiteProcess

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


class Web(SiteProcess):
    """The site over HTTP, at a free port."""

    def environment(self) -> Mapping[str, str]:
        """Return a deployment's environment, but without HTTPS, which is not needed on loopback."""
        return {
            **super().environment(),
            "DJANGO_SETTINGS_MODULE": "project.settings.dev",
            "DEBUG": "0",
            "PYTHONUNBUFFERED": "1",
        }

    def command(self) -> list[str]:
        """Return the command of waitress."""
        return [sys.executable, "-m", "project.demo.serve"]

    def is_ready(self) -> bool:
        """Whether its address is in the log."""
        return bool(self.url)

    @property
    def url(self) -> str:
        """The address of the site, with nothing after the port."""
        found = re.search(r"ready at (http://\S+)", self.log)
        return found[1] if found else ""
