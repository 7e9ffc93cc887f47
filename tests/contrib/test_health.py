"""The health report, as JSON and through django-health-check."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from waffle.models import Switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Approval, Contact, Status

pytestmark = pytest.mark.urls("tests.contrib.urls")

#: The key of a contact, in no number of a report.
ADDRESS = "ana@example.com"


def overdue():
    """Leave a contact that has been due for an hour."""
    moment = timezone.now() - timedelta(hours=1)
    Contact.objects.create(email=ADDRESS, key=ADDRESS, touched_at=moment)


def breaker_open():
    Status.objects.update(opened_at=timezone.now(), reason="unavailable", http_status=503)


def no_sweep():
    Status.objects.update(swept_at=timezone.now() - timedelta(minutes=10))


def held_back():
    Approval.objects.create(
        newsletter="mozilla-phone", kind="brake", since=timezone.now(), number=90, total=100
    )


@pytest.fixture
def well(basket):
    """A site without problems, whose broker takes connections."""
    tasks.sweep()
    return basket


def report(client):
    answer = client.get("/health/basket/")
    return answer, answer.json()


def test_sound_site_is_ok(client, well):
    well.clear_requests()

    answer, told = report(client)

    assert (answer.status_code, told["status"]) == (200, "ok")
    subjects = {each["subject"] for each in told["findings"]}
    assert {"switch", "breaker", "worker and beat", "broker", "queue"} <= subjects
    assert told["queue"]["due"] == told["queue"]["oldest_seconds"] == 0
    assert "no-cache" in answer.headers["Cache-Control"]
    assert well.requests == []


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (breaker_open, "only single probes are sent"),
        (no_sweep, "no worker, or no beat, runs"),
        (held_back, "would remove 90 of 100 subscriptions"),
    ],
)
def test_failure_is_told_with_status_503(client, well, harm, text):
    harm()

    answer, told = report(client)

    assert (answer.status_code, told["status"]) == (503, "failure")
    assert text in str(told["findings"])


def test_broker_that_is_away_is_a_failure(client, well, settings):
    from project.celery import app

    app.conf.update(broker_write_url="redis://:very-secret@127.0.0.1:1/0")
    try:
        answer, told = report(client)
    finally:
        app.conf.update(broker_write_url=None)

    assert answer.status_code == 503
    assert "It takes no connection" in str(told)
    assert "very-secret" not in str(told)


def test_oldest_due_contact_is_told_by_its_age_alone(client, well):
    overdue()

    answer, told = report(client)

    assert (answer.status_code, told["status"]) == (200, "warning")
    assert told["queue"]["due"] == 1
    assert 3600 <= told["queue"]["oldest_seconds"] < 3700
    assert ADDRESS not in answer.content.decode()


def test_switch_that_is_off_is_a_warning(client, db):
    Status.note("swept_at")

    answer, told = report(client)

    assert (answer.status_code, told["status"]) == (200, "warning")
    assert f"{SWITCH} is off" in str(told)


@contextmanager
def database_away():
    def refuse(execute, sql, params, many, context):
        raise OperationalError("no connection to db.example.org as user very-secret")

    with connection.execute_wrapper(refuse):
        yield


def test_database_that_is_away_is_told(client, well):
    with database_away():
        answer, told = report(client)

    assert (answer.status_code, told["status"], told["queue"]) == (503, "failure", None)
    assert "It does not answer (OperationalError)" in str(told)
    assert "very-secret" not in str(told)


def test_report_is_for_reading(client, db):
    assert client.post("/health/basket/").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_plugin_passes_on_a_sound_site(client, settings):
    Switch.objects.create(name=SWITCH, active=True)
    Status.note("swept_at")

    answer = client.get("/health/?format=json")

    assert (answer.status_code, [*answer.json().values()]) == (200, ["OK"])


@pytest.mark.django_db(transaction=True)
def test_plugin_names_what_keeps_changes_from_basket(client):
    Switch.objects.create(name=SWITCH, active=True)
    Status.note("swept_at")
    breaker_open()

    answer = client.get("/health/?format=json")

    (text,) = answer.json().values()
    assert answer.status_code == 500
    assert text.startswith("Unavailable: breaker: Opened")


@pytest.mark.django_db(transaction=True)
def test_plugin_fails_for_warnings_only_where_they_are_asked_for(client):
    Status.note("swept_at")

    mild, strict = (client.get(f"/{path}/?format=json") for path in ("health", "health/strict"))

    assert mild.status_code == 200
    assert strict.status_code == 500
    assert f"switch: {SWITCH} is off" in strict.content.decode()
