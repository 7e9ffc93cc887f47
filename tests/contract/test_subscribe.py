"""The calls that ``POST /news/subscribe/`` accepts, their rate limit, and their effects."""

import uuid

import pytest

from tests.contract.target import Target, code, eventually, is_page, new_address

PATH = "/news/subscribe/"
MESSAGE = "firefox-mobile-welcome"


def test_the_fifth_equal_call_is_refused(basket: Target) -> None:
    email = new_address()

    answers = [basket.subscribe(email, basket.single) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert code(answers[-1]) == 5
    assert "Retry-After" not in answers[-1].headers


def test_other_newsletters_and_addresses_have_rates_of_their_own(basket: Target) -> None:
    email = new_address()
    for _ in range(4):
        basket.subscribe(email, basket.single)

    assert basket.subscribe(email, f"{basket.single},").status_code == 200
    assert basket.subscribe(new_address(), basket.single).status_code == 200


def test_refused_calls_do_not_count(basket: Target) -> None:
    email = new_address()
    for _ in range(6):
        assert basket.subscribe(email, "nope").status_code == 400

    assert basket.subscribe(email, basket.single).status_code == 200


def test_sync_answers_token_and_created(basket: Target) -> None:
    email = new_address()

    first = basket.subscribe(email, basket.single)
    second = basket.subscribe(email, basket.double)

    assert first.json() == {"status": "ok", "token": first.json()["token"], "created": True}
    assert str(uuid.UUID(first.json()["token"])) == first.json()["token"]
    assert second.json() == {**first.json(), "created": False}
    assert basket.newsletters_of(email) == {basket.single, basket.double}


def test_without_sync_the_answer_is_bare_and_the_work_is_queued(basket: Target) -> None:
    email = new_address()

    answer = basket.post(PATH, {"email": email, "newsletters": basket.single})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert eventually(lambda: basket.newsletters_of(email) == {basket.single})


def test_white_space_around_newsletters_and_empty_names(basket: Target) -> None:
    email = new_address()

    basket.subscribe(email, f" {basket.single} ,, {basket.double},")

    assert basket.newsletters_of(email) == {basket.single, basket.double}


@pytest.mark.parametrize("newsletters", [",", " ", ", ,"])
def test_naming_nothing_subscribes_nobody(basket: Target, newsletters: str) -> None:
    email = new_address()

    answer = basket.subscribe(email, newsletters)

    assert (answer.status_code, code(answer)) == (200, None)
    assert basket.lookup(email)["code"] == 3


def test_the_last_of_several_fields_counts(basket: Target) -> None:
    email = new_address()
    fields = [("newsletters", "nope"), ("newsletters", basket.single), ("sync", "Y")]

    basket.post(PATH, [("email", email), *fields], headers=basket.authorized)

    assert basket.newsletters_of(email) == {basket.single}


@pytest.mark.parametrize("sync", ["", "N", "yes", "true", "1", " Y"])
def test_other_values_of_sync_get_no_token(basket: Target, sync: str) -> None:
    answer = basket.subscribe(new_address(), basket.single, sync=sync)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_an_inactive_newsletter_is_accepted(basket: Target) -> None:
    slug = basket.newsletter(active=False, private=False)
    if slug is None:
        pytest.skip("this Basket has no inactive newsletter")

    answer = basket.subscribe(new_address(), slug)

    assert (answer.status_code, code(answer)) == (200, None)


def test_unknown_fields_are_accepted(basket: Target) -> None:
    answer = basket.subscribe(
        new_address(), basket.single, validated="true", colour="blue", trigger_welcome="N"
    )

    assert (answer.status_code, code(answer)) == (200, None)


def test_a_group_subscribes_to_its_members(basket: Target) -> None:
    if not basket.group:
        pytest.skip("no group is known")
    email = new_address()

    answer = basket.subscribe(email, basket.group)

    assert (answer.status_code, code(answer)) == (200, None)
    assert basket.newsletters_of(email)
    assert basket.group not in basket.newsletters_of(email)


def test_transactional_message_is_accepted_and_stores_nothing(basket: Target) -> None:
    email = new_address()

    synced = basket.subscribe(email, MESSAGE)
    queued = basket.post(PATH, {"email": email, "newsletters": MESSAGE})

    assert (synced.status_code, queued.status_code) == (200, 200)
    assert synced.json() == {"status": "ok", "token": None, "created": None}
    assert basket.lookup(email)["code"] == 3


def test_transactional_message_among_newsletters(basket: Target) -> None:
    email = new_address()

    answer = basket.subscribe(email, f"{MESSAGE},{basket.single}")

    assert answer.json()["created"] is True
    assert basket.newsletters_of(email) == {basket.single}


@pytest.mark.parametrize("lang", ["de", "pt-BR", "", "nonsense", "x", "tlh"])
def test_any_language_is_accepted(basket: Target, lang: str) -> None:
    email = new_address()

    answer = basket.subscribe(email, basket.single, lang=lang)

    assert (answer.status_code, code(answer)) == (200, None)
    assert isinstance(basket.lookup(email)["lang"], str)


@pytest.mark.parametrize("country", ["us", "US", "usa", "zz", "", "Atlantis"])
def test_any_country_is_accepted_but_only_real_ones_are_kept(basket: Target, country: str) -> None:
    email = new_address()

    answer = basket.subscribe(email, basket.single, country=country)

    assert (answer.status_code, code(answer)) == (200, None)
    kept = basket.lookup(email)["country"]
    assert kept == "us" if country.lower() in {"us", "usa"} else not kept


@pytest.mark.parametrize("form", ["H", "html", "T", "text", "nonsense"])
def test_any_format_is_accepted(basket: Target, form: str) -> None:
    answer = basket.subscribe(new_address(), basket.single, format=form)

    assert (answer.status_code, code(answer)) == (200, None)


def test_the_name_is_kept(basket: Target) -> None:
    email = new_address()

    basket.subscribe(email, basket.single, first_name="Ada", last_name="Lovelace")

    found = basket.lookup(email)
    assert (found["first_name"], found["last_name"]) == ("Ada", "Lovelace")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_answered_405_without_a_body(basket: Target, method: str) -> None:
    answer = basket.call(method, PATH)

    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["Allow"] == "POST"


def test_a_missing_slash_redirects(basket: Target) -> None:
    answer = basket.post(PATH.rstrip("/"), {"email": new_address()})

    assert answer.status_code == 301
    assert answer.headers["Location"].endswith(PATH)


def test_a_longer_path_is_a_page_that_does_not_exist(basket: Target) -> None:
    answer = basket.post(f"{PATH}more/", {"email": new_address()})

    assert answer.status_code == 404
    assert is_page(answer)


def test_a_browser_of_another_site_may_call(basket: Target) -> None:
    origin = {"Origin": "https://www.example.com"}
    asked = {**origin, "Access-Control-Request-Method": "POST"}

    preflight = basket.call("OPTIONS", PATH, headers=asked)
    answer = basket.post(PATH, {"email": new_address()}, headers=origin)

    assert (preflight.status_code, preflight.content) == (200, b"")
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
