"""Basket fails at one step of a sync or at all of them: the rest is carried out later."""

from datetime import timedelta

import pytest
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import sync, tasks
from mozillians_basket.api import opt_out
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import queue
from mozillians_basket.models import Contact, Status
from tests.app.steps import (
    contact_of,
    drain_everything,
    held,
    opt_outs,
    settle_everything,
    subscription_of,
)
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory

MOVED = "moved@example.com"

FAULTS = [
    pytest.param({"status": 500}, id="500"),
    pytest.param({"status": 400, "code": 1}, id="400 with code 1"),
    pytest.param({"status": 400, "code": 15}, id="400 with code 15"),
    pytest.param({"status": 401, "code": 7}, id="key"),
    pytest.param({"kind": "html", "status": 500}, id="HTML"),
    pytest.param({"kind": "malformed"}, id="truncated JSON, applied"),
    pytest.param({"kind": "rate_limit"}, id="429"),
    pytest.param({"kind": "drop"}, id="dropped, applied"),
]


def look_again():
    """Let a worker look up what waits."""
    Contact.objects.update(not_before=None)
    tasks.sweep()


@pytest.fixture
def to_move(basket, vouched):
    """Let a vouched member change address and join the NDA group, in one transaction."""

    def change():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
        vouched.user.email = MOVED
        vouched.user.save()

    return change


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("endpoint", ["lookup", "subscribe", "unsubscribe"])
def test_move_is_carried_out_after_each_failure(basket, vouched, commit, to_move, endpoint, fault):
    old = vouched.user.email
    basket.fail(endpoint, times=1, **fault)

    with commit():
        to_move()
    settle_everything()

    assert [each["remaining"] for each in basket.faults] == [0]
    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}
    assert opt_outs() == []
    assert contact_of(vouched).problem == ""


def test_a_slow_basket_is_asked_again(basket, vouched, commit, to_move, settings):
    old = vouched.user.email
    settings.BASKET_TIMEOUT = 0.2
    basket.fail("subscribe", kind="delay", seconds=0.5, times=1)

    with commit():
        to_move()
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}


def test_subscribe_that_basket_carries_out_after_an_opt_out_is_no_return(basket, vouched, commit):
    email = vouched.user.email
    basket.fail("subscribe", times=1, status=500)
    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    look_again()
    with commit():
        opt_out(vouched, ["mozillians-nda"])
    look_again()
    assert held(basket, email) == {email: {"mozilla-phone"}}

    both = {"mozilla-phone", "mozillians-nda"}
    basket.put_person(email, newsletters=both)  # as the first call would
    settle_everything()

    assert held(basket, email) == {email: {"mozilla-phone"}}
    assert subscription_of(vouched, "mozillians-nda").unanswered_at is None


@pytest.mark.parametrize("kind", ["drop", "malformed"])
@pytest.mark.parametrize("third", [True, False], ids=["third", "back"])
def test_an_address_that_was_reached_and_given_up_again_is_cleared(
    basket, vouched, commit, to_move, kind, third
):
    last = "third@example.com" if third else vouched.user.email
    basket.fail("subscribe", kind=kind, times=1)
    with commit():
        to_move()
    reached = held(basket, MOVED)

    vouched.user.email = last
    vouched.user.save()
    drain_everything()
    settle_everything()

    assert reached == {MOVED: {"mozilla-phone", "mozillians-nda"}}
    assert held(basket, MOVED, last) == {MOVED: set(), last: {"mozilla-phone", "mozillians-nda"}}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_unvouching_whose_answer_is_lost_is_no_opt_out(basket, vouched, commit, fault):
    basket.fail("unsubscribe", times=1, **fault)
    with commit():
        vouched.vouches_received.all().delete()

    with commit():
        VouchFactory(vouchee=vouched)
    settle_everything()

    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozilla-phone"}}
    assert opt_outs() == []


