"""The doctor says what is wrong in plain words, without keys and addresses."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import reconcile, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact, Pulse
from project.celery import app
from tests.factories import VouchFactory


def doctor(*options):
    """Run the command; return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command("basket_doctor", *options, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def well(basket):
    """A site on which all is well."""
    tasks.sweep()
    reconcile.apply()
    return basket


def test_a_site_on_which_all_is_well(well):
    code, text = doctor()

    assert code == 0
    assert "mozilla-phone is active" in text
    assert "mozillians-nda is active, private" in text
    assert {line.split()[0] for line in text.splitlines()} == {"ok"}


def test_json_for_machines(well):
    code, text = doctor("--json")

    assert code == 0
    assert {"subject": "breaker", "level": "ok", "text": "Closed."} in json.loads(text)


def test_with_the_switch_off_basket_is_not_asked(well):
    well.clear_requests()

    with override_switch(SWITCH, active=False):
        code, text = doctor()

    assert code == 1
    assert "BASKET_SWITCH_ENABLED is off" in text
    assert well.requests == []


def wrong_key(settings, basket):
    settings.BASKET_API_KEY = "wrong-and-secret"


def wrong_path(settings, basket):
    settings.BASKET_URL = f"{basket.url}/elsewhere"


def nobody_there(settings, basket):
    settings.BASKET_URL = "http://127.0.0.1:1"


def wrong_setting(settings, basket):
    settings.BASKET_SITE = "nowhere.at.all"


def unknown_newsletter(settings, basket):
    settings.BASKET_NEWSLETTERS = ["not-in-the-catalogue"]


def no_sweep(settings, basket):
    Pulse.objects.update(swept_at=timezone.now() - timedelta(minutes=5))


def breaker_open(settings, basket):
    Pulse.objects.update(opened_at=timezone.now(), reason="unavailable", status=500)


def losing(settings, basket):
    Pulse.objects.update(losing_since=timezone.now())


def braked(settings, basket):
    Pulse.objects.update(brakes={"mozilla-phone": {"removals": 90, "of": 100}})


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (wrong_key, "BASKET_API_KEY is not accepted"),
        (wrong_path, "BASKET_URL does not lead to Basket's API"),
        (nobody_there, "It cannot be reached"),
        (wrong_setting, "mozillians_basket.E003"),
        (unknown_newsletter, "Basket does not know not-in-the-catalogue"),
        (no_sweep, "no worker, or no beat, runs"),
        (breaker_open, "only single probes are sent"),
        (losing, "gone at Basket"),
        (braked, "would remove 90 of 100"),
    ],
)
def test_what_keeps_changes_from_basket_is_a_failure(well, settings, harm, expected):
    harm(settings, well)

    code, text = doctor()

    assert code == 2
    assert expected in text
    assert "wrong-and-secret" not in text


def test_a_broker_that_is_away_is_a_failure(well):
    broker = app.conf.broker_url
    app.conf.broker_url = "amqp://user:password@127.0.0.1:1//"
    try:
        code, text = doctor()
    finally:
        app.conf.broker_url = broker

    assert code == 2
    assert "It takes no connection" in text
    assert "password" not in text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"parked_at": timezone.now(), "error": "unavailable"}, "1 of all are parked"),
        ({"error": "refused"}, "refuses something to 1 contacts"),
        (
            {"settled_at": None, "touched_at": timezone.now() - timedelta(hours=3)},
            "the oldest waits since 3 hours ago",
        ),
    ],
)
def test_what_somebody_should_look_at_is_a_warning(well, commit, values, expected):
    with commit():
        vouch = VouchFactory()
    Contact.objects.filter(member=vouch.vouchee).update(**values)

    code, text = doctor()

    assert code == 1
    assert expected in text
    assert vouch.vouchee.user.email not in text
