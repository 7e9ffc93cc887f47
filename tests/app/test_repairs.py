"""What admins order for problems and for one member, as the ledger and Basket then have it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from mozillians_basket import ledger, tasks
from mozillians_basket.exceptions import BasketUnavailable
from mozillians_basket.ledger import repairs
from mozillians_basket.models import Contact, Event, Repair, Subscription
from mozillians_basket.states import State
from tests.app.steps import claimed, contact_of, drain_everything, held
from tests.factories import UserFactory, UserProfileFactory, VouchFactory

RETRY, DISMISS = Repair.Action.RETRY, Repair.Action.DISMISS


def refused(commit, address="member@example.invalid"):
    """A vouched member whose address Basket does not accept."""
    with commit():
        return VouchFactory(vouchee__user__email=address).vouchee


def park(profile):
    moment = timezone.now() - timedelta(hours=1)
    Contact.objects.filter(member=profile).update(
        error="unavailable",
        error_code=1,
        failing_since=moment,
        parked_at=moment,
        not_before=moment + timedelta(days=1),
        attempts=10,
        settled_at=None,
    )
    return contact_of(profile)


def test_a_parked_contact_is_tried_again(basket, commit, admin_user):
    with commit():
        profile = VouchFactory().vouchee
    basket.forget_people()
    Subscription.objects.update(state=State.UNKNOWN)
    contact = park(profile)

    done = ledger.repair(RETRY, [contact.pk], actor=admin_user)
    tasks.sync_contacts([contact.pk])

    assert done
    assert held(basket, profile.user.email) == {profile.user.email: {"mozilla-phone"}}
    contact = contact_of(profile)
    assert (contact.error, contact.attempts, contact.parked_at) == ("", 0, None)
    assert contact.cause == repairs.RETRY
    event = Event.objects.get(kind=Event.Kind.RETRIED)
    assert (event.contact_id, event.actor, event.cause) == (contact.pk, admin_user, repairs.RETRY)


def test_what_basket_refused_is_asked_for_anew(basket, commit, admin_user):
    basket.load_newsletters({}, blocked_domains=["blocked.example.com"])
    profile = refused(commit, "member@blocked.example.com")
    before = Subscription.objects.get().state
    basket.clear_requests()

    ledger.repair(RETRY, [contact_of(profile).pk], actor=admin_user)
    tasks.sweep()

    assert before == State.REFUSED
    assert [request.path for request in basket.requests][-1] == "/news/subscribe/"
    assert Subscription.objects.get().state == State.REFUSED
    assert contact_of(profile).error == "refused"


def test_a_refused_new_address_is_tried_anew(basket, vouched, commit, admin_user):
    with commit():
        vouched.user.email = "member@example.invalid"
        vouched.user.save()
    refused_email = contact_of(vouched).refused_email
    basket.clear_requests()

    ledger.repair(RETRY, [contact_of(vouched).pk], actor=admin_user)

    assert refused_email == "member@example.invalid"
    assert contact_of(vouched).refused_email == ""
    tasks.sweep()
    assert "member@example.invalid" in {request.email for request in basket.requests}
    assert contact_of(vouched).refused_email == "member@example.invalid"


def test_nobody_who_opted_out_is_subscribed_by_a_retry(basket, vouched, commit, admin_user):
    basket.put_person(vouched.user.email, newsletters=[])
    ledger.make_due([contact_of(vouched).pk], "a test")
    tasks.sweep()
    opted_out = Subscription.objects.get().state
    contact = park(vouched)

    ledger.repair(RETRY, [contact.pk], actor=admin_user)
    tasks.sweep()

    assert opted_out == Subscription.objects.get().state == State.OPTED_OUT
    assert held(basket, vouched.user.email) == {vouched.user.email: set()}


def test_what_is_no_problem_any_more_is_not_retried(vouched, admin_user):
    settled = contact_of(vouched)

    ledger.repair(RETRY, [settled.pk], actor=admin_user)

    assert contact_of(vouched).touched_at == settled.touched_at
    assert not Event.objects.filter(kind=Event.Kind.RETRIED).exists()


@pytest.mark.parametrize("action", [RETRY, DISMISS])
def test_an_order_while_a_sync_runs_is_not_lost(basket, vouched, admin_user, action):
    Contact.objects.update(settled_at=None, failing_since=timezone.now(), error="unavailable")
    sheet = ledger.Sheet(claimed(vouched)).open()

    ledger.repair(action, [sheet.lease.contact_id], actor=admin_user)
    ledger.postpone(sheet, BasketUnavailable(503))

    contact = contact_of(vouched)
    assert (contact.dismissed_at is not None) == (action == DISMISS)
    assert contact.verify == (action == RETRY)
    assert contact.attempts == 1


def test_a_clock_that_was_set_back_does_not_hide_a_retry(vouched, admin_user):
    ahead = timezone.now() + timedelta(hours=1)
    Contact.objects.update(touched_at=ahead, settled_at=ahead, failing_since=ahead, error="refused")

    ledger.repair(RETRY, [contact_of(vouched).pk], actor=admin_user)

    assert ledger.due().get() == contact_of(vouched)


def test_a_retry_of_many_is_less_urgent_than_changes_but_takes_no_urgency_away(basket, admin_user):
    removal, other = UserProfileFactory.create_batch(2)
    drain_everything()
    Contact.objects.update(failing_since=timezone.now(), error="unavailable")
    Contact.objects.filter(member=removal).update(settled_at=None, priority=0)

    ledger.repair(RETRY, list(Contact.objects.values_list("pk", flat=True)), actor=admin_user)

    assert contact_of(removal).priority == Contact.Priority.REMOVAL
    assert contact_of(other).priority == Contact.Priority.BULK


def test_more_than_a_chunk_is_left_to_the_worker(basket, admin_user, monkeypatch):
    monkeypatch.setattr(repairs, "CHUNK", 2)
    UserProfileFactory.create_batch(5)
    drain_everything()
    Contact.objects.update(failing_since=timezone.now(), error="refused")
    keys = list(Contact.objects.values_list("pk", flat=True))

    done = ledger.repair(RETRY, keys, actor=admin_user)
    waiting = Repair.objects.count()
    tasks.sweep()

    assert (done, waiting, Repair.objects.count()) == (False, 3, 0)
    assert Event.objects.filter(kind=Event.Kind.RETRIED, actor=admin_user).count() == 5
    assert not ledger.due().exists()


def test_what_a_deleted_admin_ordered_is_carried_out(basket, monkeypatch):
    monkeypatch.setattr(repairs, "CHUNK", 1)
    UserProfileFactory.create_batch(2)
    drain_everything()
    Contact.objects.update(failing_since=timezone.now(), error="refused")
    keys = list(Contact.objects.values_list("pk", flat=True))
    admin = UserFactory()
    ledger.repair(DISMISS, keys, actor=admin)

    admin.delete()
    ledger.work_off_repairs()

    assert not Contact.objects.filter(pk__in=keys, dismissed_at=None).exists()
    assert [event.actor for event in Event.objects.filter(contact__in=keys)] == [None, None]


def test_a_dismissed_problem_keeps_the_note_without_addresses(vouched, admin_user):
    contact = park(vouched)

    ledger.repair(
        DISMISS, [contact.pk], actor=admin_user, remark="asked member@example.com, wrote back"
    )

    assert contact_of(vouched).dismissed_at is not None
    event = Event.objects.get(kind=Event.Kind.DISMISSED)
    assert event.remark == "asked ***, wrote back"
    assert (event.outcome, event.error_code, event.actor) == ("unavailable", 1, admin_user)


def test_a_dismissed_problem_that_is_retried_is_shown_again(vouched, admin_user):
    contact = park(vouched)
    ledger.repair(DISMISS, [contact.pk], actor=admin_user)

    ledger.repair(RETRY, [contact.pk], actor=admin_user)

    assert contact_of(vouched).dismissed_at is None


def test_a_member_without_a_row_gets_one_when_synced(basket, admin_user):
    profile = UserProfileFactory()

    outcome, keys = ledger.sync_member(profile.pk, actor=admin_user)

    assert outcome == ledger.Outcome.ORDERED
    assert keys == [contact_of(profile).pk]
    assert ledger.due().exists()


@pytest.mark.parametrize(
    ("address", "outcome"),
    [("", ledger.Outcome.NO_ADDRESS), (None, ledger.Outcome.NO_MEMBER)],
    ids=["no address", "no member"],
)
def test_an_order_that_leads_nowhere_says_why(basket, admin_user, address, outcome):
    member_id = 0 if address is None else UserProfileFactory(user__email=address).pk

    ordered = ledger.order_for_member(
        member_id, ["mozilla-phone"], subscribe=True, actor=admin_user
    )

    assert ordered == (outcome, [])
    assert ledger.sync_member(member_id, actor=admin_user) == (outcome, [])
    assert not ledger.due().exists()
