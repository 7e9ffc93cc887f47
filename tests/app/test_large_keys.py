"""Keys stay keys where a site writes its numbers with thousands apart."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from mozillians_basket.admin import failures
from mozillians_basket.models import Batch, BatchItem, Contact, Pulse
from tests.factories import UserProfileFactory

LARGE = 123456


@pytest.fixture(autouse=True)
def _thousands_apart(settings):
    settings.USE_THOUSAND_SEPARATOR = True


def test_a_problem_is_tried_again_from_its_own_page(switch_on, admin_client):
    Contact.objects.create(
        pk=LARGE, member=UserProfileFactory(), error="refused", failing_since=timezone.now()
    )
    url = reverse("admin:mozillians_basket_problem_change", args=[LARGE])

    page = admin_client.get(url).content.decode()
    (key,) = re.findall(r'name="_selected_action" value="([^"]*)"', page)
    tried = admin_client.post(
        reverse("admin:mozillians_basket_problem_changelist"),
        {"action": "retry", "_selected_action": key},
        follow=True,
    )

    assert key == str(LARGE)
    assert "1 problem is tried again in the background." in tried.content.decode()


def test_the_script_of_a_request_finds_the_number_of_failures(admin_client, db, monkeypatch):
    monkeypatch.setattr(failures, "PER_PAGE", 1)
    batch = Batch.objects.create(
        pk=LARGE,
        action="subscribe",
        total=1500,
        finished_at=timezone.now(),
        counts={"failed": 1500},
    )
    BatchItem.objects.bulk_create(
        BatchItem(batch=batch, member_id=number, state="failed", reason="unavailable")
        for number in range(1, 1501)
    )
    url = reverse("admin:mozillians_basket_batch_change", args=[batch.pk])

    page = admin_client.get(url, {"page": 1200}).content.decode()

    assert 'data-count="1500"' in page
    assert 'href="?page=1199#basket-failures"' in page
    assert 'href="?page=1201#basket-failures"' in page
    assert ">1,500<" in page


def test_a_batch_is_named_by_its_key_as_it_is(admin_client, db):
    Batch.objects.create(pk=LARGE, action="subscribe", newsletters=["mozilla-phone"], total=1500)
    Pulse.now()

    page = admin_client.get(reverse("admin:mozillians_basket_pulse_changelist")).content.decode()

    assert f"Batch {LARGE}: subscribe, mozilla-phone" in page
    assert "1,500 members" in page
