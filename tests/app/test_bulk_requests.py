"""Bulk requests are carried out exactly once for each member, also after crashes."""

import pytest
from django.db import OperationalError
from django.utils import timezone

from mozillians_basket import api, bulk, sync, tasks
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.ledger import decisions
from mozillians_basket.models import BulkItem, BulkRequest, Contact, Decision, Event
from mozillians_basket.rules.rows import DecidedBy
from project.groups.models import Membership
from tests.app.steps import contact_of, drain_everything, held, settle_everything
from tests.factories import (
    GroupFactory,
    MembershipFactory,
    UserFactory,
    UserProfileFactory,
    VouchFactory,
)

PHONE, NDA = "mozilla-phone", "mozillians-nda"
SUBSCRIBE, UNSUBSCRIBE = BulkRequest.Action.SUBSCRIBE, BulkRequest.Action.UNSUBSCRIBE


def ordered(profiles, action=SUBSCRIBE, newsletters=(PHONE,), **options):
    """A confirmed request that no worker has seen yet."""
    keys = [profile.pk for profile in profiles]
    request = bulk.draft(action, keys, actor=None)
    assert bulk.confirm(request, newsletters, **options)
    return request


def states(request):
    rows = BulkItem.objects.filter(request=request).order_by("pk")
    return list(rows.values_list("state", "reason"))


def test_no_more_orders_are_pending_than_allowed(basket, settings):
    settings.BASKET_MAX_IN_FLIGHT, settings.BASKET_DRAIN_SIZE = 3, 2
    request = ordered(UserProfileFactory.create_batch(7))

    numbers = []
    for _ in range(4):
        bulk.advance()
        numbers.append(BulkItem.objects.filter(request=request, state="pending").count())
        BulkItem.objects.filter(request=request).update(state="done")

    assert numbers == [3, 3, 1, 0]
    request.refresh_from_db()
    assert (request.state, request.counts) == (BulkRequest.State.FINISHED, {"done": 7})


def test_all_members_are_reached_in_the_end(basket, settings):
    settings.BASKET_MAX_IN_FLIGHT = 2
    profiles = UserProfileFactory.create_batch(7)
    request = ordered(profiles)

    for _ in range(5):
        settle_everything()

    emails = [profile.user.email for profile in profiles]
    assert held(basket, *emails) == {email: {PHONE} for email in emails}
    request.refresh_from_db()
    assert (request.state, request.counts) == (BulkRequest.State.FINISHED, {"done": 7})
    assert request.keys == []


def test_an_older_request_is_begun_first(basket, settings):
    settings.BASKET_MAX_IN_FLIGHT = 2
    older = ordered(UserProfileFactory.create_batch(2))
    newer = ordered(UserProfileFactory.create_batch(2))

    bulk.advance()

    assert (len(states(older)), len(states(newer))) == (2, 0)


