"""Calls to Basket over real HTTP: results for its answers, and errors without personal data."""

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
import urllib3
from waffle.testutils import override_switch

from mozillians_basket.client import calls, transport
from mozillians_basket.conf import SWITCH, conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketRefused,
    BasketSwitchedOff,
    BasketUnavailable,
    NewsletterNotFound,
    StepFailed,
)
from mozillians_basket.rules.answers import BLOCKED_DOMAIN, Person
from mozillians_basket.sandbox.testing import SandboxServer
from tests.client.conftest import FOUND, TOKEN, Server

EMAIL = "member@example.com"
NOBODY = "00000000-0000-4000-8000-000000000000"
PAGE = "<!doctype html><title>Something else</title>"

CALLS: dict[str, Callable[[], Any]] = {
    "lookup": lambda: calls.look_up(EMAIL),
    "lookup by token": lambda: calls.look_up_token(TOKEN),
    "subscribe": lambda: calls.subscribe(EMAIL, {"mozilla-phone"}, {}),
    "unsubscribe": lambda: calls.unsubscribe(TOKEN, {"mozilla-phone"}),
    "catalogue": calls.catalogue,
    "recover": lambda: calls.recover(EMAIL),
}
by_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def found_by(email: str) -> Person:
    person = calls.look_up(email)
    assert person is not None
    return person


def test_person_is_found_whatever_the_case(basket: SandboxServer) -> None:
    put = basket.put_person(EMAIL, newsletters=["mozilla-phone"], optin=False)

    found = found_by("Member@Example.COM")

    assert (found.email, found.token) == (EMAIL, put.token)
    assert found.newsletters == {"mozilla-phone"}
    assert (found.optout, found.optin) == (False, False)


def test_person_with_optout_is_shown_as_such(basket: SandboxServer) -> None:
    basket.put_person(EMAIL, optout=True)

    assert found_by(EMAIL).optout


def test_unknown_person_is_an_answer(basket: SandboxServer) -> None:
    assert calls.look_up(EMAIL) is None
    assert calls.look_up_token(NOBODY) is None


def test_lookup_by_token_shows_the_full_address(basket: SandboxServer) -> None:
    token = basket.put_person(EMAIL, newsletters=["mozilla-phone"]).token
    basket.put_person(EMAIL, new_email="renamed@example.com")

    found = calls.look_up_token(token)

    assert found is not None
    assert (found.email, found.token) == ("renamed@example.com", token)
    assert found.newsletters == {"mozilla-phone"}


def test_masked_address_is_no_answer(basket: SandboxServer, settings: Any) -> None:
    token = basket.put_person(EMAIL).token
    settings.BASKET_API_KEY = ""

    with pytest.raises(BasketUnavailable):
        calls.look_up_token(token)


def test_subscribe_returns_the_token_of_the_person(basket: SandboxServer) -> None:
    token = calls.subscribe(EMAIL, {"mozilla-phone", "mozillians-nda"}, {})

    person = basket.people[EMAIL]
    assert person.newsletters == {"mozilla-phone", "mozillians-nda"}
    assert person.token == token


def test_subscribe_sends_the_fields_and_what_the_settings_say(
    server: Server, settings: Any
) -> None:
    settings.BASKET_OPTIN, settings.BASKET_TRIGGER_WELCOME = False, True
    settings.BASKET_SOURCE_URL = "https://example.org/join"

    calls.subscribe(EMAIL, {"b", "a"}, {"country": "de", "lang": "fr", "optin": "Y"})

    [request] = server.received
    assert parse_qs(request.body) == {
        "country": ["de"],
        "email": [EMAIL],
        "lang": ["fr"],
        "newsletters": ["a,b"],
        "optin": ["N"],
        "source_url": ["https://example.org/join"],
        "sync": ["Y"],
        "trigger_welcome": ["Y"],
    }


def test_blocked_domain_is_told_by_the_missing_token(basket: SandboxServer) -> None:
    basket.load_newsletters({}, blocked_domains=["blocked.example.com"])

    with pytest.raises(BasketRefused) as caught:
        calls.subscribe("member@blocked.example.com", {"mozilla-phone"}, {})

    assert caught.value.code == BLOCKED_DOMAIN
    assert basket.people == {}


def test_unsubscribe_takes_only_the_named_newsletters_away(basket: SandboxServer) -> None:
    token = basket.put_person(EMAIL, newsletters=["mozilla-phone", "about-mozilla"]).token

    calls.unsubscribe(token, {"mozilla-phone"})

    assert basket.people[EMAIL].newsletters == {"about-mozilla"}


