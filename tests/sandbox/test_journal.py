"""The journal of requests, and the counters of calls and connections."""

from concurrent.futures import ThreadPoolExecutor

import requests

from mozillians_basket.sandbox.testing import SandboxServer
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"


def look_up(server: SandboxServer, times: int) -> None:
    """Look a person up this number of times, over one connection."""
    with requests.Session() as session:
        for _ in range(times):
            session.get(
                f"{server.url}/api/v1/users/lookup/",
                params={"email": "ada@example.com"},
                headers={"X-Api-Key": server.api_key},
                timeout=60,
            )


def test_calls_and_connections_are_counted(caller: Caller) -> None:
    caller.sandbox.clear_counts()

    look_up(caller.sandbox, 3)
    look_up(caller.sandbox, 1)
    requests.post(f"{caller.sandbox.url}/news/subscribe/", data={}, timeout=60)

    assert caller.sandbox.counts == {"lookup": 4, "subscribe": 1, "connections": 3}


def test_reset_sets_the_counters_to_zero(caller: Caller) -> None:
    look_up(caller.sandbox, 1)

    caller.sandbox.reset()

    assert caller.sandbox.counts == {"connections": 0}


def test_several_processes_count_together_without_a_journal() -> None:
    with SandboxServer(fast=True, processes=2, threads=4) as server:
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda _: look_up(server, 5), range(8)))

        assert server.counts == {"lookup": 40, "connections": 8}
        assert server.requests == []


def test_journal_tells_new_connections_from_kept_ones(caller: Caller) -> None:
    caller.get("/news/newsletters/")
    caller.get("/news/newsletters/")

    assert [request.new_connection for request in caller.sandbox.requests] == [True, False]


def test_journal_holds_no_secrets(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL)
    caller.get("/news/lookup-user/", params={"email": EMAIL, "api-key": "test-key"})
    caller.post(f"/news/unsubscribe/{person.token}/", {"newsletters": "app-dev"})

    lookup, unsubscribe = caller.sandbox.requests

    assert (lookup.endpoint, lookup.path, lookup.email) == ("lookup", "/news/lookup-user/", EMAIL)
    assert unsubscribe.path == "/news/unsubscribe/<token>/"
    assert unsubscribe.newsletters == {"app-dev"}
    assert person.token not in repr(unsubscribe)


def test_journal_takes_odd_requests(caller: Caller) -> None:
    path = "/news/subscribe/"
    caller.session.request("FOR-EXAMPLE", caller.sandbox.url + path, timeout=60)
    caller.post(path, {"email": "ada\0@example.com", "newsletters": "x" * 2000})

    odd, long = caller.sandbox.requests
    assert (odd.method, odd.status) == ("FOR-EXAM", 405)
    assert (long.email, long.status) == ("ada@example.com", 400)
    assert {len(newsletter) for newsletter in long.newsletters} == {1024}
