"""Queued changes: late, carried out twice, or kept until maintenance ends."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from project.processes import wait_until
from tests.sandbox.conftest import Caller, set_fault

EMAIL = "ada@example.com"
HOUR = 3600.0
LATE = 2.0
"""Seconds within which even a busy machine answers some requests."""


@pytest.fixture
def path(caller: Caller) -> str:
    """The path that unsubscribes somebody who gets app-dev."""
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=True)
    return f"/news/unsubscribe/{person.token}/"


def newsletters(caller: Caller, email: str = EMAIL) -> list[str]:
    answer = caller.get("/api/v1/users/lookup/", params={"email": email}, headers=caller.key)
    found: list[str] = answer.json().get("newsletters", [])
    return found


def wait_for_the_late_one(caller: Caller) -> None:
    """Wait until the late unsubscribe is carried out."""
    wait_until(lambda: newsletters(caller) == [], timeout=30, what="the late unsubscribe")


def test_late_unsubscribe_is_answered_now_and_carried_out_later(caller: Caller, path: str) -> None:
    caller.sandbox.delay_queue(LATE)

    answer = caller.post(path, {"newsletters": "app-dev"})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert newsletters(caller) == ["app-dev"]
    wait_for_the_late_one(caller)


def test_late_queue_holds_back_only_subscribes_without_sync(caller: Caller) -> None:
    caller.sandbox.delay_queue(HOUR, "subscribe")

    caller.subscribe(EMAIL, "app-dev")
    caller.subscribe("eve@example.com", "app-dev", sync="N")

    assert set(caller.sandbox.people) == {EMAIL}


def test_late_changes_are_carried_out_in_order_when_the_fault_ends(
    caller: Caller, path: str
) -> None:
    fault = caller.sandbox.delay_queue(HOUR)
    caller.post(path, {"newsletters": "app-dev"})
    caller.post("/news/subscribe/", {"email": EMAIL, "newsletters": "app-dev,mozilla-phone"})
    caller.post(path, {"newsletters": "mozilla-phone"})

    caller.sandbox.heal(fault)

    assert caller.sandbox.people[EMAIL].newsletters == {"app-dev"}


def test_late_change_undoes_a_newer_one(caller: Caller, path: str) -> None:
    caller.sandbox.delay_queue(LATE, "unsubscribe", times=1)
    caller.post(path, {"newsletters": "app-dev"})

    caller.subscribe(EMAIL, "app-dev")

    assert newsletters(caller) == ["app-dev"]
    wait_for_the_late_one(caller)


def test_late_changes_wait_for_the_end_of_maintenance(caller: Caller, path: str) -> None:
    fault = caller.sandbox.delay_queue(HOUR)
    caller.post(path, {"newsletters": "app-dev"})
    caller.sandbox.read_only_maintenance = True

    caller.sandbox.heal(fault)

    assert newsletters(caller) == ["app-dev"]
    caller.sandbox.read_only_maintenance = False
    assert newsletters(caller) == []


def test_doubled_unsubscribe_undoes_a_newer_subscribe(caller: Caller, path: str) -> None:
    fault = caller.sandbox.double_queued(HOUR, "unsubscribe")

    caller.post(path, {"newsletters": "app-dev"})
    assert newsletters(caller) == []
    caller.subscribe(EMAIL, "app-dev")
    assert newsletters(caller) == ["app-dev"]

    caller.sandbox.heal(fault)
    assert newsletters(caller) == []


def test_doubled_change_comes_back_by_itself(caller: Caller, path: str) -> None:
    caller.sandbox.double_queued(LATE)

    caller.post(path, {"newsletters": "app-dev"})
    caller.subscribe(EMAIL, "app-dev")

    assert newsletters(caller) == ["app-dev"]
    wait_for_the_late_one(caller)


def test_lookups_and_sync_subscribes_use_up_no_fault_of_the_queue(
    caller: Caller, path: str
) -> None:
    fault = caller.sandbox.double_queued(HOUR)

    newsletters(caller)
    caller.subscribe(EMAIL, "mozilla-phone")

    assert [set_one["remaining"] for set_one in caller.sandbox.faults] == [1]
    caller.post(path, {"newsletters": "app-dev"})
    caller.post(path, {"newsletters": "mozilla-phone"})
    assert [set_one["remaining"] for set_one in caller.sandbox.faults] == [0]
    caller.subscribe(EMAIL, "app-dev,mozilla-phone")
    caller.sandbox.heal(fault)
    assert newsletters(caller) == ["mozilla-phone"]


def test_reset_empties_the_queue(caller: Caller, path: str) -> None:
    caller.sandbox.delay_queue(0.1)
    caller.post("/news/subscribe/", {"email": EMAIL, "newsletters": "mozilla-phone"})

    caller.sandbox.reset()
    time.sleep(0.2)

    assert newsletters(caller) == []


@pytest.mark.parametrize("kind", ["late", "doubled"])
def test_faults_of_the_queue_over_the_control_endpoint(
    caller: Caller, path: str, kind: str
) -> None:
    faults = f"{caller.sandbox.url}/sandbox/faults/"
    body = {"kind": kind, "seconds": HOUR, "endpoint": "unsubscribe"}
    caller.session.post(faults, json=body, headers=caller.key)

    caller.post(path, {"newsletters": "app-dev"})

    assert newsletters(caller) == (["app-dev"] if kind == "late" else [])
    caller.subscribe(EMAIL, "app-dev")
    caller.session.delete(faults, headers=caller.key)
    assert newsletters(caller) == []


@pytest.mark.parametrize("kind", ["late", "doubled", "read_only_maintenance"])
def test_faults_of_the_queue_on_the_page(admin: Caller, path: str, kind: str) -> None:
    set_fault(admin, kind=kind, seconds="3600")

    admin.post(path, {"newsletters": "app-dev"})

    assert newsletters(admin) == ([] if kind == "doubled" else ["app-dev"])


def test_lookup_is_refused_until_maintenance_ends(caller: Caller) -> None:
    caller.sandbox.maintenance = True
    answer = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (answer.status_code, answer.json()["code"]) == (400, 15)

    caller.sandbox.maintenance = False
    answer = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (answer.status_code, answer.json()["code"]) == (404, 3)


def test_changes_of_read_only_maintenance_are_carried_out_in_order(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=True)
    caller.sandbox.read_only_maintenance = True

    changes = [
        caller.post(f"/news/unsubscribe/{person.token}/", {"newsletters": "app-dev"}),
        caller.subscribe(EMAIL, "app-dev"),
        caller.subscribe(EMAIL, "mozilla-phone"),
        caller.post(f"/news/unsubscribe/{person.token}/", {"newsletters": "mozilla-phone"}),
    ]

    assert {answer.status_code for answer in changes} == {200}
    lookup = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert lookup.json()["newsletters"] == ["app-dev"]
    assert caller.sandbox.messages == []
    caller.sandbox.read_only_maintenance = False
    assert caller.sandbox.people[EMAIL].newsletters == {"app-dev"}
    assert [message.kind for message in caller.sandbox.messages] == ["welcome", "welcome"]


def test_read_only_maintenance_over_the_control_endpoint(caller: Caller) -> None:
    path = f"{caller.sandbox.url}/sandbox/faults/"
    fault = {"kind": "read_only_maintenance", "email": EMAIL}
    caller.session.post(path, json=fault, headers=caller.key)

    answers = [caller.subscribe(email, "app-dev") for email in (EMAIL, "eve@example.com")]

    assert [answer.json()["created"] for answer in answers] == [True, True]
    assert set(caller.sandbox.people) == {"eve@example.com"}
    caller.session.delete(path, headers=caller.key)
    assert caller.sandbox.people[EMAIL].token == answers[0].json()["token"]


def test_parallel_requests_carry_kept_changes_out_once_and_in_order(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL)
    path = f"/news/unsubscribe/{person.token}/"
    caller.sandbox.read_only_maintenance = True
    for number in range(20):
        caller.subscribe(EMAIL, "app-dev" + "," * number)
        caller.post(path, {"newsletters": "app-dev"})

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(Caller(caller.sandbox).get, "/news/newsletters/") for _ in range(24)]
        caller.sandbox.read_only_maintenance = False
        assert {call.result().status_code for call in calls} == {200}

    assert caller.sandbox.people[EMAIL].newsletters == frozenset()
    assert len(caller.sandbox.messages) == 20


def test_maintenance_is_limited_to_an_endpoint(caller: Caller) -> None:
    caller.sandbox.fail("lookup", kind="maintenance")

    assert caller.get("/news/lookup-user/").json()["code"] == 15
    assert caller.subscribe(EMAIL, "mozilla-phone").status_code == 200
