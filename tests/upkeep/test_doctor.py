"""The doctor reports problems in plain words, without keys and addresses."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Approval, Contact, Status, Subscription
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile
from project.celery import app
from tests.brokers import Commit
from tests.factories import VouchFactory

pytestmark = pytest.mark.django_db

Harm = Callable[[Any, SandboxServer], None]


def doctor(*options: str) -> tuple[Any, str]:
    """Run the command; return its exit code and its output."""
    out = StringIO()
    try:
        call_command("basket_doctor", *options, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def well(basket: SandboxServer) -> SandboxServer:
    """A site without problems."""
    tasks.sweep()
    reconcile.apply()
    Status.objects.update(member_model="people.UserProfile", database="default")
    return basket


def test_sound_site_has_only_good_findings(well: SandboxServer) -> None:
    code, text = doctor()

    assert code == 0
    assert "mozilla-phone is active" in text
    assert "mozillians-nda is active, private" in text
    assert {line.split()[0] for line in text.splitlines()} == {"ok"}


def test_findings_can_be_read_by_machines(well: SandboxServer) -> None:
    code, text = doctor("--json")

    assert code == 0
    assert {"subject": "breaker", "level": "ok", "text": "Closed."} in json.loads(text)


def test_basket_is_not_asked_while_the_switch_is_off(well: SandboxServer) -> None:
    well.clear_requests()

    with override_switch(SWITCH, active=False):
        code, text = doctor()

    assert code == 1
    assert "BASKET_SWITCH_ENABLED is off" in text
    assert well.requests == []


def wrong_key(settings: Any, basket: SandboxServer) -> None:
    settings.BASKET_API_KEY = "wrong-and-secret"


def wrong_path(settings: Any, basket: SandboxServer) -> None:
    settings.BASKET_URL = f"{basket.url}/elsewhere"


def nobody_there(settings: Any, basket: SandboxServer) -> None:
    settings.BASKET_URL = "http://127.0.0.1:1"


def wrong_setting(settings: Any, basket: SandboxServer) -> None:
    settings.BASKET_SITE = "nowhere.at.all"


def unknown_newsletter(settings: Any, basket: SandboxServer) -> None:
    settings.BASKET_NEWSLETTERS = ["not-in-the-catalogue"]


def paused_newsletter(settings: Any, basket: SandboxServer) -> None:
    Status.objects.update(unknown_newsletters={"mozilla-phone": timezone.now().isoformat()})


def no_sweep(settings: Any, basket: SandboxServer) -> None:
    Status.objects.update(swept_at=timezone.now() - timedelta(minutes=5))


def never_a_sweep(settings: Any, basket: SandboxServer) -> None:
    Status.objects.update(swept_at=None)


def breaker_open(settings: Any, basket: SandboxServer) -> None:
    Status.objects.update(opened_at=timezone.now(), reason="unavailable", http_status=500)


def possible_loss(settings: Any, basket: SandboxServer) -> None:
    Approval.objects.create(
        newsletter="mozilla-phone", kind="loss", since=timezone.now(), number=30, total=50
    )


def held_back(settings: Any, basket: SandboxServer) -> None:
    Approval.objects.create(
        newsletter="mozilla-phone", kind="brake", since=timezone.now(), number=90, total=100
    )


def other_member_model(settings: Any, basket: SandboxServer) -> None:
    Status.objects.update(member_model="people.Person")


def other_database(settings: Any, basket: SandboxServer) -> None:
    Status.objects.update(database="newsletters")


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (wrong_key, "BASKET_API_KEY is not accepted"),
        (wrong_path, "BASKET_URL does not lead to Basket's API"),
        (nobody_there, "It cannot be reached"),
        (wrong_setting, "mozillians_basket.E102"),
        (unknown_newsletter, "Basket does not know not-in-the-catalogue"),
        (paused_newsletter, "mozilla-phone is paused"),
        (no_sweep, "no worker, or no beat, runs"),
        (never_a_sweep, "The sweeper has never run"),
        (breaker_open, "only single probes are sent"),
        (possible_loss, "30 of 50 subscriptions to mozilla-phone are missing at Basket"),
        (held_back, "would remove 90 of 100 subscriptions to mozilla-phone"),
        (other_member_model, "made for people.Person"),
        (other_database, "made for newsletters"),
    ],
)
def test_failure_names_what_keeps_changes_from_basket(
    well: SandboxServer, settings: Any, harm: Harm, expected: str
) -> None:
    harm(settings, well)

    code, text = doctor()

    assert code == 2
    assert expected in text
    assert "wrong-and-secret" not in text


def test_worker_with_other_settings_is_named(
    well: SandboxServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BASKET_SUPPRESSION_KEY = "another-and-secret"

    code, text = doctor()
    tasks.sweep()

    assert code == 1
    assert "other settings than this process: BASKET_SUPPRESSION_KEY." in text
    assert "worker that swept last: BASKET_SUPPRESSION_KEY." in caplog.text
    assert "another-and-secret" not in f"{text}{caplog.text}{Status.read().worker_settings}"
    assert doctor()[0] == 0


def test_answered_question_is_no_failure(well: SandboxServer) -> None:
    Approval.objects.create(
        newsletter="mozilla-phone", kind="brake", since=timezone.now(), answer="remove"
    )

    code, _text = doctor()

    assert code == 0


def test_broker_that_is_away_is_a_failure(well: SandboxServer) -> None:
    app.conf.update(broker_write_url="amqp://user:password@127.0.0.1:1//")
    try:
        code, text = doctor()
    finally:
        app.conf.update(broker_write_url=None)

    assert code == 2
    assert "It takes no connection" in text
    assert "password" not in text


def never_reconciled(contact: Contact) -> None:
    Status.objects.update(reconciled_at=None)


def tables_not_noted(contact: Contact) -> None:
    Status.objects.update(member_model="", database="")


def parked(contact: Contact) -> None:
    contact.parked, contact.problem, contact.failing_since = True, "unavailable", timezone.now()


def refused(contact: Contact) -> None:
    Subscription.objects.filter(contact=contact).update(state="refused", error_code="2")


def waiting(contact: Contact) -> None:
    contact.touched_at = timezone.now() - timedelta(hours=3)


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (never_reconciled, "never compared"),
        (tables_not_noted, "run migrate"),
        (parked, "1 of these are parked"),
        (refused, "refuses something to 1 contacts"),
        (waiting, "the oldest was touched 3 hours ago"),
    ],
)
def test_warning_names_what_an_admin_should_look_at(
    well: SandboxServer, commit: Commit, harm: Callable[[Contact], None], expected: str
) -> None:
    with commit():
        vouch = VouchFactory.create()
    contact = Contact.objects.get(members__site_member=vouch.vouchee)
    harm(contact)
    contact.save()

    code, text = doctor()

    assert code == 1
    assert expected in text
    assert vouch.vouchee.user.email not in text