def test_ten_flips_while_basket_is_down_are_one_call_when_it_is_back(basket, commit):
    with commit():
        profile = UserProfileFactory()
    fault = basket.fail(status=500)
    for _ in range(10):
        with commit():
            vouch = VouchFactory(vouchee=profile)
        with commit():
            vouch.delete()
    with commit():
        VouchFactory(vouchee=profile)
    basket.heal(fault)
    basket.clear_requests()

    Contact.objects.update(not_before=None)
    tasks.sweep()

    assert [request.endpoint for request in basket.requests] == ["lookup", "subscribe"]


def test_an_address_that_basket_refuses_is_asked_once_and_the_old_one_kept(basket, vouched, commit):
    old = vouched.user.email
    vouched.user.email = "moved@example.test"

    with commit():
        vouched.user.save()
    settle_everything()
    basket.clear_requests()
    tasks.sweep()

    assert held(basket, old) == {old: {"mozilla-phone"}}
    assert contact_of(vouched).problem == "2"
    assert basket.requests == []


def test_a_member_who_changes_from_a_refused_address_to_a_good_one_gets_everything(basket, commit):
    with commit():
        profile = UserProfileFactory(user__email="first@example.test")
        VouchFactory(vouchee=profile)
    settle_everything()
    refused = contact_of(profile).problem
    profile.user.email = MOVED

    with commit():
        profile.user.save()
    settle_everything()

    assert refused == "2"
    assert held(basket, MOVED) == {MOVED: {"mozilla-phone"}}
    assert (contact_of(profile).problem, subscription_of(profile).error_code) == ("", "")


def test_an_emptied_address_takes_everything_away_and_a_new_one_brings_it_back(
    basket, vouched, commit
):
    old = vouched.user.email
    vouched.user.email = ""
    with commit():
        vouched.user.save()
    settle_everything()
    without = held(basket, old)
    vouched.user.email = MOVED

    with commit():
        vouched.user.save()
    settle_everything()

    assert without == {old: set()}
    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone"}}
    assert opt_outs() == []


def test_a_contact_that_waits_for_a_second_look_is_served_at_once_when_something_changes(
    basket, vouched, commit
):
    basket.fail("unsubscribe", kind="ignore", times=1)
    with commit():
        vouched.vouches_received.all().delete()
    with commit():
        VouchFactory(vouchee=vouched)
    waiting = contact_of(vouched).not_before

    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))

    assert waiting is not None
    assert held(basket, vouched.user.email) == {
        vouched.user.email: {"mozilla-phone", "mozillians-nda"}
    }


def test_a_contact_that_waits_for_basket_waits_on_when_something_changes(basket, vouched, commit):
    basket.fail("unsubscribe", status=500, times=1)
    with commit():
        vouched.vouches_received.all().delete()
    waiting = contact_of(vouched).not_before

    for _ in range(2):
        with commit():
            VouchFactory(vouchee=vouched).delete()

    assert waiting is not None
    assert contact_of(vouched).not_before == waiting
    assert not queue.due().exists()


def test_a_deleted_member_whose_address_basket_refuses_is_erased(basket, vouched, commit, settings):
    settings.BASKET_RECHECK_SECONDS = settings.BASKET_REMOVAL_GRACE_SECONDS = 0.001
    email = vouched.user.email
    basket.put_person(email, remove=["mozilla-phone"])
    with commit():
        vouched.vouches_received.all().delete()
    settle_everything()
    basket.fail("lookup", status=400, code=2, email=email)

    with commit():
        vouched.user.delete()
    settle_everything()

    assert not Contact.objects.filter(key=email).exists()


def test_a_newsletter_that_basket_knows_again_is_sent_at_once(basket, settings, commit):
    settings.BASKET_NEWSLETTERS = ["later-letter"]
    profile = UserProfileFactory()
    tasks.subscribe_user_to_basket(profile.pk, ["later-letter"])
    paused = Status.read().unknown
    Contact.objects.update(touched_at=timezone.now() - timedelta(days=6), not_before=None)
    tasks.sweep()
    waits = contact_of(profile).not_before - timezone.now()

    basket.load_newsletters({"later-letter": {"title": "Later", "active": True}})
    Status.objects.update(catalogue_at=None)
    tasks.sweep()

    assert paused == {"later-letter"}
    assert waits > timedelta(days=5)
    assert held(basket, profile.user.email) == {profile.user.email: {"later-letter"}}