def test_unsubscribe_without_an_address_leaves_the_address_as_it_is(basket: SandboxServer) -> None:
    token = basket.put_person(EMAIL, newsletters=["mozilla-phone"]).token

    calls.unsubscribe(token, {"mozilla-phone"})

    assert list(basket.people) == [EMAIL]
    assert basket.people[EMAIL].newsletters == frozenset()


def test_recover_has_basket_mail_its_link(basket: SandboxServer) -> None:
    basket.put_person(EMAIL)

    sent = calls.recover(EMAIL)

    assert sent
    assert [(message.kind, message.email) for message in basket.messages] == [("recover", EMAIL)]


def test_recover_tells_that_basket_knows_nobody(basket: SandboxServer) -> None:
    assert not calls.recover(EMAIL)
    assert basket.messages == []


def test_catalogue_lists_newsletters_by_slug(basket: SandboxServer) -> None:
    assert {"mozilla-phone", "mozillians-nda"} <= calls.catalogue().keys()


@pytest.mark.parametrize("endpoint", ["lookup", "subscribe", "unsubscribe", "recover"])
@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        pytest.param(500, 6, BasketUnavailable, id="back end refuses Basket"),
        pytest.param(400, 1, BasketUnavailable, id="back end fails"),
        pytest.param(400, 15, BasketUnavailable, id="maintenance"),
        pytest.param(429, 5, BasketUnavailable, id="rate limit"),
        pytest.param(401, 7, BasketMisconfigured, id="key"),
        pytest.param(401, 8, BasketMisconfigured, id="TLS"),
        pytest.param(400, 2, BasketRefused, id="address"),
        pytest.param(400, 5, BasketRefused, id="usage"),
        pytest.param(400, 11, BasketRefused, id="another code"),
        pytest.param(400, 14, BasketRefused, id="token"),
        pytest.param(400, 99, BasketRefused, id="unknown code"),
    ],
)
def test_errors_are_told_apart_by_status_and_code(
    basket: SandboxServer, endpoint: str, status: int, code: int, expected: type[BasketError]
) -> None:
    basket.fail(endpoint, status=status, code=code)

    with pytest.raises(expected) as caught:
        CALLS[endpoint]()

    assert type(caught.value) is expected
    assert getattr(caught.value, "code", None) == code


@pytest.mark.parametrize("call", ["subscribe", "unsubscribe"])
def test_unknown_newsletter_is_an_error_of_its_own(basket: SandboxServer, call: str) -> None:
    basket.fail(call, status=400, code=9)

    with pytest.raises(NewsletterNotFound):
        CALLS[call]()


@pytest.mark.parametrize("kind", ["malformed", "drop", "html"])
@pytest.mark.parametrize("endpoint", ["lookup", "subscribe", "unsubscribe", "recover"])
def test_broken_answer_means_later(basket: SandboxServer, endpoint: str, kind: str) -> None:
    basket.fail(endpoint, kind=kind, status=500)

    with pytest.raises(BasketUnavailable):
        CALLS[endpoint]()


@pytest.mark.parametrize(
    "call",
    [call for name, call in CALLS.items() if name != "recover"],  # that one reads the status only
)
@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '"ok"',
        "null",
        "7",
        "",
        "[" * 100_000,
        b"\xff\xfe",
        "{}",
        '{"status": null}',
        '{"status": "ok", "token": 7, "email": [], "newsletters": "all"}',
    ],
)
def test_malformed_answer_is_taken_for_basket_s(
    server: Server, call: Callable[[], Any], content: str | bytes
) -> None:
    server.answers(200, content, Content_Type="application/json")

    try:
        answer = call()
    except BasketError as error:
        assert type(error) is BasketUnavailable  # noqa: PT017 - or an empty answer, as below
    else:
        assert answer is None
        assert b'"ok"' in server.content


@pytest.mark.parametrize(
    "wrong",
    [
        FOUND.replace("[]", "[1]"),
        FOUND.replace("[]", "{}"),
        FOUND.replace(TOKEN, ""),
        FOUND.replace(TOKEN, "../../other"),
        FOUND.replace(TOKEN, "a" * 65),
    ],
)
def test_lookup_that_makes_no_sense_means_later(server: Server, wrong: str) -> None:
    server.answers(200, wrong)

    with pytest.raises(BasketUnavailable):
        calls.look_up("member+1@example.com")


def test_answer_for_another_address_is_a_fault_of_that_contact_alone(server: Server) -> None:
    server.answers(200, FOUND.replace("member+1", "other"))

    with pytest.raises(StepFailed, match="another address"):
        calls.look_up("member+1@example.com")


