"""
The servers of the site in the browser tests, and a pytest plugin for them.

Each process of a run has servers, a site and a browser of its own.
"""

import os
from collections.abc import Generator
from contextlib import ExitStack
from typing import Self

import pytest

from tests.services.servers import SHORT_WAITS, PostgreSQL, Redis

#: Settings for the worker and its site, so that nothing takes longer than a test can wait. No test
#: needs a call to time out, and on a busy machine a call takes seconds.
HASTE = {**SHORT_WAITS, "BASKET_TIMEOUT": "10", "BASKET_LEASE_SECONDS": "12"}


class Servers(ExitStack):
    """A database and a broker, which run in the block; a plugin of pytest, found by its type."""

    def __init__(self) -> None:
        super().__init__()
        self.postgres = PostgreSQL()
        self.redis = Redis()

    def __enter__(self) -> Self:
        super().__enter__()
        self.enter_context(self.postgres)
        self.enter_context(self.redis)
        return self

    @property
    def environment(self) -> dict[str, str]:
        """The site's settings for these servers; ``chromium()`` explains the last one."""
        return {
            "DATABASE_URL": self.postgres.url,
            "BROKER_URL": self.redis.url,
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
        }


@pytest.hookimpl(wrapper=True)  # before pytest-django, which reads the settings in this hook
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Name the servers in the settings. They start with the first test."""
    servers = Servers()
    os.environ.update(servers.environment)
    early_config.pluginmanager.register(servers)
    return (yield)
