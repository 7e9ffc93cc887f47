"""Cancelling a bulk request: what was not begun does not reach Basket, and nothing else changes."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry

from mozillians_basket import ledger, sync, tasks
from mozillians_basket.models import Batch, BatchItem, Contact, Event
from tests.app.bulk import UNSUBSCRIBE, order, text_of, url_of
from tests.app.steps import claimed, contact_of, drain_everything, expire_leases, run
from tests.factories import MembershipFactory, UserProfileFactory, VouchFactory

PHONE, NDA = "mozilla-phone", "mozillians-nda"


def cancel(client):
    batch = Batch.objects.latest("pk")
    return client.post(url_of("cancel", batch), follow=True)


def decided(client, profiles, *arguments, **fields):
    """Order it and have it written into the ledger; nothing is sent."""
    order(client, profiles, *arguments, **fields)
    ledger.advance_batches()
    ledger.work_off_batches()
    return Batch.objects.latest("pk")


def wind_up():
    while ledger.advance_batches():
        pass


def ledger_of(profile):
    """A member's rows, but for when and why they were touched."""
    contact = contact_of(profile)
    names = ("settled_at", "verify", "parked_at", "error")
    lines = contact.subscriptions.order_by("newsletter").values(
        "newsletter", "entitled", "wanted", "decided_by", "decided_at", "despite_opt_out", "state"
    )
    due = contact.settled_at is None or contact.touched_at > contact.settled_at
    return {name: getattr(contact, name) for name in names[1:]}, due, list(lines)


def test_who_was_not_reached_yet_is_left_out(basket, admin_client, admin_user):
    order(admin_client, UserProfileFactory.create_batch(3))
    ledger.advance_batches()

    page = cancel(admin_client)
    tasks.sweep()

    batch = Batch.objects.get()
    assert "Cancelled." in text_of(page)
    assert (batch.state, batch.counts) == (Batch.State.CANCELLED, {"cancelled": 3})
    assert batch.finished_at is not None
    assert basket.people == {}
    entry = LogEntry.objects.get(action_flag=CHANGE)
    assert (entry.user, entry.change_message) == (admin_user, "Cancelled.")
    assert Event.objects.get(kind="cancelled", contact=None).actor == admin_user


def test_who_waits_in_the_queue_is_left_out_and_as_before(basket, admin_client, vouched):
    outsider, nobody = UserProfileFactory.create_batch(2)
    tasks.sweep()
    before = [ledger_of(profile) for profile in (vouched, outsider)]
    decided(admin_client, [vouched, outsider, nobody], newsletters=[PHONE, NDA])
    changed = [ledger_of(profile) for profile in (vouched, outsider)]

    cancel(admin_client)
    wind_up()
    basket.clear_requests()
    tasks.sweep()

    assert changed != before
    assert [ledger_of(profile) for profile in (vouched, outsider)] == before
    assert basket.requests == []
    assert set(BatchItem.objects.values_list("state", flat=True)) == {"cancelled"}


def test_an_unsubscribe_that_waits_is_taken_back(basket, admin_client, vouched):
    before = ledger_of(vouched)
    decided(admin_client, [vouched], UNSUBSCRIBE)

    cancel(admin_client)
    tasks.sweep()

    assert ledger_of(vouched) == before
    assert basket.person(vouched.user.email).newsletters == {PHONE}


def test_who_was_handed_to_a_worker_that_did_not_begin_is_left_out(basket, admin_client):
    profile = UserProfileFactory()
    drain_everything()
    decided(admin_client, [profile])
    lease = claimed(profile)
    basket.clear_requests()  # of which one is for the newsletters' titles, unless they are cached

    cancel(admin_client)
    wind_up()
    tasks.lookup_user_task(lease.as_argument)

    assert basket.people == {}
    assert basket.requests == []
    assert BatchItem.objects.get().state == BatchItem.State.CANCELLED
    assert not ledger.due().exists()


def test_who_is_being_carried_out_ends_as_ordered(basket, admin_client):
    profile = UserProfileFactory()
    drain_everything()
    decided(admin_client, [profile])
    lease = run(claimed(profile), sync.look_up)

    cancel(admin_client)
    wind_up()
    waiting = Batch.objects.get().finished_at
    tasks.subscribe_user_task(lease.as_argument)
    wind_up()

    batch = Batch.objects.get()
    assert waiting is None
    assert basket.person(profile.user.email).newsletters == {PHONE}
    assert (batch.state, batch.counts) == (Batch.State.CANCELLED, {"done": 1})