def test_a_worker_that_dies_between_two_transactions_begins_nobody_twice(
    basket, settings, monkeypatch
):
    settings.BASKET_DRAIN_SIZE = 2
    profiles = UserProfileFactory.create_batch(5)
    request = ordered(profiles)
    write, calls = bulk.write, []

    def dies_the_second_time(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise OperationalError
        return write(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(bulk, "write", dies_the_second_time)
        with pytest.raises(OperationalError):
            bulk.advance()
    begun = len(states(request))
    bulk.advance()

    assert begun == 2
    assert set(BulkItem.objects.values_list("member_id", flat=True)) == {p.pk for p in profiles}
    assert BulkItem.objects.count() == 5


def test_second_worker_does_not_begin_members_of_the_first_again(basket, settings, monkeypatch):
    settings.BASKET_DRAIN_SIZE = 2
    request = ordered(UserProfileFactory.create_batch(4))
    site, nested = bulk.get_site, []

    def overtaken():
        if not nested:
            nested.append(True)
            bulk.advance()
        return site()

    monkeypatch.setattr(bulk, "get_site", overtaken)
    bulk.advance()

    assert len(states(request)) == 4
    request.refresh_from_db()
    assert request.position == 4


def test_a_member_who_breaks_it_fails_alone(basket, settings, monkeypatch):
    settings.BASKET_DRAIN_SIZE = 3
    first, broken, last = UserProfileFactory.create_batch(3)
    request = ordered([first, broken, last])
    drain = bulk.drained_members

    def breaks(touches, keys, **options):
        if broken.pk in keys:
            raise ValueError(broken.user.email)
        return drain(touches, keys, **options)

    monkeypatch.setattr(bulk, "drained_members", breaks)
    tasks.sweep()
    tasks.sweep()

    assert states(request) == [("done", ""), ("failed", "unexpected"), ("done", "")]
    emails = first.user.email, last.user.email
    assert held(basket, *emails) == {email: {PHONE} for email in emails}


def test_error_is_logged_without_an_address(basket, monkeypatch, caplog):
    profile = UserProfileFactory()
    ordered([profile])

    def breaks(*_arguments, **_options):
        raise ValueError(profile.user.email)

    monkeypatch.setattr(bulk, "drained_members", breaks)
    bulk.advance()

    assert "ValueError" in caplog.text
    assert profile.user.email not in caplog.text


def test_a_newsletter_that_is_gone_cancels_the_request_and_holds_up_no_other(basket):
    broken = ordered([UserProfileFactory()])
    BulkRequest.objects.filter(pk=broken.pk).update(newsletters=["gone"])
    profile = UserProfileFactory()
    ordered([profile])

    tasks.sweep()
    tasks.sweep()

    broken.refresh_from_db()
    assert broken.state == BulkRequest.State.CANCELLED
    assert broken.finished_at is not None
    assert Event.objects.get(kind=Event.Kind.CANCELLED).outcome == "unknown newsletter"
    assert held(basket, profile.user.email) == {profile.user.email: {PHONE}}


def test_a_newsletter_of_somebody_else_cannot_be_confirmed(basket):
    request = bulk.draft(SUBSCRIBE, [UserProfileFactory().pk], actor=None)

    with pytest.raises(UnknownNewsletter):
        bulk.confirm(request, ["about-mozilla"])

    request.refresh_from_db()
    assert request.state == BulkRequest.State.DRAFT


def test_members_who_are_gone_or_have_no_address_are_skipped(basket):
    gone, silent = UserProfileFactory(), UserProfileFactory(user__email="")
    request = ordered([gone, silent])
    gone.delete()

    tasks.sweep()

    assert states(request) == [("skipped", "no such member"), ("skipped", "no address")]


def test_a_member_who_loses_their_address_after_the_order_is_skipped(basket):
    profile = UserProfileFactory()
    drain_everything()
    request = ordered([profile])
    bulk.advance()
    profile.user.email = ""
    profile.user.save()

    tasks.sweep()

    assert states(request) == [("skipped", "no address")]
    request.refresh_from_db()
    assert request.state == BulkRequest.State.FINISHED


def test_a_member_who_changes_their_address_after_the_order_gets_it_there(basket):
    profile = UserProfileFactory()
    drain_everything()
    request = ordered([profile])
    bulk.advance()
    profile.user.email = "new@example.com"
    profile.user.save()

    settle_everything()
    tasks.sweep()

    assert states(request) == [("done", "")]
    assert held(basket, "new@example.com") == {"new@example.com": {PHONE}}


def test_a_contact_that_is_parked_by_the_queue_ends_the_order(basket):
    profile = UserProfileFactory()
    drain_everything()
    request = ordered([profile])
    bulk.advance()
    Contact.objects.update(parked=True, problem="worker died")

    bulk.advance()

    assert states(request) == [("failed", "worker died")]


def test_two_members_with_one_address_both_end(basket):
    first = UserProfileFactory()
    second = UserProfileFactory(user__email=first.user.email)

    request = ordered([first, second])
    settle_everything()

    assert states(request) == [("done", ""), ("done", "")]
    assert held(basket, first.user.email) == {first.user.email: {PHONE}}


def test_a_policy_that_changed_before_the_order_does_not_supersede_it(basket, settings):
    membership = MembershipFactory(group=GroupFactory(slug="nda"))
    drain_everything()
    membership.delete()  # no worker has seen it when the admin orders

    request = ordered([membership.profile], newsletters=[NDA])
    settle_everything()

    assert states(request) == [("done", "")]
    email = membership.profile.user.email
    assert held(basket, email) == {email: {NDA}}


def leave(membership):
    membership.delete()


def leave_and_drain(membership):
    membership.delete()
    drain_everything()


@pytest.mark.parametrize("change", [leave, leave_and_drain])
def test_a_policy_that_changes_after_the_order_supersedes_it(basket, change):
    membership = MembershipFactory(group=GroupFactory(slug="nda"))
    drain_everything()
    request = ordered([membership.profile], newsletters=[NDA])

    change(membership)
    bulk.advance()  # begins the order only now
    settle_everything()

    assert states(request) == [("skipped", "superseded")]
    email = membership.profile.user.email
    assert held(basket, email) == {email: set()}


def test_only_newsletters_with_a_newer_decision_are_left(basket):
    profile = UserProfileFactory()
    membership = MembershipFactory(profile=profile, group=GroupFactory(slug="nda"))
    drain_everything()
    ordered([profile], newsletters=[PHONE, NDA])

    membership.delete()
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: {PHONE}}


def test_later_one_of_two_requests_counts_in_any_order_of_beginning(basket, settings):
    profile = UserProfileFactory()
    drain_everything()
    first = ordered([profile])
    second = ordered([profile], UNSUBSCRIBE)
    BulkRequest.objects.filter(pk=first.pk).update(state=BulkRequest.State.DRAFT)
    bulk.advance()
    BulkRequest.objects.filter(pk=first.pk).update(state=BulkRequest.State.RUNNING)

    settle_everything()

    decision = Decision.objects.get(member__site_member=profile.pk)
    assert (decision.wanted, decision.decided_by) == (False, DecidedBy.ADMIN)
    assert states(first) == [("skipped", "superseded")]
    assert [state for state, _reason in states(second)] == ["done"]
    assert not held(basket, profile.user.email)[profile.user.email]


def test_an_order_that_was_begun_late_is_superseded_by_a_change_after_its_beginning(basket):
    membership = MembershipFactory(group=GroupFactory(slug="nda"))
    drain_everything()
    ordered([membership.profile], newsletters=[NDA])
    bulk.advance()

    Membership.objects.all().delete()
    settle_everything()

    email = membership.profile.user.email
    assert held(basket, email) == {email: set()}


def test_opted_out_members_are_skipped(basket, vouched):
    basket.put_person(vouched.user.email, newsletters=[])
    tasks.subscribe_user_to_basket(vouched.pk, [PHONE])
    settle_everything()

    request = ordered([vouched])
    tasks.sweep()

    assert states(request) == [("skipped", "opted out")]
    assert held(basket, vouched.user.email) == {vouched.user.email: set()}


def test_a_member_who_opted_out_of_one_of_two_newsletters_gets_the_other(basket, vouched):
    decisions.choose(vouched.pk, [PHONE], subscribe=False)
    settle_everything()

    request = ordered([vouched], newsletters=(PHONE, NDA))
    settle_everything()

    assert held(basket, vouched.user.email) == {vouched.user.email: {NDA}}
    assert states(request) == [("done", "")]


def test_the_history_of_a_member_names_request_and_actor(basket):
    profile, actor = UserProfileFactory(), UserFactory()
    request = bulk.draft(SUBSCRIBE, [profile.pk], actor=actor)
    bulk.confirm(request, [PHONE])

    bulk.advance()

    event = Event.objects.get(kind=Event.Kind.DECIDED)
    assert (event.bulk_request, event.actor, event.member_id) == (request, actor, profile.pk)
    assert contact_of(profile).cause == f"bulk request {request.pk}"


def test_changes_on_the_site_go_before_bulk_requests(basket):
    profile = UserProfileFactory()
    drain_everything()
    ordered([profile])
    bulk.advance()
    vouched = VouchFactory().vouchee
    drain_everything()

    assert contact_of(profile).priority == Contact.Priority.BULK
    assert contact_of(vouched).priority == Contact.Priority.CHANGE


def opt_out_on_the_site(basket, profile):
    api.opt_out(profile, [PHONE])


def turn_everything_off_at_basket(basket, profile):
    basket.opt_out(profile.user.email)
    Contact.objects.update(touched_at=timezone.now(), not_before=None)
    sync.look_up()


@pytest.mark.parametrize("opt_out", [opt_out_on_the_site, turn_everything_off_at_basket])
def test_opt_out_made_after_the_confirmation_stands_against_a_request_despite_opt_outs(
    basket, opt_out
):
    profile = VouchFactory.create().vouchee
    settle_everything()
    request = ordered([profile], despite_opt_out=True)

    opt_out(basket, profile)
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: set()}
    assert states(request) == [("skipped", "opted out")]
