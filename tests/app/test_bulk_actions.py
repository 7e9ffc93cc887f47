"""The bulk actions on the member list, from the list to Basket."""

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.urls import reverse
from waffle.testutils import override_switch

from mozillians_basket import bulk, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import BulkItem, BulkRequest, Decision, Event
from tests.app.bulk import UNSUBSCRIBE, confirm, order, order_all, select, staff, text_of, url_of
from tests.app.steps import contact_of, settle_everything
from tests.factories import (
    GroupFactory,
    MembershipFactory,
    UserProfileFactory,
    VouchFactory,
)


def states():
    return list(BulkItem.objects.order_by("pk").values_list("state", "reason"))


def test_the_action_leads_to_a_page_of_its_own_and_changes_nothing(basket, admin_client):
    profiles = UserProfileFactory.create_batch(2)

    answer = select(admin_client, profiles)

    bulk_request = BulkRequest.objects.get()
    assert (answer.status_code, answer.url) == (302, url_of("confirm", bulk_request))
    assert (bulk_request.state, bulk_request.total) == (BulkRequest.State.DRAFT, 2)
    assert not BulkItem.objects.exists()


def test_selected_members_are_subscribed_policy_or_not(basket, admin_client, admin_user, commit):
    profiles = UserProfileFactory.create_batch(3)

    with commit():
        page = order(admin_client, profiles)
    tasks.sweep()

    bulk_request = BulkRequest.objects.get()
    assert page.redirect_chain[-1][0] == url_of("change", bulk_request)
    assert {email: set(person.newsletters) for email, person in basket.people.items()} == {
        profile.user.email: {"mozilla-phone"} for profile in profiles
    }
    assert (bulk_request.actor, bulk_request.total, bulk_request.state) == (
        admin_user,
        3,
        BulkRequest.State.FINISHED,
    )
    assert bulk_request.counts == {"done": 3}


def test_selected_members_are_unsubscribed_policy_or_not(basket, admin_client, vouched, commit):
    with commit():
        order(admin_client, [vouched], UNSUBSCRIBE)
    settle_everything()

    assert basket.person(vouched.user.email).newsletters == frozenset()
    assert BulkItem.objects.get().state == BulkItem.State.DONE


def test_an_order_is_in_the_admin_s_log_and_in_the_history(basket, admin_client, admin_user):
    order(admin_client, UserProfileFactory.create_batch(2), despite_opt_out="on")

    bulk_request = BulkRequest.objects.get()
    entry = LogEntry.objects.get()
    event = Event.objects.get(kind=Event.Kind.ORDERED)
    assert (entry.user, entry.action_flag, entry.object_id) == (
        admin_user,
        ADDITION,
        str(bulk_request.pk),
    )
    assert entry.change_message == (
        "Ordered: subscribe 2 members to mozilla-phone, also those who opted out themselves."
    )
    assert (event.bulk_request, event.actor, event.outcome) == (
        bulk_request,
        admin_user,
        "subscribe",
    )
    assert event.newsletters == ["mozilla-phone"]


def test_an_order_that_is_confirmed_twice_is_ordered_once(basket, admin_client):
    order(admin_client, [UserProfileFactory()])

    page = confirm(admin_client, ["mozillians-nda"])

    bulk_request = BulkRequest.objects.get()
    assert page.redirect_chain[-1][0] == url_of("change", bulk_request)
    assert bulk_request.newsletters == ["mozilla-phone"]
    assert Event.objects.filter(kind=Event.Kind.ORDERED).count() == 1


def test_choosing_no_newsletter_asks_again(basket, admin_client):
    page = order(admin_client, [UserProfileFactory()], newsletters=[])

    assert "Choose at least one newsletter." in text_of(page)
    assert BulkRequest.objects.get().state == BulkRequest.State.DRAFT


def test_a_newsletter_that_is_not_ours_cannot_be_forged(basket, admin_client):
    order(admin_client, [UserProfileFactory()], newsletters=["about-mozilla"])

    assert BulkRequest.objects.get().state == BulkRequest.State.DRAFT


def test_opted_out_member_is_skipped_without_the_tick(basket, admin_client, vouched, commit):
    basket.put_person(vouched.user.email, newsletters=[])
    with commit():
        order(admin_client, [vouched])
    after_first = basket.person(vouched.user.email).newsletters

    with commit():
        order(admin_client, [vouched])
    with commit():
        order(admin_client, [vouched], despite_opt_out="on")

    assert after_first == frozenset()
    assert states() == [("skipped", "opted out"), ("skipped", "opted out"), ("done", "")]
    assert basket.person(vouched.user.email).newsletters == {"mozilla-phone"}


