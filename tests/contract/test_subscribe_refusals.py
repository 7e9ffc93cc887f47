"""The calls that ``POST /news/subscribe/`` refuses, in the order of Basket's checks."""

import uuid

import pytest

from tests.contract.target import Target, code, new_address

PATH = "/news/subscribe/"
NOT_ADDRESSES = [
    pytest.param("ada", id="no at sign"),
    pytest.param("ada@", id="no domain"),
    pytest.param("@example.com", id="no local part"),
    pytest.param("ada@@example.com", id="two at signs"),
    pytest.param("ada@example", id="no top-level domain"),
    pytest.param("ada@example..com", id="two dots in the domain"),
    pytest.param(".ada@example.com", id="leading dot"),
    pytest.param("ada.@example.com", id="trailing dot"),
    pytest.param("a..da@example.com", id="two dots"),
    pytest.param("ada lovelace@example.com", id="white space inside"),
    pytest.param(" ada@example.com", id="leading white space"),
    pytest.param("ada@example.com ", id="trailing white space"),
    pytest.param("ada@example.com\n", id="newline"),
    pytest.param("Ada <ada@example.com>", id="with a name"),
    pytest.param("ädä@example.com", id="non-ASCII local part"),
    pytest.param("ada@basket.test", id="reserved: test"),
    pytest.param("ada@basket.invalid", id="reserved: invalid"),
    pytest.param("ada@basket.local", id="reserved: local"),
    pytest.param("ada@localhost", id="localhost"),
    pytest.param("ada@[127.0.0.1]", id="an IP address"),
    pytest.param("ada,eve@example.com", id="comma"),
]


@pytest.mark.parametrize("newsletters", [None, ""], ids=["missing", "empty"])
def test_newsletters_are_needed(basket: Target, newsletters: str | None) -> None:
    fields = {"email": new_address()}
    if newsletters is not None:
        fields["newsletters"] = newsletters

    answer = basket.post(PATH, fields)

    assert (answer.status_code, code(answer)) == (400, 5)


def test_the_newsletters_are_asked_for_before_anything_else(basket: Target) -> None:
    answer = basket.post(PATH, {"email": "ada", "sync": "Y", "token": "nope"})

    assert (answer.status_code, code(answer)) == (400, 5)


def test_json_is_not_read(basket: Target) -> None:
    fields = {"email": new_address(), "newsletters": basket.single}

    answer = basket.post(PATH, json=fields)

    assert (answer.status_code, code(answer)) == (400, 5)


def test_the_query_is_not_read(basket: Target) -> None:
    fields = {"email": new_address(), "newsletters": basket.single}

    answer = basket.post(PATH, params=fields)

    assert (answer.status_code, code(answer)) == (400, 5)


def test_a_multipart_form_is_read(basket: Target) -> None:
    fields = {"email": (None, new_address()), "newsletters": (None, basket.single)}

    answer = basket.call("POST", PATH, files=fields)

    assert (answer.status_code, code(answer)) == (200, None)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="neither"),
        pytest.param({"email": ""}, id="empty address"),
        pytest.param({"token": ""}, id="empty token"),
        pytest.param({"email": "", "token": "", "sync": "Y"}, id="both empty, sync"),
    ],
)
def test_an_address_or_a_token_is_needed(basket: Target, fields: dict[str, str]) -> None:
    answer = basket.post(PATH, {"newsletters": basket.single, **fields})

    assert (answer.status_code, code(answer)) == (401, 5)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("nope", id="no UUID"),
        pytest.param("0" * 32, id="without dashes"),
        pytest.param("6f7b3a1e-0000-4000-8000-000000000000", id="unknown"),
        pytest.param("g" * 36, id="no digits"),
    ],
)
def test_a_bad_token(basket: Target, token: str) -> None:
    answer = basket.post(PATH, {"newsletters": basket.single, "token": token})

    assert (answer.status_code, code(answer)) == (400, 14)


def test_a_token_stands_for_its_address(basket: Target) -> None:
    person = basket.person(basket.single)
    fields = {"token": person.token, "newsletters": basket.double, "sync": "Y"}

    answer = basket.post(PATH, fields, headers=basket.authorized)

    assert answer.json() == {"status": "ok", "token": person.token, "created": False}
    assert basket.newsletters_of(person.email) == {basket.single, basket.double}


