"""``/news/user/<token>/``: a person's newsletters, shown and set."""

import uuid

import pytest

from tests.contract.target import Target, code, eventually, is_page
from tests.contract.test_lookup import SHAPE


def path(token: str) -> str:
    return f"/news/user/{token}/"


def test_shown_without_a_key(basket: Target) -> None:
    person = basket.person(basket.single)

    answer = basket.get(path(person.token))

    assert answer.status_code == 200
    assert set(answer.json()) >= set(SHAPE)
    assert "*" in answer.json()["email"]
    assert answer.json()["newsletters"] == [basket.single]


@pytest.mark.parametrize("place", ["header", "query"])
def test_shown_with_a_key(basket: Target, place: str) -> None:
    person = basket.person()

    if place == "header":
        answer = basket.get(path(person.token), headers=basket.authorized)
    else:
        answer = basket.get(path(person.token), params={"api-key": basket.key})

    assert answer.json()["email"] == person.email


def test_unknown(basket: Target) -> None:
    answer = basket.get(path(str(uuid.uuid4())))

    assert (answer.status_code, code(answer)) == (404, 4)


@pytest.mark.parametrize("token", ["nope", "0" * 32, "0A1B2C3D-0000-4000-8000-00000000ABCD"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_malformed_token_is_not_found(basket: Target, method: str, token: str) -> None:
    answer = basket.call(method, path(token))

    assert answer.status_code == 404
    assert is_page(answer)


def test_setting_replaces(basket: Target) -> None:
    person = basket.person(basket.single)

    answer = basket.post(path(person.token), {"newsletters": basket.double})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert eventually(lambda: basket.newsletters_of(person.email) == {basket.double})


def test_leaving_the_newsletters_out_drops_everything(basket: Target) -> None:
    person = basket.person(basket.single, basket.double)

    answer = basket.post(path(person.token), {"country": "de"})

    assert (answer.status_code, code(answer)) == (200, None)
    assert eventually(lambda: basket.newsletters_of(person.email) == set())
    assert basket.lookup(person.email)["country"] == "de"
    assert basket.lookup(person.email)["optout"] is False


def test_private_newsletters_are_dropped_silently(basket: Target) -> None:
    person = basket.person(basket.private)

    answer = basket.post(
        path(person.token),
        {"newsletters": f"{basket.private},{basket.single}"},
        headers=basket.authorized,
    )

    assert (answer.status_code, code(answer)) == (200, None)
    assert eventually(lambda: basket.newsletters_of(person.email) == {basket.single})


def test_inactive_newsletters_stay(basket: Target) -> None:
    inactive = basket.newsletter(active=False, private=False)
    if inactive is None:
        pytest.skip("this Basket has no inactive newsletter")
    person = basket.person(basket.single, inactive)

    basket.post(path(person.token), {"newsletters": basket.double})

    assert eventually(lambda: basket.newsletters_of(person.email) == {basket.double, inactive})


def test_setting_ends_an_optout(basket: Target) -> None:
    person = basket.person(basket.single)
    basket.post(f"/news/unsubscribe/{person.token}/", {"optout": "Y"})
    assert eventually(lambda: basket.lookup(person.email)["optout"] is True)

    basket.post(path(person.token), {"newsletters": basket.single})

    assert eventually(lambda: basket.lookup(person.email)["optout"] is False)


@pytest.mark.parametrize("newsletters", ["nope", "group"])
def test_unknown_newsletters_and_groups(basket: Target, newsletters: str) -> None:
    if newsletters == "group" and not basket.group:
        pytest.skip("no group is known")
    named = basket.group if newsletters == "group" else newsletters

    answer = basket.post(path(str(uuid.uuid4())), {"newsletters": named})

    assert (answer.status_code, code(answer)) == (400, 9)


@pytest.mark.parametrize("email", ["", "ada", " ada@example.com"])
def test_a_bad_address(basket: Target, email: str) -> None:
    answer = basket.post(path(str(uuid.uuid4())), {"email": email, "newsletters": "nope"})

    assert (answer.status_code, code(answer)) == (400, 2)


def test_unknown_token(basket: Target) -> None:
    answer = basket.post(path(str(uuid.uuid4())), {"newsletters": basket.single})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_fifth_equal_call_is_refused(basket: Target) -> None:
    person = basket.person()

    answers = [basket.post(path(person.token), {"newsletters": basket.single}) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert code(answers[-1]) == 5


def test_naming_nothing_has_no_rate(basket: Target) -> None:
    token = str(uuid.uuid4())

    assert {basket.post(path(token)).status_code for _ in range(6)} == {200}


def test_other_methods_show(basket: Target) -> None:
    person = basket.person()

    assert basket.call("PUT", path(person.token)).status_code == 200
    assert basket.call("HEAD", path(person.token)).content == b""
