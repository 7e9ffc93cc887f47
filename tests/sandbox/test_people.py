"""Unsubscribing and looking people up."""

import uuid

import pytest

from tests.sandbox.conftest import Caller

EMAIL = "ada.lovelace@example.com"
TOKEN = "6f7b3a1e-0000-4000-8000-000000000000"
V1 = {
    "country", "email", "first_name", "last_name", "fxa_primary_email", "has_fxa", "lang",
    "mofo_relevant", "newsletters", "optin", "optout", "token", "created_date",
    "last_modified_date", "status",
}  # fmt: skip
LOOKUPS = ["/news/lookup-user/", "/api/v1/users/lookup/"]


@pytest.mark.parametrize("path", LOOKUPS)
def test_a_key_shows_the_whole_person(caller: Caller, path: str) -> None:
    caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=True)

    answer = caller.get(path, params={"email": EMAIL}, headers=caller.key)

    assert answer.status_code == 200
    assert set(answer.json()) >= V1
    assert answer.json()["email"] == EMAIL
    assert answer.json()["newsletters"] == ["app-dev"]


@pytest.mark.parametrize("path", LOOKUPS)
def test_a_token_alone_shows_a_masked_address(caller: Caller, path: str) -> None:
    person = caller.sandbox.put_person(EMAIL)

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
def test_lookups_are_refused(
    caller: Caller, path: str, query: dict[str, str], status: int, code: int
) -> None:
    answer = caller.get(path, params=query)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_malformed_tokens_differ_by_path(caller: Caller) -> None:
    v1 = caller.get("/api/v1/users/lookup/", params={"token": "nope"})
    legacy = caller.get("/news/lookup-user/", params={"token": "nope"})

    assert (v1.status_code, v1.json()["code"]) == (422, 5)
    assert (legacy.status_code, legacy.json()["code"]) == (400, 1)


def test_a_wrong_key_in_the_query_hides_a_good_header_on_the_old_path_only(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL)
    query = {"email": EMAIL, "api-key": "wrong"}

    statuses = [caller.get(path, params=query, headers=caller.key).status_code for path in LOOKUPS]

    assert statuses == [401, 200]


def test_unsubscribing_takes_only_what_is_named(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev", "mozillians-nda"])

    answer = caller.post(
        f"/news/unsubscribe/{person.token}/", {"email": EMAIL, "newsletters": "mozillians-nda"}
    )

    assert answer.json() == {"status": "ok"}
    after = caller.sandbox.person(EMAIL)
    assert after is not None
    assert after.newsletters == {"app-dev"}
    assert not after.optout


def test_opting_out_takes_everything(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev", "mozillians-nda"])

    caller.post(f"/news/unsubscribe/{person.token}/", {"email": EMAIL, "optout": "Y"})

    after = caller.sandbox.person(EMAIL)
    assert after is not None
    assert after.newsletters == set()
    assert after.optout


@pytest.mark.parametrize("slug", ["nope", "mozilla-community"])
def test_unsubscribing_from_unknown_newsletters_and_groups(caller: Caller, slug: str) -> None:
    answer = caller.post(f"/news/unsubscribe/{uuid.uuid4()}/", {"newsletters": slug})

    assert (answer.status_code, answer.json()["code"]) == (400, 9)


@pytest.mark.parametrize("token", ["nope", "0A1B2C3D-0000-4000-8000-00000000ABCD", "0" * 32])
def test_a_path_with_no_token_in_it_is_a_page_that_does_not_exist(
    caller: Caller, token: str
) -> None:
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
