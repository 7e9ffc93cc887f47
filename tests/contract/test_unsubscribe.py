"""``POST /news/unsubscribe/<token>/``: "ok" in nearly every case, and only queued."""

import uuid

import pytest

from tests.contract.target import Target, code, eventually, is_page

NOT_TOKENS = [
    pytest.param("nope", id="a word"),
    pytest.param("0" * 32, id="without dashes"),
    pytest.param("0A1B2C3D-0000-4000-8000-00000000ABCD", id="upper case"),
    pytest.param("6f7b3a1e-0000-4000-8000-0000000000000", id="too long"),
    pytest.param("-" * 36, id="dashes"),
]


def path(token: str) -> str:
    return f"/news/unsubscribe/{token}/"


def test_named_newsletters_are_removed(basket: Target) -> None:
    person = basket.person(basket.single, basket.double)

    answer = basket.post(path(person.token), {"email": person.email, "newsletters": basket.double})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert eventually(lambda: basket.newsletters_of(person.email) == {basket.single})
    assert basket.lookup(person.email)["optout"] is False


def test_several_at_once(basket: Target) -> None:
    person = basket.person(basket.single, basket.double)

    basket.post(path(person.token), {"newsletters": f"{basket.single}, {basket.double},"})

    assert eventually(lambda: basket.newsletters_of(person.email) == set())


def test_opting_out_takes_everything(basket: Target) -> None:
    person = basket.person(basket.single, basket.double)

    answer = basket.post(path(person.token), {"email": person.email, "optout": "Y"})

    assert (answer.status_code, code(answer)) == (200, None)
    assert eventually(lambda: basket.lookup(person.email)["optout"] is True)
    assert basket.newsletters_of(person.email) == set()


def test_transactional_message_is_refused(basket: Target) -> None:
    person = basket.person(basket.single)

    answer = basket.post(path(person.token), {"newsletters": "firefox-mobile-welcome"})

    assert (answer.status_code, code(answer)) == (400, 9)
    assert basket.newsletters_of(person.email) == {basket.single}


def test_subscribing_again_ends_an_optout(basket: Target) -> None:
    person = basket.person(basket.single)
    basket.post(path(person.token), {"email": person.email, "optout": "Y"})
    assert eventually(lambda: basket.lookup(person.email)["optout"] is True)

    basket.subscribe(person.email, basket.double)

    assert basket.lookup(person.email)["optout"] is False
    assert basket.newsletters_of(person.email) == {basket.double}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"newsletters": ""}, id="no newsletters"),
        pytest.param({"newsletters": ","}, id="only a comma"),
        pytest.param({"optout": "N"}, id="no optout"),
    ],
)
def test_naming_nothing_changes_nothing(basket: Target, fields: dict[str, str]) -> None:
    person = basket.person(basket.single)

    answer = basket.post(path(person.token), fields)

    assert (answer.status_code, code(answer)) == (200, None)
    assert basket.newsletters_of(person.email) == {basket.single}


def test_newsletter_that_the_person_does_not_get(basket: Target) -> None:
    person = basket.person(basket.single)

    answer = basket.post(path(person.token), {"newsletters": basket.double})

    assert (answer.status_code, code(answer)) == (200, None)
    assert basket.newsletters_of(person.email) == {basket.single}


def test_a_private_newsletter_needs_no_key(basket: Target) -> None:
    person = basket.person(basket.private)

    answer = basket.post(path(person.token), {"newsletters": basket.private})

    assert (answer.status_code, code(answer)) == (200, None)
    assert eventually(lambda: basket.newsletters_of(person.email) == set())


def test_unknown_token(basket: Target) -> None:
    answer = basket.post(path(str(uuid.uuid4())), {"newsletters": basket.single})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("pattern", ["nope", "{single},nope", "{upper}"])
def test_an_unknown_newsletter(basket: Target, pattern: str) -> None:
    person = basket.person(basket.single)
    newsletters = pattern.format(single=basket.single, upper=basket.single.upper())

    answer = basket.post(path(person.token), {"newsletters": newsletters})

    assert (answer.status_code, code(answer)) == (400, 9)
    assert basket.newsletters_of(person.email) == {basket.single}


def test_group_is_refused(basket: Target) -> None:
    if not basket.group:
        pytest.skip("no group is known")

    answer = basket.post(path(str(uuid.uuid4())), {"newsletters": basket.group})

    assert (answer.status_code, code(answer)) == (400, 9)


def test_there_is_no_rate_limit(basket: Target) -> None:
    person = basket.person(basket.single)

    answers = [basket.post(path(person.token), {"newsletters": basket.double}) for _ in range(7)]

    assert {answer.status_code for answer in answers} == {200}


def test_another_address_renames_the_person(basket: Target) -> None:
    person = basket.person(basket.single)
    renamed = f"renamed-{person.email}"

    basket.post(path(person.token), {"email": renamed, "newsletters": basket.double})

    assert eventually(lambda: basket.lookup(renamed).get("token") == person.token)
    assert basket.lookup(person.email)["code"] == 3


@pytest.mark.parametrize("token", NOT_TOKENS)
def test_malformed_token_is_not_found(basket: Target, token: str) -> None:
    answer = basket.post(path(token), {"newsletters": basket.single})

    assert answer.status_code == 404
    assert is_page(answer)


def test_without_a_token(basket: Target) -> None:
    assert basket.post("/news/unsubscribe/").status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods(basket: Target, method: str) -> None:
    answer = basket.call(method, path(str(uuid.uuid4())))

    assert (answer.status_code, answer.content) == (405, b"")


def test_a_missing_slash_redirects(basket: Target) -> None:
    answer = basket.post(path(str(uuid.uuid4())).rstrip("/"))

    assert answer.status_code == 301