def test_a_lookup_that_is_refused_by_code_nine_is_not_repeated_at_once(basket, commit):
    basket.fail("lookup", status=400, code=9)

    with commit():
        profile = VouchFactory().vouchee

    assert [request.endpoint for request in basket.requests] == ["lookup"]
    assert contact_of(profile).problem == "9"


def test_probe_that_is_rate_limited_waits_like_any_contact(basket, vouched, commit):
    now = timezone.now()
    Status.objects.update(opened_at=now, failing_call="subscribe", failures=5)
    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    basket.fail("subscribe", kind="rate_limit")
    basket.clear_counts()

    Status.objects.update(next_probe_at=now)
    tasks.sweep()

    assert basket.counts["subscribe"] == 1
    assert contact_of(vouched).not_before >= now + timedelta(minutes=5)


def test_refused_address_that_had_failed_before_is_not_tried_again_after_a_change(
    basket, vouched, commit
):
    basket.fail("lookup", status=500, times=2)  # at the old address and at the new one
    basket.fail("lookup", status=400, code=2)
    with commit():
        vouched.user.email = MOVED
        vouched.user.save()
    settle_everything()
    basket.clear_requests()

    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    settle_everything()

    assert contact_of(vouched).problem == "2"
    assert not [request for request in basket.requests if MOVED in str(request)]


@pytest.mark.parametrize("earlier", [0, 1], ids=["at once", "after a failure"])
def test_opt_out_is_sent_although_basket_had_refused_a_lookup(basket, vouched, commit, earlier):
    if earlier:
        basket.fail("lookup", status=500, times=1)
    basket.fail("lookup", status=403, times=1)
    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    settle_everything()

    with commit():
        opt_out(vouched, ["mozilla-phone"])
    settle_everything()

    assert "mozilla-phone" not in held(basket, vouched.user.email)[vouched.user.email]


def test_probes_that_fail_use_up_no_attempts(basket, vouched, commit):
    now = timezone.now()
    Status.objects.update(opened_at=now, failing_call="lookup", failures=5)
    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    basket.fail("lookup", status=500)
    basket.clear_counts()

    for _ in range(11):
        Status.objects.update(next_probe_at=now)
        tasks.sweep()

    contact = contact_of(vouched)
    assert basket.counts["lookup"] >= 11
    assert (contact.attempts, contact.not_before, contact.parked) == (0, None, False)


@pytest.mark.parametrize("endpoint", ["lookup", "subscribe"])
def test_probe_that_is_rate_limited_does_not_close_the_breaker(basket, vouched, commit, endpoint):
    now = timezone.now()
    Status.objects.update(opened_at=now, failing_call="subscribe", failures=5)
    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    basket.fail(endpoint, kind="rate_limit")

    Status.objects.update(next_probe_at=now)
    tasks.sweep()

    assert Status.read().is_open


def test_probe_that_the_switch_stops_does_not_close_the_breaker(basket, vouched, commit):
    now = timezone.now()
    Status.objects.update(opened_at=now, failing_call="lookup", failures=5)
    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    Status.objects.update(next_probe_at=now)

    with override_switch(SWITCH, active=False):  # between the task's look at it and the call
        sync.look_up()

    assert Status.read().is_open


def test_member_whose_subscribe_always_fails_is_a_problem_however_often_it_is_tried(
    basket, commit, settings
):
    settings.BASKET_BREAKER_FAILURES = 100
    with commit():
        basket.fail("subscribe", kind="answer", status=500)
        vouch = VouchFactory()
    for _ in range(8):
        look_again()

    contact = contact_of(vouch.vouchee)
    assert contact.problem == "unavailable"
    assert contact.failing_since
    assert contact.attempts >= 4
