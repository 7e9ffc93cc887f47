"""Data stored about a member: the page, its export, and the effect of a deletion."""

import json

import pytest
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact, Event
from tests.app.all_pages import TOKEN
from tests.app.steps import contact_of, settle_everything
from tests.factories import UserProfileFactory


def data_url(profile):
    return reverse("admin:people_userprofile_basket_data", args=[profile.pk])


def test_everything_that_is_stored_is_shown_but_no_token(vouched, admin_client):
    Contact.objects.update(token=TOKEN, attempts=18, optin=False)
    Event.objects.create(member=vouched, kind=Event.Kind.PARKED, note="a note about them")

    page = admin_client.get(data_url(vouched)).content.decode()

    assert contact_of(vouched).email in page
    assert "a note about them" in page
    for table in ("Decisions", "Addresses", "Newsletters at Basket", "History", "Bulk requests"):
        assert f">{table}</h2>" in page
    assert "stored, but secret" in page
    assert '<th scope="col">failures in a row</th>' in page
    for value in (vouched.pk, 18, "yes", "no", "-", "subscribed", "mozilla-phone"):
        assert f"<td>{value}</td>" in page
    assert TOKEN not in page


def test_it_is_downloaded_without_tokens_and_the_log_keeps_that(vouched, admin_client):
    Contact.objects.update(token=TOKEN)

    answer = admin_client.get(data_url(vouched), {"format": "json"})

    stored = json.loads(answer.content)
    assert stored["contacts"][0]["email"] == vouched.user.email
    assert [row["newsletter"] for row in stored["subscriptions"]] == ["mozilla-phone"]
    assert TOKEN not in answer.content.decode()
    log = admin_client.get(reverse("admin:people_userprofile_history", args=[vouched.pk]))
    assert "Exported everything that is stored about them." in log.content.decode()


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (["view_userprofile", "export_addresses"], 200),
        (["view_userprofile"], 403),
        (["export_addresses"], 403),
    ],
)
def test_it_takes_a_permission_of_its_own(vouched, client_with, permissions, status):
    client = client_with(*permissions)

    assert client.get(data_url(vouched)).status_code == status
    if "view_userprofile" in permissions:
        own_page = reverse("admin:people_userprofile_basket", args=[vouched.pk])
        assert (data_url(vouched) in client.get(own_page).content.decode()) == (status == 200)


def test_question_before_a_deletion_says_what_becomes_of_the_newsletters(vouched, admin_client):
    other, looked_up = UserProfileFactory.create_batch(2)
    settle_everything()
    Contact.objects.filter(members__site_member=looked_up).update(looked_up_at=timezone.now())

    having = admin_client.get(reverse("admin:people_userprofile_delete", args=[vouched.pk]))
    unknown = admin_client.get(reverse("admin:people_userprofile_delete", args=[other.pk]))
    without = admin_client.get(reverse("admin:people_userprofile_delete", args=[looked_up.pk]))
    many = admin_client.post(
        reverse("admin:people_userprofile_changelist"),
        {"action": "delete_selected", "_selected_action": [vouched.pk, other.pk]},
    )

    assert "Basket has mozilla-phone for them. If you delete them" in having.content.decode()
    assert "It is not known yet what Basket has for them" in unknown.content.decode()
    assert "Basket has none of this site&#x27;s newsletters" in without.content.decode()
    assert "If members are deleted, they are unsubscribed" in many.content.decode()


def test_question_before_a_user_is_deleted_says_what_becomes_of_the_newsletters(
    vouched, admin_client
):
    one = admin_client.get(reverse("admin:auth_user_delete", args=[vouched.user.pk]))
    many = admin_client.post(
        reverse("admin:auth_user_changelist"),
        {"action": "delete_selected", "_selected_action": [vouched.user.pk]},
    )

    for page in (one, many):
        assert "If members are deleted, they are unsubscribed" in page.content.decode()


def test_question_before_a_deletion_says_what_keeps_them_subscribed(vouched, admin_client):
    with override_switch(SWITCH, active=False):
        page = admin_client.get(reverse("admin:people_userprofile_delete", args=[vouched.pk]))

    assert "a brake holds that back until an admin approves it" in page.content.decode()
    assert "The switch BASKET_SWITCH_ENABLED is off" in page.content.decode()


def test_django_s_history_of_a_member_leads_to_that_of_the_newsletters(vouched, admin_client):
    page = admin_client.get(reverse("admin:people_userprofile_history", args=[vouched.pk]))

    assert f'href="/admin/mozillians_basket/event/?q={vouched.pk}"' in page.content.decode()