@pytest.mark.parametrize("email", NOT_ADDRESSES)
def test_a_bad_address(basket: Target, email: str) -> None:
    answer = basket.post(PATH, {"newsletters": basket.single, "email": email})

    assert (answer.status_code, code(answer)) == (400, 2)


def test_a_bad_address_with_a_token_is_a_bad_token(basket: Target) -> None:
    fields = {"newsletters": basket.single, "email": "ada", "token": str(uuid.uuid4())}

    answer = basket.post(PATH, fields)

    assert (answer.status_code, code(answer)) == (400, 14)


def test_an_address_is_checked_before_key_and_newsletter(basket: Target) -> None:
    answer = basket.post(PATH, {"newsletters": "nope", "email": "ada", "sync": "Y"})

    assert (answer.status_code, code(answer)) == (400, 2)


@pytest.mark.parametrize("sync", ["Y", "N"])
def test_a_blocked_domain_is_answered_ok(basket: Target, sync: str) -> None:
    if not basket.blocked_domain:
        pytest.skip("no blocked domain is known")
    email = f"ada@{basket.blocked_domain}"

    answer = basket.subscribe(email, "nope", sync=sync)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert basket.lookup(email)["code"] == 3


def test_sync_needs_a_key(basket: Target) -> None:
    fields = {"newsletters": "nope", "email": new_address(), "sync": "Y"}

    assert code(basket.post(PATH, fields)) == 7
    assert basket.post(PATH, fields).status_code == 401
    assert code(basket.post(PATH, fields, headers={"X-Api-Key": "wrong"})) == 7


def test_sync_is_read_in_any_case(basket: Target) -> None:
    answer = basket.subscribe(new_address(), basket.single, sync="y")

    assert answer.json()["created"] is True


@pytest.mark.parametrize("place", ["api-key", "api_key", "query", "query_", "header"])
def test_where_a_key_may_stand(basket: Target, place: str) -> None:
    fields = {"newsletters": basket.single, "email": new_address(), "sync": "Y"}
    if place == "header":
        answer = basket.post(PATH, fields, headers=basket.authorized)
    elif place.startswith("query"):
        name = "api-key" if place == "query" else "api_key"
        answer = basket.post(PATH, fields, params={name: basket.key})
    else:
        answer = basket.post(PATH, {**fields, place: basket.key})

    assert (answer.status_code, code(answer)) == (200, None)


def test_a_bad_key_in_front_hides_a_good_one(basket: Target) -> None:
    fields = {"newsletters": basket.single, "email": new_address(), "sync": "Y"}

    by_query = basket.post(PATH, fields, params={"api-key": "wrong"}, headers=basket.authorized)
    by_body = basket.post(PATH, {**fields, "api_key": "wrong"}, params={"api-key": basket.key})

    assert (by_query.status_code, code(by_query)) == (401, 7)
    assert (by_body.status_code, code(by_body)) == (401, 7)


@pytest.mark.parametrize("name", ["apikey", "API-KEY", "x-api-key"])
def test_a_key_by_another_name_is_none(basket: Target, name: str) -> None:
    fields = {"newsletters": basket.single, "email": new_address(), "sync": "Y"}

    for answer in (
        basket.post(PATH, {**fields, name: basket.key}),
        basket.post(PATH, fields, params={name: basket.key}),
    ):
        assert (answer.status_code, code(answer)) == (401, 7)


@pytest.mark.parametrize("pattern", ["nope", "{single},nope", "nope,{single}", "{upper}"])
def test_an_unknown_newsletter_stops_all(basket: Target, pattern: str) -> None:
    email = new_address()
    newsletters = pattern.format(single=basket.single, upper=basket.single.upper())

    answer = basket.subscribe(email, newsletters)

    assert (answer.status_code, code(answer)) == (400, 9)
    assert basket.lookup(email)["code"] == 3


def test_a_private_newsletter_needs_a_key(basket: Target) -> None:
    fields = {"newsletters": basket.private, "email": new_address()}

    refused = basket.post(PATH, fields)
    accepted = basket.post(PATH, fields, headers=basket.authorized)

    assert (refused.status_code, code(refused)) == (401, 7)
    assert (accepted.status_code, code(accepted)) == (200, None)


def test_the_first_bad_newsletter_decides(basket: Target) -> None:
    email = new_address()

    private = basket.post(PATH, {"newsletters": f"{basket.private},nope", "email": email})
    unknown = basket.post(PATH, {"newsletters": f"nope,{basket.private}", "email": email})

    assert code(private) == 7
    assert code(unknown) == 9