@by_call
@pytest.mark.parametrize("code", ['"7"', "null", "[]", "true", "1e400", "100000000000"])
def test_error_with_a_malformed_code_is_basket_s(
    server: Server, call: Callable[[], Any], code: str
) -> None:
    server.answers(500, f'{{"status": "error", "code": {code}, "desc": 1}}')

    with pytest.raises(BasketUnavailable):
        call()


@pytest.mark.parametrize("status", [200, 301, 404, 405])
@pytest.mark.parametrize("call", ["lookup", "catalogue"])
def test_page_in_answer_to_a_lookup_by_address_is_a_wrong_url(
    server: Server, call: str, status: int
) -> None:
    server.answers(status, PAGE, Content_Type="text/html; charset=utf-8")

    with pytest.raises(BasketMisconfigured) as caught:
        CALLS[call]()

    assert (caught.value.status, caught.value.code) == (status, None)


@pytest.mark.parametrize("call", ["lookup by token", "subscribe", "unsubscribe"])
def test_page_in_answer_to_another_call_is_that_contact_s_refusal(
    server: Server, call: str
) -> None:
    server.answers(404, PAGE, Content_Type="text/html")

    with pytest.raises(BasketRefused) as caught:
        CALLS[call]()

    assert caught.value.code == 99


@by_call
def test_error_that_was_cut_short_means_later(server: Server, call: Callable[[], Any]) -> None:
    server.answers(404, '{"status": "error", "code": 3', Content_Type="application/json")

    with pytest.raises(BasketUnavailable):
        call()


def test_malformed_token_is_refused(basket: SandboxServer) -> None:
    with pytest.raises(BasketRefused):
        calls.unsubscribe("no-token", {"mozilla-phone"})
    with pytest.raises(BasketRefused):
        calls.look_up_token("no-token")


@by_call
def test_nobody_answering_means_later(
    basket: SandboxServer, settings: Any, call: Callable[[], Any]
) -> None:
    settings.BASKET_URL = "http://127.0.0.1:1"

    with pytest.raises(BasketUnavailable):
        call()


@pytest.mark.parametrize("url", ["", "basket.example.org", "http://", "ftp://127.0.0.1"])
def test_url_that_is_none_is_the_site_s_fault(
    basket: SandboxServer, settings: Any, url: str
) -> None:
    settings.BASKET_URL = url

    with pytest.raises(BasketMisconfigured):
        calls.look_up(EMAIL)


@pytest.mark.parametrize("key", ["", "wrong", "two\nlines"])
def test_wrong_key_is_the_site_s_fault(basket: SandboxServer, settings: Any, key: str) -> None:
    settings.BASKET_API_KEY = key

    with pytest.raises(BasketMisconfigured):
        calls.look_up(EMAIL)


def test_slow_answer_means_later(server: Server, settings: Any) -> None:
    settings.BASKET_TIMEOUT = 0.1
    server.hold()

    with pytest.raises(BasketUnavailable):
        calls.look_up(EMAIL)


def test_page_waits_no_longer_than_it_says(server: Server) -> None:
    server.hold()
    began = time.monotonic()

    with transport.within(0.1), pytest.raises(BasketUnavailable):
        calls.look_up(EMAIL)

    assert time.monotonic() - began < conf.TIMEOUT / 2


@by_call
def test_fault_of_this_side_is_not_taken_for_basket_s(
    server: Server,
    call: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_arguments: Any, **_given: Any) -> None:
        raise AttributeError(f"nothing of that name at {EMAIL}")

    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", broken)

    with pytest.raises(StepFailed) as caught:
        call()

    assert f"builtins.AttributeError in {__name__}.broken" in str(caught.value)
    assert str(caught.value) in caplog.text
    assert EMAIL not in str(caught.value) + caplog.text


@by_call
def test_switch_is_read_right_before_each_call(
    basket: SandboxServer, call: Callable[[], Any]
) -> None:
    with override_switch(SWITCH, active=False), pytest.raises(BasketSwitchedOff):
        call()

    assert basket.requests == []


@pytest.mark.parametrize("kind", ["html", "malformed", "drop"])
def test_neither_errors_nor_logs_show_a_person_or_the_key(
    basket: SandboxServer, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    person = basket.put_person(EMAIL, newsletters=["mozilla-phone"])
    basket.fail("lookup", kind=kind)

    with pytest.raises(BasketError) as caught:
        calls.look_up(EMAIL)

    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    for secret in (EMAIL, EMAIL.replace("@", "%40"), person.token, basket.api_key):
        assert secret not in told


def test_repr_of_a_person_shows_neither_address_nor_token(basket: SandboxServer) -> None:
    basket.put_person(EMAIL)

    found = found_by(EMAIL)

    assert EMAIL not in repr(found)
    assert found.token not in repr(found)
