"""The chain of a share: its steps, and changes between them."""

import pytest

from mozillians_basket import sync, tasks
from mozillians_basket.models import Subscription
from project.groups.models import Membership
from tests.app.steps import (
    contact_of,
    drain_everything,
    expire_leases,
    held,
    run,
    settle_everything,
    subscription_of,
    syncing,
)
from tests.factories import GroupFactory, MembershipFactory, VouchFactory


@pytest.fixture
def joining(basket, vouched):
    """A vouched member who has joined the NDA group; no message came."""
    MembershipFactory(
        profile=vouched, group=GroupFactory(slug="nda"), status=Membership.Status.MEMBER
    )
    drain_everything()
    basket.clear_requests()
    return vouched


def calls(basket):
    return [request.endpoint for request in basket.requests]


def test_a_step_that_was_not_foreseen_is_done_by_another_sync(basket, joining, monkeypatch):
    make_calls = sync.make_calls

    def interrupted(*arguments, **options):
        monkeypatch.setattr(sync, "make_calls", make_calls)
        joining.vouches_received.all().delete()
        drain_everything()
        return make_calls(*arguments, **options)

    monkeypatch.setattr(sync, "make_calls", interrupted)
    tasks.lookup_users_task.delay()

    assert calls(basket) == ["lookup", "subscribe", "lookup", "unsubscribe"]
    assert held(basket, joining.user.email) == {joining.user.email: {"mozillians-nda"}}
    assert contact_of(joining).leased_until is None


def test_a_wish_that_ended_before_the_call_is_not_sent(basket, joining):
    worker = syncing()
    run(worker, 1)
    Membership.objects.all().delete()
    drain_everything()

    run(worker)

    assert calls(basket) == ["lookup"]
    assert not Subscription.objects.filter(newsletter="mozillians-nda").exists()


def test_a_call_that_a_dead_worker_had_begun_counts_as_asked(basket, joining, monkeypatch):
    def die(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sync.calls, "subscribe", die)
        with pytest.raises(KeyboardInterrupt):
            run(syncing())
    expire_leases()
    Membership.objects.all().delete()
    drain_everything()
    tasks.lookup_users_task.delay()

    assert subscription_of(joining, "mozillians-nda").requested_at is not None
    assert contact_of(joining).not_before is not None


def test_one_message_carries_a_change_to_its_end(basket, commit):
    with commit():
        vouch = VouchFactory()
    basket.clear_requests()
    vouch.delete()
    drain_everything()

    tasks.lookup_users_task.delay()

    assert held(basket, vouch.vouchee.user.email) == {vouch.vouchee.user.email: set()}
    assert calls(basket) == ["lookup", "unsubscribe"]


def test_one_bad_contact_does_not_hold_up_the_others_of_its_share(basket, commit):
    with commit():
        profiles = [VouchFactory().vouchee for _ in range(5)]
    bad, *good = [profile.user.email for profile in profiles]
    for profile in profiles:
        profile.vouches_received.all().delete()
    drain_everything()
    basket.fail("unsubscribe", status=500, email=bad, times=1)

    tasks.lookup_users_task.delay()

    assert held(basket, *good) == {email: set() for email in good}
    settle_everything()
    assert held(basket, bad) == {bad: set()}
