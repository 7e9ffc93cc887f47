"""Faults strike as they were set, and are used up."""

import time

import pytest
import requests

from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"


def test_the_next_requests_answer_what_was_asked_for(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", status=503, code=1, times=2)

    answers = [caller.subscribe(EMAIL, slug) for slug in ("app-dev", "app-dev", "app-dev")]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["code"] == 1


def test_a_fault_spares_other_endpoints_and_addresses(caller: Caller) -> None:
    caller.sandbox.fail("lookup", status=500)
    caller.sandbox.fail("subscribe", status=500, email="*@example.org")

    assert caller.subscribe(EMAIL, "app-dev").status_code == 200
    assert caller.subscribe("ada@example.org", "app-dev").status_code == 500


def test_answering_without_applying(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="ignore", times=1)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == 200
    assert answer.json()["created"] is True
    assert caller.sandbox.people == {}


def test_applying_without_answering(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="drop", times=1)

    with pytest.raises(requests.ConnectionError):
        caller.subscribe(EMAIL, "mozilla-phone")

    assert EMAIL in caller.sandbox.people
    assert caller.sandbox.requests[-1].status is None


def test_latency_holds_every_answer_back(caller: Caller) -> None:
    caller.sandbox.latency = 0.2

    started = time.monotonic()
    caller.get("/news/newsletters/")

    assert time.monotonic() - started >= 0.2
    assert caller.sandbox.latency == 0.2


def test_hanging_outlasts_a_patient_client(caller: Caller) -> None:
    caller.sandbox.fail("lookup", kind="hang", seconds=5)

    with pytest.raises(requests.ReadTimeout):
        caller.session.get(caller.sandbox.url + "/news/lookup-user/", timeout=0.2)


def test_maintenance_and_its_end(caller: Caller) -> None:
    caller.sandbox.maintenance = True
    answer = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (answer.status_code, answer.json()["code"]) == (400, 15)

    caller.sandbox.maintenance = False
    answer = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (answer.status_code, answer.json()["code"]) == (404, 3)


def test_the_journal_tells_new_connections_from_kept_ones(caller: Caller) -> None:
    caller.get("/news/newsletters/")
    caller.get("/news/newsletters/")

    assert [request.new_connection for request in caller.sandbox.requests] == [True, False]


def test_a_reset_is_fast(caller: Caller) -> None:
    caller.subscribe(EMAIL, "mozilla-phone")

    started = time.monotonic()
    caller.sandbox.reset()

    assert time.monotonic() - started < 0.1
    assert caller.sandbox.people == {}
    assert caller.sandbox.requests == []


def test_the_control_endpoints_need_the_key(caller: Caller) -> None:
    assert caller.get("/sandbox/people/").status_code == 403
    assert caller.get("/sandbox/people/", headers=caller.key).status_code == 200
