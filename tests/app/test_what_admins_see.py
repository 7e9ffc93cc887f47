"""No page of the app shows a token or a key, nor an address to who may not view members."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from mozillians_basket.models import Batch, BatchItem, Contact, Event, Pulse
from project.people.models import UserProfile
from tests.app.steps import contact_of
from tests.factories import UserFactory

TOKEN = "0b7f3bb6-9a4c-4f3e-8d8e-2f0a7c1e5d90"
LOCAL_PARTS = (
    "first.address",
    "second.address",
    "third.address",
    "fourth.address",
    "fifth.address",
)


@pytest.fixture
def everything(basket, vouched, admin_user):
    """A member and somebody who left, in all states in which an address or token is stored."""
    first, second, third, fourth, fifth = (f"{name}@example.com" for name in LOCAL_PARTS)
    moment = timezone.now()
    person = {"email": first, "token": TOKEN, "newsletters": ["mozilla-phone"]}
    vouched.user.email = second
    vouched.user.save()
    Contact.objects.filter(member=vouched).update(
        email=first,
        wanted_email=second,
        moving_to=third,
        refused_email=fourth,
        token=TOKEN,
        lookup={"target": second, "current": person, "new": None},
        error="refused",
        error_code=2,
        failing_since=moment,
    )
    left = Contact.objects.create(
        email=fifth, token=TOKEN, departed_at=moment, error="unavailable", failing_since=moment
    )
    batch = Batch.objects.create(
        action=Batch.Action.SUBSCRIBE, newsletters=["mozilla-phone"], actor=admin_user, total=1
    )
    BatchItem.objects.create(
        batch=batch, member=vouched, contact=contact_of(vouched), state="failed", reason="refused"
    )
    for contact in (contact_of(vouched), left):
        Event.objects.create(
            contact=contact, kind=Event.Kind.REFUSED, outcome="refused", batch=batch
        )
    Pulse.now()
    return vouched


def addresses_of_pages():
    """Every address of the app's pages in the admin, with each row's key where there is one."""
    for model, page in admin.site._registry.items():
        if model._meta.app_label != "mozillians_basket" and model is not UserProfile:
            continue
        for pattern in page.get_urls():
            if pattern.name is None or not ("basket" in pattern.name or model is UserProfile):
                continue
            for arguments in ([], *([pk] for pk in model.objects.values_list("pk", flat=True))):
                try:
                    yield reverse(f"admin:{pattern.name}", args=arguments)
                except NoReverseMatch:
                    continue


def walk(client, profile):
    """All that the pages say to this admin, by address: read, asked for, and ordered."""
    said = {}
    for address in sorted(set(addresses_of_pages())):
        response = client.get(address, follow=True)
        assert response.status_code in (200, 403, 404, 405), address
        if response.status_code == 200:
            content = b"".join(response) if response.streaming else response.content
            said[address] = content.decode()
    posts = {
        reverse("admin:people_userprofile_basket_ask", args=[profile.pk]): {},
        reverse("admin:mozillians_basket_problem_changelist"): {
            "action": "dismiss",
            "_selected_action": [contact_of(profile).pk],
        },
        reverse("admin:people_userprofile_changelist"): {
            "action": "subscribe_user_to_basket",
            "_selected_action": [profile.pk],
        },
    }
    for address, fields in posts.items():
        response = client.post(address, fields, follow=True)
        if response.status_code == 200:
            said[f"POST {address}"] = response.content.decode()
    return said


def test_who_may_do_everything_sees_addresses_but_no_token_and_no_key(
    everything, basket, admin_client
):
    basket.put_person("first.address@example.com", newsletters=["mozilla-phone"])
    at_basket = basket.person("first.address@example.com").token

    said = walk(admin_client, everything)

    assert len(said) >= 15
    panel = said[reverse("admin:people_userprofile_change", args=[everything.pk])]
    assert "first.address@example.com" in panel
    for address, page in said.items():
        for secret in (TOKEN, at_basket, basket.api_key):
            assert secret not in page, address


def test_who_may_only_view_the_app_s_pages_sees_no_address(everything, basket, client):
    user = UserFactory(is_staff=True)
    permissions = Permission.objects.filter(
        content_type__app_label="mozillians_basket", codename__startswith="view_"
    )
    user.user_permissions.set(permissions)
    client.force_login(user)

    said = walk(client, everything)

    assert len(said) >= 8
    listed = said[reverse("admin:mozillians_basket_problem_changelist")]
    assert "s***s@e***.com" in listed
    assert "f***s@e***.com" in listed
    for address, page in said.items():
        for secret in (*LOCAL_PARTS, TOKEN, basket.api_key):
            assert secret not in page, address
