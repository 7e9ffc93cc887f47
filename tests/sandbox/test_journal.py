"""Calls and connections are counted in all processes, and without a journal too."""

from concurrent.futures import ThreadPoolExecutor

import requests

from mozillians_basket.sandbox.testing import SandboxServer
from tests.sandbox.conftest import Caller


def look_up(server: SandboxServer, times: int) -> None:
    """Look a person up this number of times, over one connection."""
    with requests.Session() as session:
        for _ in range(times):
            session.get(
                f"{server.url}/api/v1/users/lookup/",
                params={"email": "ada@example.com"},
                headers={"X-Api-Key": server.api_key},
                timeout=10,
            )


def test_calls_and_connections_are_counted(caller: Caller) -> None:
    caller.sandbox.clear_counts()

    look_up(caller.sandbox, 3)
    look_up(caller.sandbox, 1)
    requests.post(f"{caller.sandbox.url}/news/subscribe/", data={}, timeout=10)

    assert caller.sandbox.counts == {"lookup": 4, "subscribe": 1, "connections": 3}


def test_a_reset_begins_to_count_anew(caller: Caller) -> None:
    look_up(caller.sandbox, 1)

    caller.sandbox.reset()

    assert caller.sandbox.counts == {"connections": 0}


def test_several_processes_count_together_without_a_journal() -> None:
    with SandboxServer(fast=True, processes=2, threads=4) as server:
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda _: look_up(server, 5), range(8)))

        assert server.counts == {"lookup": 40, "connections": 8}
        assert server.requests == []
