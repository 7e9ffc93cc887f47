"""``POST /news/subscribe/`` answers and stores the same as the real Basket."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"


def test_a_new_person_gets_a_token_and_what_they_asked_for(caller: Caller) -> None:
    answer = caller.subscribe(EMAIL, "mozilla-phone, mozillians-nda")

    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "token": person.token, "created": True}
    assert person.newsletters == {"mozilla-phone", "mozillians-nda"}


def test_a_known_person_keeps_their_token_and_newsletters(caller: Caller) -> None:
    before = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"])

    answer = caller.subscribe(EMAIL.upper(), "mozilla-phone")

    assert answer.json() == {"status": "ok", "token": before.token, "created": False}
    after = caller.sandbox.person(EMAIL)
    assert after is not None
    assert after.newsletters == {"app-dev", "mozilla-phone"}
    assert after.email == "ADA@example.com"


def test_subscribing_again_ends_an_optout(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL, optout=True)

    caller.subscribe(EMAIL, "mozilla-phone")

    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert not person.optout


def test_a_group_subscribes_to_its_members(caller: Caller) -> None:
    caller.subscribe(EMAIL, "mozilla-community")

    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert person.newsletters == {"mozilla-and-you", "mozilla-foundation"}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        pytest.param({}, 400, 5, id="nothing"),
        pytest.param({"email": EMAIL}, 400, 5, id="no newsletters"),
        pytest.param({"email": EMAIL, "newsletters": ""}, 400, 5, id="empty newsletters"),
        pytest.param({"newsletters": "mozilla-phone"}, 401, 5, id="nobody"),
        pytest.param({"newsletters": "app-dev", "token": "x"}, 400, 14, id="no token"),
        pytest.param(
            {"newsletters": "app-dev", "token": "6f7b3a1e-0000-4000-8000-000000000000"},
            400,
            14,
            id="unknown token",
        ),
        pytest.param({"newsletters": "app-dev", "email": "ada"}, 400, 2, id="no address"),
        pytest.param(
            {"newsletters": "app-dev", "email": f" {EMAIL}"}, 400, 2, id="outer white space"
        ),
        pytest.param(
            {"newsletters": "app-dev", "email": "ada@basket.test"}, 400, 2, id="reserved domain"
        ),
        pytest.param({"newsletters": "app-dev,nope", "email": EMAIL}, 400, 9, id="unknown slug"),
        pytest.param({"newsletters": "APP-DEV", "email": EMAIL}, 400, 9, id="wrong case"),
        pytest.param({"newsletters": "mozillians-nda", "email": EMAIL}, 401, 7, id="private"),
        pytest.param(
            {"newsletters": "app-dev", "email": EMAIL, "sync": "Y"}, 401, 7, id="sync, no key"
        ),
    ],
)
def test_refusals_store_nothing(
    caller: Caller, fields: dict[str, str], status: int, code: int
) -> None:
    answer = caller.post("/news/subscribe/", fields)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["status"] == "error"
    assert caller.sandbox.people == {}


def test_a_blocked_domain_is_answered_ok_and_forgotten(caller: Caller) -> None:
    answer = caller.subscribe("ada@blocked.example.com", "mozilla-phone")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert caller.sandbox.people == {}


def test_the_fifth_equal_call_is_one_too_many(caller: Caller) -> None:
    answers = [caller.subscribe(EMAIL, "mozilla-phone") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert answers[4].json()["code"] == 5
    assert "Retry-After" not in answers[4].headers
    assert caller.subscribe(EMAIL, "app-dev").status_code == 200


def test_optin_is_honoured_with_a_key_only(caller: Caller) -> None:
    fields = {"newsletters": "app-dev", "optin": "Y"}

    caller.post("/news/subscribe/", {**fields, "email": "without@example.com"})
    caller.post("/news/subscribe/", {**fields, "email": "with@example.com", "api_key": "test-key"})

    people = caller.sandbox.people
    assert not people["without@example.com"].optin
    assert people["with@example.com"].optin


def test_parallel_subscribes_of_one_new_person_all_count(caller: Caller) -> None:
    slugs = ["mozilla-phone", "mozillians-nda", "app-dev", "mozilla-foundation"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda slug: Caller(caller.sandbox).subscribe(EMAIL, slug), slugs))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["token"] for answer in answers}) == 1
    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert person.newsletters == set(slugs)


def test_a_wrong_method_is_answered_405_without_a_body(caller: Caller) -> None:
    answer = caller.get("/news/subscribe/")

    assert (answer.status_code, answer.content) == (405, b"")


def test_a_path_without_its_slash_redirects(caller: Caller) -> None:
    answer = caller.post("/news/subscribe", {"email": EMAIL}, allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (301, "/news/subscribe/")


def test_parallel_first_subscribes_can_race(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="race", seconds=0.5)
    slugs = ["mozilla-phone", "app-dev", "mozilla-foundation"]

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda slug: Caller(caller.sandbox).subscribe(EMAIL, slug), slugs))

    assert sorted(answer.status_code for answer in answers) == [200, 500, 500]
    failed = [answer for answer in answers if answer.status_code == 500]
    assert {answer.headers["Content-Type"].partition(";")[0] for answer in failed} == {"text/html"}
    (done,) = [slug for slug, answer in zip(slugs, answers, strict=True) if answer.ok]
    assert caller.sandbox.people[EMAIL].newsletters == {done}


def test_first_subscribe_without_sync_can_be_lost_in_a_race(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="race", seconds=0.5)

    with ThreadPoolExecutor(2) as pool:
        answers = [
            pool.submit(Caller(caller.sandbox).subscribe, EMAIL, slug, sync="N")
            for slug in ("mozilla-phone", "app-dev")
        ]
        assert [answer.result().json() for answer in answers] == [{"status": "ok"}] * 2

    assert len(caller.sandbox.people[EMAIL].newsletters) == 1


def test_nothing_races_one_after_the_other_or_for_a_known_person(caller: Caller) -> None:
    caller.sandbox.fail(kind="race", seconds=0.2)
    caller.subscribe(EMAIL, "mozilla-phone")

    with ThreadPoolExecutor(2) as pool:
        slugs = ["app-dev", "mozilla-foundation"]
        answers = list(pool.map(lambda slug: Caller(caller.sandbox).subscribe(EMAIL, slug), slugs))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert caller.sandbox.people[EMAIL].newsletters == {"mozilla-phone", *slugs}
