"""The collector in the real library, as Prometheus reads it."""

import re
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mozillians_basket.contrib.metrics import CALLS, BasketCollector
from mozillians_basket.models import Approval, Contact, Status, Subscription
from mozillians_basket.signals import call_made
from mozillians_basket.upkeep import statistics
from tests.factories import VouchFactory

pytestmark = pytest.mark.urls("tests.contrib.urls")


def scraped(client):
    """Return the samples of the page by name and labels."""
    text = client.get("/metrics/").content.decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(autouse=True)
def _forget_calls():
    CALLS.clear()


def test_numbers_are_those_of_the_overview(client, basket, commit):
    with commit():
        VouchFactory.create_batch(3)
    now = timezone.now()
    first, second, third = Contact.objects.filter(subscriptions__newsletter="mozilla-phone")
    Contact.objects.filter(pk=first.pk).update(touched_at=now - timedelta(hours=1))
    Contact.objects.filter(pk=second.pk).update(parked=True, failing_since=now, touched_at=now)
    Subscription.objects.filter(contact=third).update(state="opted out", confirmed_at=None)
    Status.note("swept_at")

    found = scraped(client)

    queue, (phone, _nda) = statistics.queue(), statistics.subscriptions().newsletters[-2:]
    assert found["basket_ledger_up",] == found["basket_switch_on",] == 1
    assert found["basket_due_contacts",] == queue.due == 1
    assert 3600 <= found["basket_oldest_due_seconds",] < 3700
    assert found["basket_waiting_contacts", "parked"] == queue.parked == 1
    for state in ("wanted", "confirmed", "opted_out"):
        key = ("basket_subscriptions", *sorted(["mozilla-phone", state]))
        assert found[key] == getattr(phone, state), state
    assert phone.name == "mozilla-phone"
    assert (phone.wanted, phone.confirmed, phone.opted_out) == (3, 2, 1)
    assert found["basket_last_run_timestamp_seconds", "sweep"] >= now.timestamp()


def test_breaker_questions_and_paused_newsletters_are_told(client, basket):
    Status.read()
    Status.objects.update(
        opened_at=timezone.now(), failures=7, unknown_newsletters={"mozillians-nda": "now"}
    )
    Approval.objects.create(
        newsletter="mozilla-phone", kind="brake", since=timezone.now(), number=90, total=100
    )

    found = scraped(client)

    assert (found["basket_breaker_open",], found["basket_failures",]) == (1, 7)
    assert found["basket_open_questions", "brake", "mozilla-phone"] == 90
    assert found["basket_open_questions", "loss", "mozilla-phone"] == 0
    assert found["basket_paused_newsletters", "mozillians-nda"] == 1
    assert found["basket_paused_newsletters", "mozilla-phone"] == 0


def test_calls_are_counted_by_kind_and_status(client, basket, commit):
    basket.fail("subscribe", times=1, status=503)
    with commit():
        VouchFactory()

    found = scraped(client)

    assert found["basket_call_seconds_count", "404", "lookup"] == 1
    assert found["basket_call_seconds_count", "503", "subscribe"] == 1
    assert 0 < found["basket_call_seconds_sum", "404", "lookup"] < 30


def test_call_without_an_answer_is_counted_too(client, basket, commit, settings):
    settings.BASKET_URL = "http://127.0.0.1:1"
    with commit():
        VouchFactory()

    assert scraped(client)["basket_call_seconds_count", "lookup", "none"] == 1


def test_page_holds_no_address_no_token_and_no_key(client, basket, vouched):
    contact = Contact.objects.exclude(token="").get()

    text = client.get("/metrics/").content.decode()

    assert "@" not in text
    assert contact.token not in text
    assert basket.api_key not in text


def test_page_is_in_the_format_that_prometheus_asks_for(client, db):
    wanted = "application/openmetrics-text; version=1.0.0"

    answer = client.get("/metrics/", headers={"Accept": wanted})

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_collector_can_be_registered_before_there_is_a_database():
    CollectorRegistry(auto_describe=True).register(BasketCollector())


def test_database_that_is_away_is_told(client, db):
    def refuse(execute, sql, params, many, context):
        raise OperationalError("no connection")

    with connection.execute_wrapper(refuse):
        found = scraped(client)

    assert found["basket_ledger_up",] == 0
    assert not any(re.match("basket_(due|touches)", name) for name, *_labels in found)


def test_receiver_that_fails_does_not_harm_the_call(basket, commit, caplog):
    def fail(**kwargs):
        raise ValueError("ana@example.com")

    call_made.connect(fail)
    try:
        with commit():
            profile = VouchFactory().vouchee
    finally:
        call_made.disconnect(fail)

    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}
    assert "builtins.ValueError" in caplog.text
    assert "ana@example.com" not in caplog.text
