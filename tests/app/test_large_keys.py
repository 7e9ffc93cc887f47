"""Keys stay unformatted on a site that writes numbers with thousand separators."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from mozillians_basket.admin import bulk_requests
from mozillians_basket.models import Approval, BulkItem, BulkRequest, Contact, Decision, Member
from tests.factories import UserProfileFactory

LARGE = 123456


@pytest.fixture(autouse=True)
def _thousands_apart(settings):
    settings.USE_THOUSAND_SEPARATOR = True


def test_problem_is_tried_again_from_its_own_page(switch_on, admin_client):
    contact = Contact.objects.create(
        pk=LARGE, email="fox@example.com", key="fox@example.com", touched_at=timezone.now(),
        parked=True, problem="2", failing_since=timezone.now(),
    )  # fmt: skip
    Member.objects.create(site_member=UserProfileFactory(), contact=contact)
    url = reverse("admin:mozillians_basket_failingcontact_change", args=[LARGE])

    page = admin_client.get(url).content.decode()
    (key,) = re.findall(r'name="_selected_action" value="([^"]*)"', page)
    tried = admin_client.post(
        reverse("admin:mozillians_basket_failingcontact_changelist"),
        {"action": "retry", "_selected_action": key},
        follow=True,
    )

    assert key == str(LARGE)
    assert "1 problem is tried again in the background." in tried.content.decode()
    contact.refresh_from_db()
    assert not contact.parked


def test_script_of_a_request_finds_the_number_of_failures(admin_client, db, monkeypatch):
    monkeypatch.setattr(bulk_requests, "PER_PAGE", 1)
    request = BulkRequest.objects.create(
        pk=LARGE, action="subscribe", state="finished", total=1500, position=1500,
        finished_at=timezone.now(), counts={"failed": 1500},
    )  # fmt: skip
    BulkItem.objects.bulk_create(
        BulkItem(request=request, member_id=number, state="failed", reason="unavailable")
        for number in range(1, 1501)
    )
    url = reverse("admin:mozillians_basket_bulkrequest_change", args=[request.pk])

    page = admin_client.get(url, {"page": 1200}).content.decode()

    assert 'data-basket-live="1500 True 0"' in page
    assert 'href="?list=failed&amp;page=1199#basket-failures"' in page
    assert 'href="?list=failed&amp;page=1201#basket-failures"' in page
    assert ">1,500<" in page


def test_bulk_request_is_named_by_its_key_as_it_is(admin_client, db):
    BulkRequest.objects.create(
        pk=LARGE, action="subscribe", newsletters=["mozilla-phone"], state="running", total=1500
    )

    page = admin_client.get(reverse("admin:mozillians_basket_status_changelist")).content.decode()

    assert f"Bulk request {LARGE}: subscribe, mozilla-phone" in page
    assert "1,500 members" in page


def test_member_who_is_gone_is_named_by_their_key_as_it_is(admin_client, db):
    now = timezone.now()
    Approval.objects.create(
        newsletter="mozilla-phone", kind=Approval.Kind.BRAKE, since=now, number=1500, total=2000
    )
    member = Member.objects.create(site_member_id=LARGE)
    Decision.objects.create(
        member=member, newsletter="mozilla-phone", wanted=True, held_back_at=now
    )

    page = admin_client.get(reverse("admin:mozillians_basket_status_removals")).content.decode()

    assert f"member {LARGE}, gone" in page
    assert "1,500 of 2,000" in page
