"""Log records as JSON, written by the real logging configuration of a site."""

import io
import json
import logging
import logging.config

import pytest
from celery import shared_task
from django.db import transaction

from mozillians_basket import api
from mozillians_basket.models import Contact, Event
from tests.app.steps import contact_of
from tests.factories import VouchFactory

HISTORY = "mozillians_basket.history"


@pytest.fixture
def lines():
    """Configure logging as the docs say; return a function that reads what was written."""
    stream = io.StringIO()
    loggers = {name: logging.getLogger(name) for name in (HISTORY, "site")}
    before = {name: (each.level, each.propagate) for name, each in loggers.items()}
    logging.config.dictConfig(
        {
            "version": 1,
            "incremental": False,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": "mozillians_basket.contrib.logs.JSONFormatter"}},
            "handlers": {
                "json": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "stream": stream,
                }
            },
            "loggers": {
                HISTORY: {"handlers": ["json"], "level": "DEBUG"},
                "site": {"handlers": ["json"], "level": "INFO"},
            },
        }
    )
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for name, logger in loggers.items():
        logger.handlers.clear()
        level, logger.propagate = before[name]
        logger.setLevel(level)


def test_events_are_told_with_the_keys_of_their_rows(basket, commit, lines):
    with commit():
        profile = VouchFactory().vouchee

    (told,) = [each for each in lines() if each["message"].startswith("subscribed")]

    event = Event.objects.get(kind="subscribed")
    assert told["message"] == "subscribed mozilla-phone"
    assert told["level"] == "DEBUG"
    assert told["basket"]["id"] == event.pk
    assert told["basket"]["member"] == profile.pk
    assert told["basket"]["contact"] == contact_of(profile).pk
    assert told["basket"]["newsletters"] == ["mozilla-phone"]
    assert told["basket"]["task_id"] == event.task_id


def test_record_that_a_task_writes_names_the_task(lines, eager):
    @shared_task(name="site.greet")
    def greet():
        logging.getLogger("site").info("hello")

    result = greet.delay()

    assert lines()[0]["task"] == {"id": result.id, "name": "site.greet"}


def test_no_line_holds_an_address_or_a_token(basket, vouched, commit, lines):
    contact = Contact.objects.exclude(token="").get()
    with commit():
        vouched.user.email = "moved@example.com"
        vouched.user.save()
        api.opt_out(vouched, ["mozilla-phone"])

    text = json.dumps(lines())

    assert {each["basket"]["kind"] for each in lines()} >= {"moved", "opted_out"}
    assert "@" not in text
    assert contact.token not in text


@pytest.mark.django_db(transaction=True)
def test_event_that_is_rolled_back_is_not_told(lines):
    with transaction.atomic():
        Event.objects.create(kind="subscribed")
        transaction.set_rollback(True)

    Event.objects.create(kind="parked")

    assert [each["message"] for each in lines()] == ["parked"]


def test_events_cost_nothing_where_nobody_wants_them(db, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        Event.objects.create(kind="subscribed")
        Event.objects.bulk_create([Event(kind="parked")])

    assert callbacks == []


def test_other_records_are_told_without_addresses(lines):
    logging.getLogger("site").warning("no answer for %s", "ana@example.com")

    (told,) = lines()

    assert (told["logger"], told["message"]) == ("site", "no answer for ***")
    assert "basket" not in told
    assert "task" not in told


def test_error_is_told_by_its_class_and_place(lines):
    try:
        int("ana@example.com")
    except ValueError:
        logging.getLogger("site").exception("failed")

    (told,) = lines()

    assert told["error"]["class"] == "builtins.ValueError"
    assert told["error"]["file"].endswith("test_logs.py")
    assert "ana@example.com" not in json.dumps(told)
