"""Faults strike as they were set, for the number of requests they were set for."""

import time
from concurrent.futures import ThreadPoolExecutor

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

    (request,) = caller.sandbox.requests
    assert (request.endpoint, request.status) == ("lookup", None)


def test_maintenance_and_its_end(caller: Caller) -> None:
    caller.sandbox.maintenance = True
    answer = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (answer.status_code, answer.json()["code"]) == (400, 15)

    caller.sandbox.maintenance = False
    answer = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (answer.status_code, answer.json()["code"]) == (404, 3)


def test_read_only_maintenance_works_its_queue_off_in_order(caller: Caller) -> None:
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


def test_parallel_requests_work_the_queue_off_once_and_in_order(caller: Caller) -> None:
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


def test_broken_json_comes_after_the_change(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="malformed", times=1)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert EMAIL in caller.sandbox.people


def test_a_page_instead_of_json(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="html", status=502)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")
    assert caller.sandbox.people == {}


@pytest.mark.parametrize("retry_after", ["", "120"])
def test_too_many_requests(caller: Caller, retry_after: str) -> None:
    caller.sandbox.fail(kind="rate_limit", retry_after=retry_after)

    answer = caller.get("/news/lookup-user/")

    assert (answer.status_code, answer.json()["code"]) == (429, 5)
    assert answer.headers.get("Retry-After", "") == retry_after


def test_a_share_of_requests_fails_the_same_way_each_time(caller: Caller) -> None:
    def statuses() -> list[int]:
        caller.sandbox.heal()
        caller.sandbox.fail("newsletters", status=500, share=0.5, seed=7)
        return [caller.get("/news/newsletters/").status_code for _ in range(40)]

    first = statuses()

    assert first == statuses()
    assert 10 <= first.count(500) <= 30


def test_latency_can_vary(caller: Caller) -> None:
    caller.sandbox.fail(kind="delay", seconds=0.05, spread="exponential")

    answers = [caller.get("/news/newsletters/") for _ in range(12)]
    times = [answer.elapsed.total_seconds() for answer in answers]

    assert max(times) > 2 * min(times)


def test_a_pattern_of_addresses_is_applied_to_tokens_too(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL)
    other = caller.sandbox.put_person("eve@example.com")
    caller.sandbox.fail(status=503, email="ada@*")

    statuses = [
        caller.get(f"/news/user/{token}/").status_code for token in (person.token, other.token)
    ]

    assert statuses == [503, 200]


def test_maintenance_of_one_endpoint(caller: Caller) -> None:
    caller.sandbox.fail("lookup", kind="maintenance")

    assert caller.get("/news/lookup-user/").json()["code"] == 15
    assert caller.subscribe(EMAIL, "mozilla-phone").status_code == 200


def test_waiting_goes_with_another_fault(caller: Caller) -> None:
    caller.sandbox.latency = 0.1
    caller.sandbox.fail("newsletters", status=500, times=1)

    answer = caller.get("/news/newsletters/")

    assert answer.status_code == 500
    assert answer.elapsed.total_seconds() >= 0.1


def test_a_fault_is_healed(caller: Caller) -> None:
    fault = caller.sandbox.fail("newsletters", status=500)
    caller.sandbox.fail("lookup", status=500)

    caller.sandbox.heal(fault)

    assert caller.get("/news/newsletters/").status_code == 200
    assert [left["endpoint"] for left in caller.sandbox.faults] == ["lookup"]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "nonsense"}, {"share": 2}, {"status": 42}, {"endpoint": "nope"}, {"colour": "blue"}],
)
def test_a_fault_that_makes_no_sense_is_refused(caller: Caller, fault: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        caller.sandbox.fail(**fault)  # type: ignore[arg-type]

    assert caller.sandbox.faults == []


def test_the_journal_holds_no_secrets(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL)
    caller.get("/news/lookup-user/", params={"email": EMAIL, "api-key": "test-key"})
    caller.post(f"/news/unsubscribe/{person.token}/", {"newsletters": "app-dev"})

    lookup, unsubscribe = caller.sandbox.requests

    assert (lookup.endpoint, lookup.path, lookup.email) == ("lookup", "/news/lookup-user/", EMAIL)
    assert unsubscribe.path == "/news/unsubscribe/<token>/"
    assert unsubscribe.newsletters == {"app-dev"}
    assert person.token not in repr(unsubscribe)


def test_the_journal_takes_whatever_comes(caller: Caller) -> None:
    path = "/news/subscribe/"
    caller.session.request("FOR-EXAMPLE", caller.sandbox.url + path, timeout=5)
    caller.post(path, {"email": "ada\0@example.com", "newsletters": "x" * 2000})

    odd, long = caller.sandbox.requests
    assert (odd.method, odd.status) == ("FOR-EXAM", 405)
    assert (long.email, long.status) == ("ada@example.com", 400)
    assert {len(newsletter) for newsletter in long.newsletters} == {1024}
