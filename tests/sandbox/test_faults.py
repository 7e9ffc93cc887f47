"""Faults of requests and of the store of contacts."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from project.processes import wait_until
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"
LOOKUPS = ["/news/lookup-user/", "/api/v1/users/lookup/"]


def test_fault_strikes_the_given_number_of_requests(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", status=503, code=1, times=2)

    answers = [caller.subscribe(EMAIL, slug) for slug in ("app-dev", "app-dev", "app-dev")]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["code"] == 1


def test_fault_spares_other_endpoints_and_addresses(caller: Caller) -> None:
    caller.sandbox.fail("lookup", status=500)
    caller.sandbox.fail("subscribe", status=500, email="*@example.org")

    assert caller.subscribe(EMAIL, "app-dev").status_code == 200
    assert caller.subscribe("ada@example.org", "app-dev").status_code == 500


def test_ignored_change_is_answered_but_not_applied(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="ignore", times=1)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == 200
    assert answer.json()["created"] is True
    assert caller.sandbox.people == {}


def test_dropped_change_is_applied_but_not_answered(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="drop", times=1)

    with pytest.raises(requests.ConnectionError):
        caller.subscribe(EMAIL, "mozilla-phone")

    assert EMAIL in caller.sandbox.people
    assert caller.sandbox.requests[-1].status is None


def test_latency_delays_every_answer(caller: Caller) -> None:
    caller.sandbox.latency = 0.2

    started = time.monotonic()
    caller.get("/news/newsletters/")

    assert time.monotonic() - started >= 0.2
    assert caller.sandbox.latency == 0.2


def test_hanging_request_times_out(caller: Caller) -> None:
    caller.sandbox.fail("lookup", kind="hang", seconds=5)

    with pytest.raises(requests.ReadTimeout):
        caller.session.get(caller.sandbox.url + "/news/lookup-user/", timeout=0.2)

    wait_until(lambda: caller.sandbox.requests, timeout=30, what="the request")
    (request,) = caller.sandbox.requests
    assert (request.endpoint, request.status) == ("lookup", None)


def test_malformed_answer_follows_the_change(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="malformed", times=1)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert EMAIL in caller.sandbox.people


def test_html_page_instead_of_the_change(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="html", status=502)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")
    assert caller.sandbox.people == {}


@pytest.mark.parametrize("retry_after", ["", "120"])
def test_rate_limit_fault_answers_429(caller: Caller, retry_after: str) -> None:
    caller.sandbox.fail(kind="rate_limit", retry_after=retry_after)

    answer = caller.get("/news/lookup-user/")

    assert (answer.status_code, answer.json()["code"]) == (429, 5)
    assert answer.headers.get("Retry-After", "") == retry_after


def test_seed_decides_which_share_of_requests_fails(caller: Caller) -> None:
    def statuses() -> list[int]:
        caller.sandbox.heal()
        caller.sandbox.fail("newsletters", status=500, share=0.5, seed=7)
        return [caller.get("/news/newsletters/").status_code for _ in range(40)]

    first = statuses()

    assert first == statuses()
    assert 10 <= first.count(500) <= 30


def test_latency_varies_with_its_spread(caller: Caller) -> None:
    caller.sandbox.fail(kind="delay", seconds=0.5, spread="exponential")

    with ThreadPoolExecutor(24) as pool:
        calls = [pool.submit(Caller(caller.sandbox).get, "/news/newsletters/") for _ in range(24)]
        times = [call.result().elapsed.total_seconds() for call in calls]

    assert max(times) > 2 * min(times)


def test_pattern_of_addresses_is_applied_to_tokens_too(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL)
    other = caller.sandbox.put_person("eve@example.com")
    caller.sandbox.fail(status=503, email="ada@*")

    statuses = [
        caller.get(f"/news/user/{token}/").status_code for token in (person.token, other.token)
    ]

    assert statuses == [503, 200]


def test_delay_goes_with_another_fault(caller: Caller) -> None:
    caller.sandbox.latency = 0.1
    caller.sandbox.fail("newsletters", status=500, times=1)

    answer = caller.get("/news/newsletters/")

    assert answer.status_code == 500
    assert answer.elapsed.total_seconds() >= 0.1


def test_fault_is_removed(caller: Caller) -> None:
    fault = caller.sandbox.fail("newsletters", status=500)
    caller.sandbox.fail("lookup", status=500)

    caller.sandbox.heal(fault)

    assert caller.get("/news/newsletters/").status_code == 200
    assert [left["endpoint"] for left in caller.sandbox.faults] == ["lookup"]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "nonsense"}, {"share": 2}, {"status": 42}, {"endpoint": "nope"}, {"colour": "blue"}],
)
def test_invalid_fault_is_refused(caller: Caller, fault: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        caller.sandbox.fail(**fault)  # type: ignore[arg-type]

    assert caller.sandbox.faults == []


@pytest.mark.parametrize("path", LOOKUPS)
def test_failing_store_is_answered_with_the_address_in_the_text(caller: Caller, path: str) -> None:
    caller.sandbox.fail(kind="store_fails")

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert (answer.status_code, answer.json()["code"]) == (400, 1)
    assert EMAIL in answer.json()["desc"]


@pytest.mark.parametrize("path", [*LOOKUPS, "/news/user/6f7b3a1e-0000-4000-8000-000000000000/"])
def test_store_that_refuses_basket_is_answered_with_code_6(caller: Caller, path: str) -> None:
    caller.sandbox.fail(kind="store_refuses")

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert (answer.status_code, answer.json()["code"]) == (500, 6)


@pytest.mark.parametrize("path", LOOKUPS)
def test_store_out_of_reach_delays_a_page_with_500(caller: Caller, path: str) -> None:
    caller.sandbox.fail(kind="store_gone", seconds=0.2)

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("store_fails", 400, 1), ("store_refuses", 500, 6), ("store_read_only", 500, None)],
)
def test_subscribe_with_sync_fails_with_the_store(
    caller: Caller, kind: str, status: int, code: int | None
) -> None:
    caller.sandbox.fail(kind=kind)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == status
    is_json = answer.headers["Content-Type"] == "application/json"
    assert (answer.json()["code"] if is_json else None) == code


@pytest.mark.parametrize("kind", ["store_fails", "store_read_only"])
def test_queued_changes_are_carried_out_with_a_working_store(caller: Caller, kind: str) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=False)
    fault = caller.sandbox.fail(kind=kind)

    answers = [
        caller.post(f"/news/unsubscribe/{person.token}/", {"newsletters": "app-dev"}),
        caller.post(f"/news/confirm/{person.token}/"),
        caller.post(f"/news/user-meta/{person.token}/", {"first_name": "Ada"}),
        caller.post("/news/subscribe/", {"email": "eve@example.com", "newsletters": "app-dev"}),
    ]
    assert [answer.json() for answer in answers] == [{"status": "ok"}] * 4
    assert caller.sandbox.people[EMAIL].newsletters == {"app-dev"}

    caller.sandbox.heal(fault)

    after = caller.sandbox.people
    assert (after[EMAIL].newsletters, after[EMAIL].optin) == (frozenset(), True)
    assert after[EMAIL].fields["first_name"] == "Ada"
    assert after["eve@example.com"].newsletters == {"app-dev"}


def test_lookup_works_while_the_store_is_read_only(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL)
    caller.sandbox.fail(kind="store_read_only")

    answer = caller.get("/news/lookup-user/", params={"email": EMAIL}, headers=caller.key)

    assert answer.status_code == 200


def test_recover_and_subscribe_by_token_need_the_store(caller: Caller) -> None:
    caller.sandbox.fail(kind="store_fails")
    by_token = {"token": str(uuid.uuid4()), "newsletters": "app-dev"}

    for answer in (
        caller.post("/news/recover/", {"email": EMAIL}),
        caller.post("/api/v1/users/recover/", json={"email": EMAIL}),
        caller.post("/news/subscribe/", by_token),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, 1)


def test_parallel_first_subscribes_can_race(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="race", seconds=2)
    slugs = ["mozilla-phone", "app-dev", "mozilla-foundation"]

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda slug: Caller(caller.sandbox).subscribe(EMAIL, slug), slugs))

    assert sorted(answer.status_code for answer in answers) == [200, 500, 500]
    failed = [answer for answer in answers if answer.status_code == 500]
    assert {answer.headers["Content-Type"].partition(";")[0] for answer in failed} == {"text/html"}
    (done,) = [slug for slug, answer in zip(slugs, answers, strict=True) if answer.ok]
    assert caller.sandbox.people[EMAIL].newsletters == {done}


def test_first_subscribe_without_sync_can_be_lost_in_a_race(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="race", seconds=2)

    with ThreadPoolExecutor(2) as pool:
        answers = [
            pool.submit(Caller(caller.sandbox).subscribe, EMAIL, slug, sync="N")
            for slug in ("mozilla-phone", "app-dev")
        ]
        assert [answer.result().json() for answer in answers] == [{"status": "ok"}] * 2

    assert len(caller.sandbox.people[EMAIL].newsletters) == 1


def test_calls_for_a_known_person_do_not_race(caller: Caller) -> None:
    caller.sandbox.fail(kind="race", seconds=0.2)
    caller.subscribe(EMAIL, "mozilla-phone")

    with ThreadPoolExecutor(2) as pool:
        slugs = ["app-dev", "mozilla-foundation"]
        answers = list(pool.map(lambda slug: Caller(caller.sandbox).subscribe(EMAIL, slug), slugs))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert caller.sandbox.people[EMAIL].newsletters == {"mozilla-phone", *slugs}