def test_what_basket_answered_is_not_kept_of_who_was_cancelled_after_a_worker_died(
    basket, admin_client
):
    profile = UserProfileFactory()
    drain_everything()
    decided(admin_client, [profile])
    run(claimed(profile), sync.look_up)
    expire_leases()
    assert profile.user.email in str(contact_of(profile).lookup)

    cancel(admin_client)
    wind_up()

    assert BatchItem.objects.get().state == BatchItem.State.CANCELLED
    assert contact_of(profile).lookup is None
    assert not ledger.due().exists()


def test_a_subscribe_that_nobody_answered_is_not_sent_again(basket, admin_client):
    profile = UserProfileFactory()
    basket.fail("subscribe", status=500, times=1)
    decided(admin_client, [profile])
    tasks.sweep()

    cancel(admin_client)
    Contact.objects.update(not_before=None)
    tasks.sweep()
    tasks.sweep()

    person = basket.people.get(profile.user.email)
    assert person is None or not person.newsletters
    assert BatchItem.objects.get().state == BatchItem.State.CANCELLED


def test_a_removal_that_was_sent_is_not_followed_by_a_subscribe(basket, admin_client, vouched):
    basket.fail("unsubscribe", status=500, times=1)
    decided(admin_client, [vouched], UNSUBSCRIBE)
    tasks.sweep()

    cancel(admin_client)
    Contact.objects.update(not_before=None)
    tasks.sweep()

    assert basket.person(vouched.user.email).newsletters == frozenset()
    assert BatchItem.objects.get().state == BatchItem.State.DONE


def test_what_a_policy_wants_meanwhile_stays(basket, admin_client):
    profile = UserProfileFactory()
    drain_everything()
    decided(admin_client, [profile], newsletters=[PHONE, NDA])
    VouchFactory(vouchee=profile)
    drain_everything()

    cancel(admin_client)
    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {PHONE}


def test_what_a_policy_wanted_before_is_wanted_again(basket, admin_client):
    membership = MembershipFactory(group__slug="nda")
    profile = membership.profile
    drain_everything()  # due, but not sent yet
    decided(admin_client, [profile], UNSUBSCRIBE, newsletters=[NDA])

    cancel(admin_client)
    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {NDA}


def test_another_request_for_the_same_member_is_carried_out(basket, admin_client):
    profile = UserProfileFactory()
    drain_everything()
    decided(admin_client, [profile], newsletters=[PHONE])
    decided(admin_client, [profile], newsletters=[NDA])

    cancel(admin_client)
    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {PHONE}
    states = BatchItem.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["done", "cancelled"]


def test_a_parked_member_is_parked_again(basket, admin_client, settings, vouched):
    settings.BASKET_MAX_ATTEMPTS = 1
    basket.fail("lookup", status=429, times=1)
    decided(admin_client, [vouched], UNSUBSCRIBE)
    tasks.sweep()
    parked = contact_of(vouched).parked_at
    decided(admin_client, [vouched], newsletters=[NDA])

    cancel(admin_client)
    wind_up()

    assert parked is not None
    assert contact_of(vouched).parked_at == parked


def test_the_history_of_a_member_says_that_it_was_cancelled(basket, admin_client):
    profile = UserProfileFactory()
    drain_everything()
    batch = decided(admin_client, [profile])

    cancel(admin_client)
    wind_up()

    events = Event.objects.filter(contact=contact_of(profile)).order_by("pk")
    assert [(event.kind, event.batch) for event in events] == [
        ("decided", batch),
        ("cancelled", batch),
    ]


@pytest.mark.parametrize("state", [Batch.State.FINISHED, Batch.State.CANCELLED])
def test_what_is_over_cannot_be_cancelled(basket, admin_client, state):
    order(admin_client, [UserProfileFactory()])
    Batch.objects.update(state=state, finished_at="2020-01-01T00:00Z", counts={"done": 1})

    page = cancel(admin_client)

    assert "There was nothing to cancel." in text_of(page)
    assert Batch.objects.get().state == state
    assert not Event.objects.filter(kind=Event.Kind.CANCELLED).exists()


def test_while_members_are_collected_it_can_be_cancelled(basket, admin_client):
    order(admin_client, [UserProfileFactory()])

    cancel(admin_client)
    tasks.sweep()

    batch = Batch.objects.get()
    assert (batch.state, batch.total, batch.selection) == (Batch.State.CANCELLED, 0, {})
    assert basket.people == {}
