"""Confirming an address, and recovering the link to one's subscriptions."""

import uuid

import pytest

from tests.contract.target import Target, code, eventually, is_page, new_address

RECOVER = "/news/recover/"
RECOVER_V1 = "/api/v1/users/recover/"

both_confirms = pytest.mark.parametrize("prefix", ["/news/confirm/", "/api/v1/users/confirm/"])


def test_somebody_new_is_unconfirmed_but_listed(basket: Target) -> None:
    person = basket.person(basket.double)

    found = basket.lookup(person.email)

    assert found["optin"] is False
    assert found["newsletters"] == [basket.double]


def test_a_newsletter_that_needs_no_confirmation_confirms_for_all(basket: Target) -> None:
    person = basket.person(basket.double, basket.single)

    assert basket.lookup(person.email)["optin"] is True


def test_optin_with_a_key_confirms(basket: Target) -> None:
    person = basket.person(basket.double, optin="Y")

    assert basket.lookup(person.email)["optin"] is True


def test_optin_without_a_key_is_ignored(basket: Target) -> None:
    email = new_address()

    answer = basket.post(
        "/news/subscribe/", {"email": email, "newsletters": basket.double, "optin": "Y"}
    )

    assert (answer.status_code, code(answer)) == (200, None)
    assert eventually(lambda: basket.newsletters_of(email) == {basket.double})
    assert basket.lookup(email)["optin"] is False


@both_confirms
def test_confirming(basket: Target, prefix: str) -> None:
    person = basket.person(basket.double)

    answer = basket.post(f"{prefix}{person.token}/")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert eventually(lambda: basket.lookup(person.email)["optin"] is True)


@both_confirms
def test_confirming_nobody(basket: Target, prefix: str) -> None:
    answer = basket.post(f"{prefix}{uuid.uuid4()}/")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@both_confirms
def test_the_fifth_confirmation_is_refused(basket: Target, prefix: str) -> None:
    token = uuid.uuid4()

    answers = [basket.post(f"{prefix}{token}/") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert code(answers[-1]) == 5


@both_confirms
@pytest.mark.parametrize("token", ["nope", "0" * 32, "0A1B2C3D-0000-4000-8000-00000000ABCD"])
def test_confirm_with_a_malformed_token(basket: Target, prefix: str, token: str) -> None:
    answer = basket.post(f"{prefix}{token}/")

    assert answer.status_code == 404
    assert is_page(answer)


@both_confirms
def test_confirming_takes_a_post(basket: Target, prefix: str) -> None:
    assert basket.get(f"{prefix}{uuid.uuid4()}/").status_code == 405


def test_recovering(basket: Target) -> None:
    person = basket.person()

    legacy = basket.post(RECOVER, {"email": person.email})
    v1 = basket.post(RECOVER_V1, json={"email": person.email})

    assert (legacy.status_code, legacy.json()) == (200, {"status": "ok"})
    assert (v1.status_code, v1.json()) == (200, {"status": "ok"})


def test_recovering_somebody_unknown(basket: Target) -> None:
    legacy = basket.post(RECOVER, {"email": new_address()})
    v1 = basket.post(RECOVER_V1, json={"email": new_address()})

    assert (legacy.status_code, code(legacy)) == (404, 3)
    assert (v1.status_code, code(v1)) == (404, 3)


@pytest.mark.parametrize("email", [None, "", "ada", " ada@example.com", "ada@basket.test"])
def test_recovering_a_bad_address(basket: Target, email: str | None) -> None:
    answer = basket.post(RECOVER, {} if email is None else {"email": email})

    assert (answer.status_code, code(answer)) == (400, 2)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"email": None}, id="null"),
        pytest.param({"email": ""}, id="empty"),
        pytest.param({"email": 7}, id="a number"),
        pytest.param({"email": "ada"}, id="no address"),
        pytest.param([], id="a list"),
        pytest.param(None, id="no body"),
    ],
)
def test_recover_with_invalid_fields_in_json(basket: Target, body: object) -> None:
    answer = basket.post(RECOVER_V1) if body is None else basket.post(RECOVER_V1, json=body)

    assert (answer.status_code, code(answer)) == (422, 5)


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
def test_recover_with_invalid_json(basket: Target, form: str) -> None:
    if form == "urlencoded":
        answer = basket.post(RECOVER_V1, {"email": new_address()})
    else:
        answer = basket.call("POST", RECOVER_V1, files={"email": (None, new_address())})

    assert answer.status_code == 400
    assert set(answer.json()) == {"detail"}


def test_recovering_a_blocked_address(basket: Target) -> None:
    if not basket.blocked_domain:
        pytest.skip("no blocked domain is known")
    email = f"ada@{basket.blocked_domain}"

    assert basket.post(RECOVER, {"email": email}).json() == {"status": "ok"}
    assert basket.post(RECOVER_V1, json={"email": email}).json() == {"status": "ok"}


def test_recovering_takes_a_post(basket: Target) -> None:
    assert basket.get(RECOVER).status_code == 405
    assert basket.get(RECOVER_V1).status_code == 405
