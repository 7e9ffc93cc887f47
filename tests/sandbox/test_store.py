"""With its store of contacts in trouble, the sandbox answers as the real Basket."""

import uuid

import pytest

from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"
LOOKUPS = ["/news/lookup-user/", "/api/v1/users/lookup/"]


@pytest.mark.parametrize("path", LOOKUPS)
def test_a_lookup_fails_with_the_address_in_its_text(caller: Caller, path: str) -> None:
    caller.sandbox.fail(kind="store_fails")

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert (answer.status_code, answer.json()["code"]) == (400, 1)
    assert EMAIL in answer.json()["desc"]


@pytest.mark.parametrize("path", [*LOOKUPS, "/news/user/6f7b3a1e-0000-4000-8000-000000000000/"])
def test_a_store_that_refuses_basket(caller: Caller, path: str) -> None:
    caller.sandbox.fail(kind="store_refuses")

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert (answer.status_code, answer.json()["code"]) == (500, 6)


@pytest.mark.parametrize("path", LOOKUPS)
def test_a_store_out_of_reach_keeps_everybody_waiting(caller: Caller, path: str) -> None:
    caller.sandbox.fail(kind="store_gone", seconds=0.2)

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("store_fails", 400, 1), ("store_refuses", 500, 6), ("store_read_only", 500, None)],
)
def test_subscribing_with_sync_fails(
    caller: Caller, kind: str, status: int, code: int | None
) -> None:
    caller.sandbox.fail(kind=kind)

    answer = caller.subscribe(EMAIL, "mozilla-phone")

    assert answer.status_code == status
    is_json = answer.headers["Content-Type"] == "application/json"
    assert (answer.json()["code"] if is_json else None) == code


@pytest.mark.parametrize("kind", ["store_fails", "store_read_only"])
def test_what_is_only_queued_is_done_when_the_trouble_is_over(caller: Caller, kind: str) -> None:
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


def test_reading_goes_on_when_only_writing_fails(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL)
    caller.sandbox.fail(kind="store_read_only")

    answer = caller.get("/news/lookup-user/", params={"email": EMAIL}, headers=caller.key)

    assert answer.status_code == 200


def test_recovering_and_subscribing_by_token_need_the_store(caller: Caller) -> None:
    caller.sandbox.fail(kind="store_fails")
    by_token = {"token": str(uuid.uuid4()), "newsletters": "app-dev"}

    for answer in (
        caller.post("/news/recover/", {"email": EMAIL}),
        caller.post("/api/v1/users/recover/", json={"email": EMAIL}),
        caller.post("/news/subscribe/", by_token),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, 1)
