"""The emergency stop in the admin."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone
from waffle.models import Switch

from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact

STOP = reverse("admin:mozillians_basket_status_stop")
YES = {"turn": "off", "reason": "wrong import, ask admin@example.com", "confirm": "on"}


def page(client, data=None):
    response = client.get(STOP) if data is None else client.post(STOP, data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_everything_is_stopped_with_a_reason_and_turned_on_again(basket, admin_client, admin_user):
    assert "changes are sent to Basket" in page(admin_client)

    stopped = page(admin_client, YES)
    was_on = switch_is_on()
    started = page(admin_client, {"turn": "on"})

    assert not was_on
    assert "nothing is sent to Basket" in stopped
    assert f"by {admin_user.get_username()}. Turned off: wrong import, ask ***" in stopped
    assert "Turned on." in started
    assert switch_is_on()
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Turned off: wrong import, ask ***",
        "Turned on.",
    ]


@pytest.mark.parametrize("missing", ["reason", "confirm"])
def test_nothing_is_stopped_without_reason_and_confirmation(basket, admin_client, missing):
    html = page(admin_client, {**YES, missing: ""})

    assert "This field is required." in html
    assert Switch.objects.get(name=SWITCH).active


def test_it_says_what_would_wait(basket, admin_client):
    Contact.objects.create(email="a@example.com", key="a@example.com", touched_at=timezone.now())

    html = page(admin_client)

    assert "Work that would wait" in html
    assert '?queue=due">1</a>' in html


def test_switch_that_a_command_has_turned_names_nobody(basket, admin_client):
    Switch.objects.filter(name=SWITCH).update(active=True, modified=timezone.now())

    assert "not in the admin" in page(admin_client)


def test_switch_that_was_never_made_is_made(admin_client, transactional_db):
    assert not Switch.objects.exists()

    page(admin_client, {"turn": "on"})

    assert Switch.objects.get(name=SWITCH).active
    assert switch_is_on()


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.django_db(transaction=True)
def test_switch_is_turned_by_its_row_whatever_waffles_cache_says(basket, admin_client, active):
    Switch.objects.update(active=not active)
    Switch.objects.get(name=SWITCH).flush()
    assert switch_is_on() != active
    Switch.objects.update(active=active)

    page(admin_client, YES if active else {"turn": "on"})

    assert Switch.objects.get(name=SWITCH).active != active


def test_admin_who_may_only_look_cannot_turn_it(basket, staff):
    client = staff("view_status")

    assert "You may not turn the switch" in page(client)
    assert client.post(STOP, YES).status_code == 403
    assert staff("view_event").get(STOP).status_code == 403
    assert Switch.objects.get(name=SWITCH).active


@pytest.mark.parametrize("permission", ["manage_basket", "change_switch"])
def test_admin_who_may_stop_everything_has_the_button(basket, staff, permission):
    assert "Stop everything" in page(staff("view_status", permission))
