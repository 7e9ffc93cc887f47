"""The orders behind the buttons on a member's page."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Decision, Event, Member, Subscription
from mozillians_basket.rules.rows import DecidedBy
from tests.app.steps import contact_of, held
from tests.factories import UserFactory, UserProfileFactory


@pytest.fixture
def order(admin_client, commit):
    """Press a button on a member's page; return the page that follows."""

    def pressed(profile, what, **fields):
        url = reverse("admin:people_userprofile_basket", args=[profile.pk])
        with commit():
            response = admin_client.post(url, {"order": what, **fields}, follow=True)
        assert response.status_code == 200
        return response.content.decode()

    return pressed


def test_a_member_is_subscribed_policy_or_not(basket, order, admin_user):
    profile = UserProfileFactory()

    page = order(profile, "subscribe", newsletters="mozillians-nda")

    assert "They are being subscribed to mozillians-nda." in page
    assert held(basket, profile.user.email) == {profile.user.email: {"mozillians-nda"}}
    assert Decision.objects.get().decided_by == DecidedBy.ADMIN
    event = Event.objects.get(kind=Event.Kind.DECIDED)
    assert (event.actor, event.newsletters) == (admin_user, ["mozillians-nda"])
    log = LogEntry.objects.get()
    assert (log.user, log.get_edited_object()) == (admin_user, profile)
    assert "mozillians-nda" in log.get_change_message()


def test_a_member_is_unsubscribed_policy_or_not(basket, vouched, order):
    order(vouched, "unsubscribe", newsletters="mozilla-phone")

    assert held(basket, vouched.user.email) == {vouched.user.email: set()}
    assert "an admin unsubscribed them." in order(vouched, "sync")


def test_opted_out_member_is_subscribed_only_with_the_tick(basket, vouched, order):
    basket.put_person(vouched.user.email, newsletters=[])
    order(vouched, "sync")
    tasks.sweep()

    without = order(vouched, "subscribe", newsletters="mozilla-phone")
    kept = held(basket, vouched.user.email)
    ticked = order(vouched, "subscribe", newsletters="mozilla-phone", despite_opt_out="on")

    assert "Nothing was done: they opted out themselves." in without
    assert kept == {vouched.user.email: set()}
    assert "mozilla-phone, although they opted out." in ticked
    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozilla-phone"}}
    assert LogEntry.objects.count() == 2


def test_sync_now_finds_a_change_that_no_signal_saw(basket, order):
    profile = UserProfileFactory()
    type(profile).objects.filter(pk=profile.pk).update(is_vouched=True)

    page = order(profile, "sync")

    assert "Basket is being asked about them" in page
    assert held(basket, profile.user.email) == {profile.user.email: {"mozilla-phone"}}
    assert Event.objects.filter(kind=Event.Kind.RETRIED).count() == 1
    assert LogEntry.objects.count() == 1


def test_sync_now_ends_a_wait(basket, vouched, order, commit):
    fault = basket.fail("lookup", status=503)
    with commit():
        vouched.vouches_received.all().delete()
    waiting = contact_of(vouched).not_before
    basket.heal(fault)

    order(vouched, "sync")

    assert waiting is not None
    assert contact_of(vouched).problem == ""
    assert held(basket, vouched.user.email) == {vouched.user.email: set()}


@pytest.mark.parametrize("what", ["subscribe", "unsubscribe", "sync"])
def test_with_the_switch_off_a_button_says_so_and_does_nothing(basket, vouched, order, what):
    before, rows = contact_of(vouched).touched_at, list(Subscription.objects.values())

    with override_switch(SWITCH, active=False):
        page = order(vouched, what, newsletters="mozilla-phone")

    assert "Nothing was done: the switch BASKET_SWITCH_ENABLED is off." in page
    assert contact_of(vouched).touched_at == before
    assert list(Subscription.objects.values()) == rows
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(
            {"order": "subscribe", "newsletters": "about-mozilla"},
            "none of this site&#x27;s newsletters",
            id="a newsletter of somebody else",
        ),
        pytest.param({"order": "subscribe"}, "none of this site&#x27;s", id="no newsletter"),
        pytest.param({"order": "erase"}, "nothing that can be ordered", id="an unknown order"),
        pytest.param({}, "nothing that can be ordered", id="no order"),
    ],
)
def test_a_forged_order_does_nothing(basket, vouched, admin_client, fields, told):
    url = reverse("admin:people_userprofile_basket", args=[vouched.pk])
    before = contact_of(vouched).touched_at

    page = admin_client.post(url, fields, follow=True).content.decode()

    assert told in page
    assert contact_of(vouched).touched_at == before


def test_a_member_without_an_address_cannot_be_subscribed(basket, order):
    page = order(UserProfileFactory(user__email=""), "subscribe", newsletters="mozilla-phone")

    assert "Nothing was done: they have no e-mail address." in page
    assert not Decision.objects.exists()


@pytest.mark.parametrize("name", ["basket", "basket_ask"])
def test_without_the_permission_a_forged_post_gets_403(basket, vouched, client, name):
    staff = UserFactory(is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(codename__in=["view_userprofile", "change_userprofile"])
    )
    client.force_login(staff)
    basket.clear_requests()

    response = client.post(
        reverse(f"admin:people_userprofile_{name}", args=[vouched.pk]), {"order": "sync"}
    )

    assert response.status_code == 403
    assert not Event.objects.filter(kind=Event.Kind.RETRIED).exists()
    assert basket.requests == []


def test_an_order_without_a_csrf_token_gets_403(basket, vouched, admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    for name in ("basket", "basket_ask"):
        url = reverse(f"admin:people_userprofile_{name}", args=[vouched.pk])
        assert client.post(url, {"order": "sync"}).status_code == 403


def test_order_leads_back_to_the_page_of_its_button(basket, vouched, admin_client):
    url = reverse("admin:people_userprofile_basket", args=[vouched.pk])
    change = reverse("admin:people_userprofile_change", args=[vouched.pk])

    from_form = admin_client.post(url, {"order": "sync"})
    from_page = admin_client.post(url, {"order": "sync", "on_own_page": "1"})

    assert from_form.headers["Location"] == f"{change}#basket"
    assert from_page.headers["Location"] == url


def test_newsletter_wanted_by_another_member_at_the_address_is_kept(basket, vouched, order, commit):
    other = UserProfileFactory(user__email=vouched.user.email)
    order(other, "subscribe", newsletters="mozilla-phone")

    order(other, "unsubscribe", newsletters="mozilla-phone")

    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozilla-phone"}}
    assert Member.objects.filter(contact=contact_of(vouched)).count() == 2


def test_an_order_that_an_opt_out_refused_leaves_nothing_behind(basket, vouched, order):
    basket.put_person(vouched.user.email, newsletters=[])
    order(vouched, "sync")
    tasks.sweep()
    before = list(Decision.objects.order_by("pk").values())

    order(vouched, "subscribe", newsletters="mozilla-phone")

    assert list(Decision.objects.order_by("pk").values()) == before


def test_a_change_that_no_worker_saw_yet_is_older_than_the_order(basket, vouched, order):
    vouched.vouches_received.all().delete()  # nothing is committed, so no message is sent

    order(vouched, "subscribe", newsletters="mozilla-phone")

    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozilla-phone"}}
