"""Lookups of people, on the specified path and on basket-client's path."""

import uuid
from datetime import datetime

import pytest

from tests.contract.target import Target, code, is_page, new_address

LEGACY = "/news/lookup-user/"
V1 = "/api/v1/users/lookup/"
SHAPE: dict[str, type | tuple[type, ...]] = {
    "country": (str, type(None)),
    "created_date": str,
    "email": str,
    "first_name": (str, type(None)),
    "fxa_primary_email": (str, type(None)),
    "has_fxa": bool,
    "lang": (str, type(None)),
    "last_modified_date": str,
    "last_name": (str, type(None)),
    "mofo_relevant": bool,
    "newsletters": list,
    "optin": bool,
    "optout": bool,
    "status": str,
    "token": str,
}

both_paths = pytest.mark.parametrize("path", [LEGACY, V1])


@both_paths
def test_by_address(basket: Target, path: str) -> None:
    person = basket.person(basket.single, basket.private)

    answer = basket.get(path, params={"email": person.email}, headers=basket.authorized)

    found = answer.json()
    assert answer.status_code == 200
    assert {name: isinstance(found[name], kind) for name, kind in SHAPE.items()} == dict.fromkeys(
        SHAPE, True
    )
    assert (found["status"], found["email"], found["token"]) == ("ok", person.email, person.token)
    assert set(found["newsletters"]) == {basket.single, basket.private}
    assert datetime.fromisoformat(found["created_date"]).tzinfo is not None


def test_the_current_path_answers_nothing_else(basket: Target) -> None:
    person = basket.person()

    assert set(basket.lookup(person.email)) == set(SHAPE)


@both_paths
@pytest.mark.parametrize("form", ["upper", "domain", "title"])
def test_an_address_is_found_whatever_its_case(basket: Target, path: str, form: str) -> None:
    person = basket.person()
    local, _, domain = person.email.partition("@")
    email = {
        "upper": person.email.upper(),
        "domain": f"{local}@{domain.upper()}",
        "title": person.email.title(),
    }[form]

    answer = basket.get(path, params={"email": email}, headers=basket.authorized)

    assert answer.json()["token"] == person.token


@both_paths
def test_a_plus_and_the_case_of_the_local_part_are_kept(basket: Target, path: str) -> None:
    email = new_address("Ada+news")
    basket.subscribe(email, basket.single)

    answer = basket.get(path, params={"email": email}, headers=basket.authorized)

    assert answer.json()["email"] == email


@both_paths
def test_the_address_is_kept_as_last_written(basket: Target, path: str) -> None:
    person = basket.person(basket.single)
    local, _, domain = person.email.partition("@")

    basket.subscribe(f"{local.upper()}@{domain.upper()}", basket.double)

    answer = basket.get(path, params={"email": person.email}, headers=basket.authorized)
    assert answer.json()["email"] == f"{local.upper()}@{domain}"
    assert answer.json()["token"] == person.token


@both_paths
def test_an_international_domain_is_kept_as_punycode(basket: Target, path: str) -> None:
    local = new_address().partition("@")[0]
    basket.subscribe(f"{local}@bücher.example.com", basket.single)

    for domain in ("bücher.example.com", "xn--bcher-kva.example.com"):
        query = {"email": f"{local}@{domain}"}
        answer = basket.get(path, params=query, headers=basket.authorized)
        assert answer.json()["email"] == f"{local}@xn--bcher-kva.example.com"


@both_paths
def test_by_token_without_a_key(basket: Target, path: str) -> None:
    person = basket.person(basket.single)

    answer = basket.get(path, params={"token": person.token})

    found = answer.json()
    local = person.email.partition("@")[0]
    assert answer.status_code == 200
    assert set(found) >= set(SHAPE)
    assert found["email"] == f"{local[0]}{'*' * (len(local) - 2)}{local[-1]}@e*****e.com"
    assert set(found["newsletters"]) == {basket.single}


@both_paths
def test_by_token_with_a_key(basket: Target, path: str) -> None:
    person = basket.person()

    answer = basket.get(path, params={"token": person.token}, headers=basket.authorized)

    assert answer.json()["email"] == person.email


@both_paths
def test_a_wrong_key_does_not_matter_by_token(basket: Target, path: str) -> None:
    person = basket.person()

    answer = basket.get(path, params={"token": person.token, "api-key": "wrong"})

    assert answer.status_code == 200
    assert "*" in answer.json()["email"]


