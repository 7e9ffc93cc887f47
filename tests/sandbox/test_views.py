"""The endpoints answer and store the same as the real Basket."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"
TOKEN = "6f7b3a1e-0000-4000-8000-000000000000"
LOOKUPS = ["/news/lookup-user/", "/api/v1/users/lookup/"]
V1 = {
    "country", "email", "first_name", "last_name", "fxa_primary_email", "has_fxa", "lang",
    "mofo_relevant", "newsletters", "optin", "optout", "token", "created_date",
    "last_modified_date", "status",
}  # fmt: skip


def test_new_person_gets_a_token_and_the_newsletters(caller: Caller) -> None:
    answer = caller.subscribe(EMAIL, "mozilla-phone, mozillians-nda")

    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "token": person.token, "created": True}
    assert person.newsletters == {"mozilla-phone", "mozillians-nda"}


def test_known_person_keeps_token_and_newsletters(caller: Caller) -> None:
    before = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"])

    answer = caller.subscribe(EMAIL.upper(), "mozilla-phone")

    assert answer.json() == {"status": "ok", "token": before.token, "created": False}
    after = caller.sandbox.person(EMAIL)
    assert after is not None
    assert after.newsletters == {"app-dev", "mozilla-phone"}
    assert after.email == "ADA@example.com"


def test_subscribe_ends_an_optout(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL, optout=True)

    caller.subscribe(EMAIL, "mozilla-phone")

    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert not person.optout


def test_group_subscribes_to_its_newsletters(caller: Caller) -> None:
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
def test_refused_subscribe_stores_nothing(
    caller: Caller, fields: dict[str, str], status: int, code: int
) -> None:
    answer = caller.post("/news/subscribe/", fields)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["status"] == "error"
    assert caller.sandbox.people == {}


def test_blocked_domain_is_answered_ok_and_not_stored(caller: Caller) -> None:
    answer = caller.subscribe("ada@blocked.example.com", "mozilla-phone")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert caller.sandbox.people == {}


def test_fifth_equal_call_is_refused(caller: Caller) -> None:
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


def test_parallel_first_subscribes_all_succeed(caller: Caller) -> None:
    slugs = ["mozilla-phone", "mozillians-nda", "app-dev", "mozilla-foundation"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda slug: Caller(caller.sandbox).subscribe(EMAIL, slug), slugs))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["token"] for answer in answers}) == 1
    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert person.newsletters == set(slugs)


def test_other_method_is_answered_405_without_a_body(caller: Caller) -> None:
    answer = caller.get("/news/subscribe/")

    assert (answer.status_code, answer.content) == (405, b"")


def test_path_without_its_slash_redirects(caller: Caller) -> None:
    answer = caller.post("/news/subscribe", {"email": EMAIL}, allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (301, "/news/subscribe/")


@pytest.mark.parametrize("path", LOOKUPS)
def test_lookup_with_a_key_shows_the_person(caller: Caller, path: str) -> None:
    caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=True)

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert answer.status_code == 200
    assert set(answer.json()) >= V1
    assert answer.json()["email"] == EMAIL
    assert answer.json()["newsletters"] == ["app-dev"]


@pytest.mark.parametrize("path", LOOKUPS)
def test_lookup_by_token_alone_masks_the_address(caller: Caller, path: str) -> None:
    person = caller.sandbox.put_person("ada.lovelace@example.com")

    answer = caller.get(path, params={"token": person.token})

    assert answer.json()["email"] == "a**********e@e*****e.com"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        pytest.param({}, 400, 5, id="neither"),
        pytest.param({"email": EMAIL, "token": TOKEN}, 400, 5, id="both"),
        pytest.param({"email": EMAIL}, 401, 7, id="no key"),
        pytest.param({"email": EMAIL, "api-key": "wrong"}, 401, 7, id="wrong key"),
        pytest.param({"email": EMAIL, "api-key": "test-key"}, 404, 3, id="unknown address"),
        pytest.param({"email": "ada", "api-key": "test-key"}, 400, 2, id="no address"),
        pytest.param({"token": TOKEN}, 404, 4, id="unknown token"),
    ],
)
@pytest.mark.parametrize("path", LOOKUPS)
def test_lookup_is_refused(
    caller: Caller, path: str, query: dict[str, str], status: int, code: int
) -> None:
    answer = caller.get(path, params=query)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_malformed_token_is_answered_by_path(caller: Caller) -> None:
    v1 = caller.get("/api/v1/users/lookup/", params={"token": "nope"})
    legacy = caller.get("/news/lookup-user/", params={"token": "nope"})

    assert (v1.status_code, v1.json()["code"]) == (422, 5)
    assert (legacy.status_code, legacy.json()["code"]) == (400, 1)


def test_wrong_key_in_the_query_hides_a_good_header_on_the_old_path_only(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL)
    query = {"email": EMAIL, "api-key": "wrong"}

    statuses = [caller.get(path, params=query, headers=caller.key).status_code for path in LOOKUPS]

    assert statuses == [401, 200]


def test_unsubscribe_removes_the_named_newsletters(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev", "mozillians-nda"])

    answer = caller.post(
        f"/news/unsubscribe/{person.token}/", {"email": EMAIL, "newsletters": "mozillians-nda"}
    )

    assert answer.json() == {"status": "ok"}
    after = caller.sandbox.person(EMAIL)
    assert after is not None
    assert after.newsletters == {"app-dev"}
    assert not after.optout


def test_optout_removes_all_newsletters(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev", "mozillians-nda"])

    caller.post(f"/news/unsubscribe/{person.token}/", {"email": EMAIL, "optout": "Y"})

    after = caller.sandbox.person(EMAIL)
    assert after is not None
    assert after.newsletters == set()
    assert after.optout


@pytest.mark.parametrize("slug", ["nope", "mozilla-community"])
def test_unsubscribe_refuses_unknown_newsletters_and_groups(caller: Caller, slug: str) -> None:
    answer = caller.post(f"/news/unsubscribe/{uuid.uuid4()}/", {"newsletters": slug})

    assert (answer.status_code, answer.json()["code"]) == (400, 9)


@pytest.mark.parametrize("token", ["nope", "0A1B2C3D-0000-4000-8000-00000000ABCD", "0" * 32])
def test_path_without_a_token_is_not_found(caller: Caller, token: str) -> None:
    answer = caller.post(f"/news/unsubscribe/{token}/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/news/newsletters/", "/api/v1/news/newsletters/"])
def test_every_newsletter_is_described(caller: Caller, path: str) -> None:
    described = caller.get(path).json()["newsletters"]

    assert described["mozillians-nda"]["private"] is True
    assert described["about-mozilla"]["active"] is False
    assert described["mozilla-foundation"]["languages"] == ["de", "en", "es", "fr", "pt-BR"]


@pytest.mark.parametrize("path", [*LOOKUPS, f"/news/user/{TOKEN}/"])
@pytest.mark.parametrize("broken", ["ada", "@example.com", "ada@example", "a@b@example.com"])
def test_broken_address_cannot_be_masked(caller: Caller, path: str, broken: str) -> None:
    caller.sandbox.put_person(EMAIL, token=TOKEN)
    caller.post(f"/news/unsubscribe/{TOKEN}/", {"email": broken})

    without_key = caller.get(path, params={"token": TOKEN})
    with_key = caller.get(path, params={"token": TOKEN}, headers=caller.key)

    assert without_key.status_code == 500
    assert without_key.headers["Content-Type"].startswith("text/html")
    assert broken not in without_key.text
    assert with_key.json()["email"] == broken
