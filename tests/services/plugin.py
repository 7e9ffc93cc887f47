"""
A pytest plugin: each process of a run has a PostgreSQL server of its own.

The tests kill, restart and pause their servers, so processes that run side by side share none.
"""

import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.services.servers import PostgreSQL

#: Parts of the ids of tests that share what starts slowly: one process runs them all.
TOGETHER = ("/test_benchmarks.py", "/test_compose.py", "rabbitmq")


@dataclass(frozen=True)
class OwnServer:
    """The server of this process; a plugin too, so that a fixture finds it by its type."""

    postgres: PostgreSQL


@pytest.hookimpl(wrapper=True)  # before pytest-django, which reads the settings in this hook
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Name the server in the settings. It starts with the first test that needs it."""
    postgres = PostgreSQL()
    os.environ["DATABASE_URL"] = postgres.url
    early_config.pluginmanager.register(OwnServer(postgres))
    return (yield)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives each process the next test as soon as it has ended one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((part for part in TOGETHER if part in nodeid), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Choose the scheduling."""
    return Scheduling(config, log)