@both_paths
@pytest.mark.parametrize("key", [None, "", "wrong"], ids=["none", "empty", "wrong"])
def test_an_address_needs_a_key(basket: Target, path: str, key: str | None) -> None:
    query = {"email": new_address()}
    if key is not None:
        query["api-key"] = key

    answer = basket.get(path, params=query)

    assert (answer.status_code, code(answer)) == (401, 7)


@both_paths
def test_the_key_is_asked_for_before_the_address_is_looked_at(basket: Target, path: str) -> None:
    answer = basket.get(path, params={"email": "ada"})

    assert (answer.status_code, code(answer)) == (401, 7)


@both_paths
def test_the_key_in_the_query(basket: Target, path: str) -> None:
    person = basket.person()

    answer = basket.get(path, params={"email": person.email, "api-key": basket.key})

    assert answer.json()["email"] == person.email


def test_the_other_spelling_of_the_key_in_the_query(basket: Target) -> None:
    person = basket.person()
    query = {"email": person.email, "api_key": basket.key}

    assert basket.get(LEGACY, params=query).status_code == 200
    assert basket.get(V1, params=query).status_code == 401


def test_a_wrong_key_in_the_query_hides_the_header_on_the_old_path_only(basket: Target) -> None:
    person = basket.person()
    query = {"email": person.email, "api-key": "wrong"}

    legacy = basket.get(LEGACY, params=query, headers=basket.authorized)
    v1 = basket.get(V1, params=query, headers=basket.authorized)

    assert (legacy.status_code, code(legacy)) == (401, 7)
    assert v1.status_code == 200


@both_paths
def test_an_unknown_address(basket: Target, path: str) -> None:
    answer = basket.get(path, params={"email": new_address()}, headers=basket.authorized)

    assert (answer.status_code, code(answer)) == (404, 3)


@both_paths
def test_an_unknown_token(basket: Target, path: str) -> None:
    answer = basket.get(path, params={"token": str(uuid.uuid4())})

    assert (answer.status_code, code(answer)) == (404, 4)


@both_paths
@pytest.mark.parametrize("email", ["ada", "ada@example", " ada@example.com", "ädä@example.com"])
def test_a_bad_address(basket: Target, path: str, email: str) -> None:
    answer = basket.get(path, params={"email": email}, headers=basket.authorized)

    assert (answer.status_code, code(answer)) == (400, 2)


@both_paths
@pytest.mark.parametrize("with_key", [True, False])
def test_both_or_neither(basket: Target, path: str, with_key: bool) -> None:
    headers = basket.authorized if with_key else {}
    query = {"email": new_address(), "token": str(uuid.uuid4())}

    both = basket.get(path, params=query, headers=headers)
    neither = basket.get(path, headers=headers)

    assert (both.status_code, code(both)) == (400, 5)
    assert (neither.status_code, code(neither)) == (400, 5)


@pytest.mark.parametrize("token", ["nope", "0" * 31, "-" * 36])
def test_a_malformed_token(basket: Target, token: str) -> None:
    legacy = basket.get(LEGACY, params={"token": token})
    v1 = basket.get(V1, params={"token": token})

    assert (legacy.status_code, code(legacy)) == (400, 1)
    assert (v1.status_code, code(v1)) == (422, 5)


def test_an_empty_token(basket: Target) -> None:
    legacy = basket.get(LEGACY, params={"token": ""})
    v1 = basket.get(V1, params={"token": ""})

    assert (legacy.status_code, code(legacy)) == (400, 5)
    assert (v1.status_code, code(v1)) == (422, 5)


def test_other_spellings_of_a_token(basket: Target) -> None:
    person = basket.person()

    for token in (person.token.upper(), person.token.replace("-", "")):
        assert basket.get(V1, params={"token": token}).json()["token"] == person.token


def test_looking_up_changes_nothing(basket: Target) -> None:
    person = basket.person()

    assert basket.lookup(person.email) == basket.lookup(person.email)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods(basket: Target, method: str) -> None:
    v1 = basket.call(method, V1, params={"token": "x"})
    legacy = basket.call(method, LEGACY, params={"token": "x"})

    # The old path accepts any method, but Django's check for forgeries applies.
    assert (v1.status_code, legacy.status_code) == (405, 403)
    assert is_page(v1)
    assert is_page(legacy)


@both_paths
def test_a_missing_slash_redirects(basket: Target, path: str) -> None:
    answer = basket.get(path.rstrip("/"), params={"token": "x"})

    assert answer.status_code == 301
    assert answer.headers["Location"].endswith("/?token=x")