def test_a_refusal_by_basket_is_shown_on_the_item(basket, admin_client, commit):
    profile = UserProfileFactory(user__email="member@example.invalid")

    with commit():
        order(admin_client, [profile])

    item = BulkItem.objects.get()
    assert (item.state, item.reason) == ("failed", "2")
    assert item.finished_at is not None


def test_a_member_without_an_address_is_skipped(basket, admin_client, commit):
    profile = UserProfileFactory(user__email="")

    with commit():
        order(admin_client, [profile])

    assert states() == [("skipped", "no address")]
    assert not [request for request in basket.requests if "lookup" in request.path]


def test_a_member_who_is_deleted_after_the_order_is_skipped(basket, admin_client):
    profile = UserProfileFactory()
    order(admin_client, [profile])
    bulk.advance()
    profile.delete()

    tasks.sweep()

    assert states() == [("skipped", "no such member")]
    assert BulkRequest.objects.get().state == BulkRequest.State.FINISHED


def test_with_the_switch_off_the_action_says_so_and_does_nothing(basket, admin_client):
    with override_switch(SWITCH, active=False):
        page = select(admin_client, [UserProfileFactory()], follow=True)

    assert "BASKET_SWITCH_ENABLED is off" in text_of(page)
    assert not BulkRequest.objects.exists()


def test_a_switch_that_is_turned_off_before_the_confirmation_leaves_a_draft(basket, admin_client):
    select(admin_client, [UserProfileFactory()])

    with override_switch(SWITCH, active=False):
        page = confirm(admin_client)

    assert "Nothing was done: the switch BASKET_SWITCH_ENABLED is off." in text_of(page)
    assert BulkRequest.objects.get().state == BulkRequest.State.DRAFT
    assert not Event.objects.exists()


def test_a_request_whose_message_was_lost_is_found_by_the_sweeper(basket, admin_client):
    profile = UserProfileFactory()
    order(admin_client, [profile])  # nothing is committed, so no message is sent

    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}


def test_everything_across_pages_can_be_selected(basket, admin_client, commit):
    profiles = UserProfileFactory.create_batch(4)

    with commit():
        order_all(admin_client, profiles[:1])

    assert set(basket.people) == {profile.user.email for profile in profiles}


@pytest.mark.parametrize("model", ["contact", "event", "bulkrequest", "status"])
def test_the_ledger_can_be_read_but_not_written(basket, admin_client, commit, model):
    with commit():
        profile = VouchFactory().vouchee
    with commit():
        order(admin_client, [profile])

    page = admin_client.get(reverse(f"admin:mozillians_basket_{model}_changelist"))
    add = admin_client.get(reverse(f"admin:mozillians_basket_{model}_add"))

    assert page.status_code == 200
    assert add.status_code == 403
    assert profile.user.email not in page.content.decode()


def test_a_contact_s_page_shows_no_address_and_no_token(basket, vouched):
    contact = contact_of(vouched)
    url = reverse("admin:mozillians_basket_contact_change", args=[contact.pk])

    page = staff("view_contact").get(url).content.decode()

    assert "mozilla-phone" in page
    assert vouched.user.email not in page
    assert contact.token not in page


def nda_member(commit):
    with commit():
        return MembershipFactory(group=GroupFactory(slug="nda"))


def test_a_policy_s_newer_decision_beats_an_older_bulk_request(basket, admin_client, commit):
    membership = nda_member(commit)
    order(admin_client, [membership.profile], newsletters=["mozillians-nda"])
    membership.delete()

    tasks.sweep()

    assert basket.person(membership.profile.user.email).newsletters == frozenset()
    assert BulkItem.objects.get().reason == "superseded"


def test_a_newer_bulk_request_beats_a_policy_s_older_decision(basket, admin_client, commit):
    membership = nda_member(commit)
    membership.delete()
    order(admin_client, [membership.profile], newsletters=["mozillians-nda"])

    tasks.sweep()

    assert basket.person(membership.profile.user.email).newsletters == {"mozillians-nda"}
    assert BulkItem.objects.get().state == BulkItem.State.DONE


def test_change_between_selection_and_confirmation_does_not_supersede_the_order(
    basket, admin_client, commit
):
    membership = nda_member(commit)
    select(admin_client, [membership.profile])
    membership.delete()
    confirm(admin_client, ["mozillians-nda"])

    tasks.sweep()

    assert basket.person(membership.profile.user.email).newsletters == {"mozillians-nda"}


def test_of_two_orders_the_later_one_counts_though_both_are_worked_off_late(basket, admin_client):
    profile = UserProfileFactory()
    order(admin_client, [profile])
    order(admin_client, [profile], UNSUBSCRIBE)

    tasks.sweep()

    assert basket.people.get(profile.user.email) is None or not (
        basket.person(profile.user.email).newsletters
    )
    assert not Decision.objects.get(member__site_member=profile.pk).wanted
