"""Basket over real HTTP: what its answers come to, and what leaves no trace of a person."""

import logging
import time
import traceback

import pytest
from waffle.testutils import override_switch

from mozillians_basket import client
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import (
    BasketMisconfigured,
    BasketRefused,
    BasketSwitchedOff,
    BasketUnavailable,
)

EMAIL = "member@example.com"


def test_a_person_is_found_whatever_the_case(basket):
    put = basket.put_person(EMAIL, newsletters=["mozilla-phone"])

    found = client.look_up("Member@Example.COM")

    assert found is not None
    assert (found.email, found.token) == (EMAIL, put.token)
    assert found.newsletters == {"mozilla-phone"}
    assert found.opted_out is False


def test_an_unknown_person_is_an_answer(basket):
    assert client.look_up(EMAIL) is None


def test_a_token_leads_to_a_person_whatever_their_address(basket):
    token = basket.put_person(EMAIL).token
    basket.put_person(EMAIL, new_email="renamed@example.com")

    assert client.knows(token)
    assert not client.knows("00000000-0000-0000-0000-000000000000")


def test_subscribing_is_done_when_it_answers(basket):
    token = client.subscribe(EMAIL, {"mozilla-phone", "mozillians-nda"})

    person = basket.person(EMAIL)
    assert person.newsletters == {"mozilla-phone", "mozillians-nda"}
    assert person.token == token


def test_unsubscribing_takes_only_what_is_named(basket):
    basket.put_person(EMAIL, newsletters=["mozilla-phone", "about-mozilla"])

    client.unsubscribe(client.look_up(EMAIL), {"mozilla-phone"})

    assert basket.person(EMAIL).newsletters == {"about-mozilla"}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        pytest.param(500, 6, BasketUnavailable, id="back end refuses Basket"),
        pytest.param(400, 1, BasketUnavailable, id="back end fails"),
        pytest.param(400, 15, BasketUnavailable, id="maintenance"),
        pytest.param(429, 5, BasketUnavailable, id="rate limit"),
        pytest.param(401, 7, BasketMisconfigured, id="key"),
        pytest.param(401, 8, BasketMisconfigured, id="TLS"),
        pytest.param(400, 9, BasketMisconfigured, id="newsletter"),
        pytest.param(400, 2, BasketRefused, id="address"),
        pytest.param(400, 14, BasketRefused, id="token"),
        pytest.param(400, 5, BasketRefused, id="usage"),
    ],
)
def test_errors_are_told_apart_by_status_and_code(basket, status, code, expected):
    basket.fail("subscribe", status=status, code=code)

    with pytest.raises(expected) as caught:
        client.subscribe(EMAIL, {"mozilla-phone"})

    assert caught.value.code == code


@pytest.mark.parametrize("kind", ["html", "malformed", "drop"])
@pytest.mark.parametrize("endpoint", ["lookup", "subscribe", "unsubscribe"])
def test_a_broken_answer_means_later(basket, endpoint, kind):
    person = client.Person(EMAIL, basket.put_person(EMAIL).token, frozenset())
    call = {
        "lookup": lambda: client.look_up(EMAIL),
        "subscribe": lambda: client.subscribe(EMAIL, {"mozilla-phone"}),
        "unsubscribe": lambda: client.unsubscribe(person, {"mozilla-phone"}),
    }[endpoint]
    basket.fail(endpoint, kind=kind)

    with pytest.raises(BasketUnavailable):
        call()


def test_nobody_answering_means_later(basket, settings):
    settings.BASKET_URL = "http://127.0.0.1:1"

    with pytest.raises(BasketUnavailable):
        client.look_up(EMAIL)


def test_a_slow_answer_means_later(basket, settings):
    settings.BASKET_TIMEOUT = 0.2
    basket.fail("lookup", kind="delay", seconds=0.5)

    with pytest.raises(BasketUnavailable):
        client.look_up(EMAIL)

    while not basket.requests:  # or the next test finds the late request in its own journal
        time.sleep(0.05)


def test_a_wrong_key_is_the_site_s_fault(basket, settings):
    settings.BASKET_API_KEY = "wrong"

    with pytest.raises(BasketMisconfigured):
        client.look_up(EMAIL)


def test_a_wrong_path_is_the_site_s_fault(basket, settings):
    settings.BASKET_URL = f"{basket.url}/nowhere"

    with pytest.raises(BasketMisconfigured):
        client.look_up(EMAIL)


def test_the_switch_is_asked_right_before_the_request(basket):
    with override_switch(SWITCH, active=False), pytest.raises(BasketSwitchedOff):
        client.look_up(EMAIL)

    assert basket.requests == []


def test_one_connection_serves_many_calls(basket):
    client.look_up(EMAIL)
    basket.clear_requests()

    for _ in range(5):
        client.look_up(EMAIL)

    assert [request.new_connection for request in basket.requests] == [False] * 5


@pytest.mark.parametrize("kind", ["html", "malformed", "drop"])
def test_neither_errors_nor_logs_show_a_person_or_a_key(basket, settings, caplog, kind):
    settings.BASKET_API_KEY = basket.api_key
    caplog.set_level(logging.DEBUG)
    person = basket.put_person(EMAIL, newsletters=["mozilla-phone"])
    basket.fail("lookup", kind=kind)

    with pytest.raises(BasketUnavailable) as caught:
        client.look_up(EMAIL)

    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    for secret in (EMAIL, EMAIL.replace("@", "%40"), person.token, basket.api_key):
        assert secret not in told


def test_a_person_s_repr_shows_neither_address_nor_token(basket):
    basket.put_person(EMAIL)

    found = client.look_up(EMAIL)

    assert EMAIL not in repr(found)
    assert found.token not in repr(found)
