"""The bulk actions on the member list, through the admin's own pages."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Batch, BatchItem
from tests.factories import (
    GroupFactory,
    MembershipFactory,
    UserFactory,
    UserProfileFactory,
    VouchFactory,
)

CHANGELIST = reverse("admin:people_userprofile_changelist")


def post(client, action, profiles, **fields):
    return client.post(
        CHANGELIST,
        {"action": action, "_selected_action": [profile.pk for profile in profiles], **fields},
        follow=True,
    )


def subscribe(client, profiles, **fields):
    fields = {"newsletters": ["mozilla-phone"], "basket_confirm": "1", **fields}
    return post(client, "subscribe_user_to_basket", profiles, **fields)


def unsubscribe(client, profiles, **fields):
    fields = {"newsletters": ["mozilla-phone"], "basket_confirm": "1", **fields}
    return post(client, "unsubscribe_from_basket_task", profiles, **fields)


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


def test_the_action_asks_which_newsletters_first(basket, admin_client):
    profiles = UserProfileFactory.create_batch(2)

    page = post(admin_client, "subscribe_user_to_basket", profiles)

    text = page.content.decode()
    assert "2 members are selected." in text
    assert "mozilla-phone" in text
    assert "mozillians-nda" in text
    assert not Batch.objects.exists()


def test_selected_members_are_subscribed_policy_or_not(basket, admin_client, admin_user, commit):
    profiles = UserProfileFactory.create_batch(3)

    with commit():
        page = subscribe(admin_client, profiles)

    assert "3 members are being worked on" in page.content.decode()
    assert {email: set(person.newsletters) for email, person in basket.people.items()} == {
        profile.user.email: {"mozilla-phone"} for profile in profiles
    }
    batch = Batch.objects.get()
    assert (batch.actor, batch.total) == (admin_user, 3)
    assert set(batch.items.values_list("state", flat=True)) == {BatchItem.State.DONE}


def test_selected_members_are_unsubscribed_policy_or_not(basket, admin_client, commit):
    with commit():
        profile = VouchFactory().vouchee

    with commit():
        unsubscribe(admin_client, [profile])

    assert basket.person(profile.user.email).newsletters == frozenset()
    assert BatchItem.objects.get().state == BatchItem.State.DONE


def test_choosing_no_newsletter_asks_again(basket, admin_client):
    page = subscribe(admin_client, [UserProfileFactory()], newsletters=[])

    assert "Choose at least one newsletter." in page.content.decode()
    assert not Batch.objects.exists()


def test_a_newsletter_that_is_not_ours_cannot_be_forged(basket, admin_client):
    subscribe(admin_client, [UserProfileFactory()], newsletters=["about-mozilla"])

    assert not Batch.objects.exists()


def test_who_opted_out_is_left_out_unless_the_admin_says_so(basket, admin_client, commit):
    with commit():
        profile = VouchFactory().vouchee
    basket.put_person(profile.user.email, newsletters=[])
    with commit():
        subscribe(admin_client, [profile])
    after_first = basket.person(profile.user.email).newsletters

    with commit():
        subscribe(admin_client, [profile])
    with commit():
        subscribe(admin_client, [profile], despite_opt_out="on")

    assert after_first == frozenset()
    states = BatchItem.objects.order_by("pk").values_list("state", "reason")
    assert list(states) == [("skipped", "opted out"), ("skipped", "opted out"), ("done", "")]
    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}


def test_a_refusal_by_basket_is_shown_on_the_item(basket, admin_client, commit):
    profile = UserProfileFactory(user__email="member@example.invalid")

    with commit():
        subscribe(admin_client, [profile])

    item = BatchItem.objects.get()
    assert (item.state, item.reason) == (BatchItem.State.FAILED, "refused by Basket")


def test_a_member_without_an_address_is_skipped(basket, admin_client, commit):
    profile = UserProfileFactory(user__email="")

    with commit():
        subscribe(admin_client, [profile])

    item = BatchItem.objects.get()
    assert (item.state, item.reason) == (BatchItem.State.SKIPPED, "no address")
    assert basket.requests == []


def test_with_the_switch_off_the_action_says_so_and_does_nothing(basket, admin_client):
    with override_switch(SWITCH, active=False):
        page = subscribe(admin_client, [UserProfileFactory()])

    assert "BASKET_SWITCH_ENABLED is off" in page.content.decode()
    assert not Batch.objects.exists()


def test_a_request_whose_message_was_lost_is_found_by_the_sweeper(basket, admin_client):
    profile = UserProfileFactory()
    subscribe(admin_client, [profile])  # nothing is committed, so no message is sent

    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}


def test_everything_across_pages_can_be_selected(basket, admin_client, commit):
    profiles = UserProfileFactory.create_batch(4)

    with commit():
        subscribe(admin_client, profiles[:1], select_across="1")

    assert set(basket.people) == {profile.user.email for profile in profiles}


@pytest.fixture
def staff_client(client, db):
    """An admin who may see and change members, but not their newsletters."""
    user = UserFactory(is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_userprofile", "change_userprofile"])
    )
    client.force_login(user)
    client.user = user
    return client


def test_without_the_permission_the_actions_are_not_offered_and_do_nothing(basket, staff_client):
    profile = UserProfileFactory()

    page = staff_client.get(CHANGELIST)
    subscribe(staff_client, [profile])

    assert "subscribe_user_to_basket" not in page.content.decode()
    assert not Batch.objects.exists()


def test_the_permission_offers_the_actions(basket, staff_client):
    UserProfileFactory()
    staff_client.user.user_permissions.add(Permission.objects.get(codename="sync_members"))

    page = staff_client.get(CHANGELIST)

    assert 'value="subscribe_user_to_basket"' in page.content.decode()
    assert 'value="unsubscribe_from_basket_task"' in page.content.decode()


@pytest.mark.parametrize("model", ["contact", "event", "batch", "pulse"])
def test_the_ledger_can_be_read_but_not_written(basket, admin_client, commit, model):
    with commit():
        profile = VouchFactory().vouchee
    with commit():
        subscribe(admin_client, [profile])

    page = admin_client.get(reverse(f"admin:mozillians_basket_{model}_changelist"))
    add = admin_client.get(reverse(f"admin:mozillians_basket_{model}_add"))

    assert page.status_code == 200
    assert add.status_code == 403
    assert profile.user.email not in page.content.decode()


def test_a_contact_s_page_shows_no_address_and_no_token(basket, admin_client, commit):
    with commit():
        profile = VouchFactory().vouchee
    contact = profile.basket_contact

    page = admin_client.get(reverse("admin:mozillians_basket_contact_change", args=[contact.pk]))

    assert "mozilla-phone" in page.content.decode()
    assert profile.user.email not in page.content.decode()


def nda_member(commit):
    with commit():
        return MembershipFactory(group=GroupFactory(slug="nda"))


def test_a_policy_s_newer_decision_beats_an_older_bulk_request(basket, admin_client, commit):
    membership = nda_member(commit)
    subscribe(admin_client, [membership.profile], newsletters=["mozillians-nda"])
    membership.delete()

    tasks.sweep()

    assert basket.person(membership.profile.user.email).newsletters == frozenset()
    assert BatchItem.objects.get().reason == "a newer decision came first"


def test_a_newer_bulk_request_beats_a_policy_s_older_decision(basket, admin_client, commit):
    membership = nda_member(commit)
    membership.delete()
    subscribe(admin_client, [membership.profile], newsletters=["mozillians-nda"])

    tasks.sweep()

    assert basket.person(membership.profile.user.email).newsletters == {"mozillians-nda"}
    assert BatchItem.objects.get().state == BatchItem.State.DONE
