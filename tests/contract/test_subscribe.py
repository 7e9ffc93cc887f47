"""``POST /news/subscribe/``, checked in the order in which Basket checks."""

import uuid

import pytest

from tests.contract.target import Target, code, eventually, is_page, new_address

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


def test_sync_tells_the_token_and_who_is_new(basket: Target) -> None:
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
