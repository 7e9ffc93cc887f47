"""Two members with one address are one person to Basket."""

import pytest

from mozillians_basket import api, tasks
from mozillians_basket.ledger import touches
from mozillians_basket.models import Contact, Member, Touch
from tests.app.steps import (
    before_transaction,
    contact_of,
    drain_everything,
    held,
    opt_outs,
    run,
    settle_everything,
    syncing,
)
from tests.factories import UserFactory, UserProfileFactory, VouchFactory

SHARED = "shared@example.com"


@pytest.fixture
def two(basket, commit):
    """Two vouched members with one address."""
    with commit():
        profiles = [
            UserProfileFactory(user=UserFactory(email=email)) for email in (SHARED, SHARED.upper())
        ]
        for profile in profiles:
            VouchFactory(vouchee=profile)
    settle_everything()
    return profiles


def unvouch(*profiles):
    for profile in profiles:
        profile.vouches_received.all().delete()
    drain_everything()


def test_newsletter_that_one_member_still_wants_stays(basket, two):
    unvouch(two[0])

    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}


def test_newsletter_that_no_member_wants_is_removed(basket, two):
    unvouch(*two)

    settle_everything()

    assert held(basket, SHARED) == {SHARED: set()}


def test_the_removal_for_one_is_no_opt_out_of_the_other(basket, two):
    unvouch(*two)
    settle_everything()

    VouchFactory(vouchee=two[1])
    drain_everything()
    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}
    assert opt_outs() == []


def test_a_wish_that_comes_while_it_is_taken_away_is_carried_out(basket, two, monkeypatch):
    unvouch(*two)

    def vouch():
        VouchFactory(vouchee=two[1])
        drain_everything()

    with monkeypatch.context() as patch:
        before_transaction(patch, 2, vouch)  # after the unsubscribe
        run(syncing())
    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}
    assert opt_outs() == []


def test_member_who_moves_away_leaves_the_other_one_s_newsletters(basket, two):
    two[0].user.email = "moved@example.com"
    two[0].user.save()
    drain_everything()

    settle_everything()

    assert held(basket, SHARED, "moved@example.com") == {
        SHARED: {"mozilla-phone"},
        "moved@example.com": {"mozilla-phone"},
    }


def test_deleted_member_leaves_the_other_one_s_newsletters(basket, two):
    two[0].user.delete()
    drain_everything()

    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}
    assert list(Contact.objects.filter(key=SHARED)) == [contact_of(two[1])]
    assert Member.objects.filter(contact=contact_of(two[1])).count() == 1


def test_a_member_who_moves_to_an_unvouched_members_address_shares_it(basket, vouched, commit):
    with commit():
        other = UserProfileFactory()
    vouched.user.email = other.user.email
    vouched.user.save()
    drain_everything()
    settle_everything()

    VouchFactory(vouchee=other).delete()
    drain_everything()
    settle_everything()

    assert held(basket, other.user.email) == {other.user.email: {"mozilla-phone"}}


def test_a_member_who_comes_back_with_another_account_is_subscribed(basket, vouched):
    email = vouched.user.email
    vouched.user.delete()
    drain_everything()
    again = UserProfileFactory(user=UserFactory(email=email))
    VouchFactory(vouchee=again)
    drain_everything()

    settle_everything()

    assert held(basket, email) == {email: {"mozilla-phone"}}


def test_a_late_removal_does_not_take_it_from_a_new_account(basket, vouched, commit):
    email = vouched.user.email
    basket.fail("unsubscribe", kind="ignore", times=1)
    with commit():
        vouched.user.delete()
    with commit():
        again = UserProfileFactory(user=UserFactory(email=email))
        VouchFactory(vouchee=again)

    basket.put_person(email, remove=["mozilla-phone"])
    settle_everything()

    assert held(basket, email) == {email: {"mozilla-phone"}}
    assert opt_outs() == []


def change_address(profile, email):
    profile.user.email = email
    profile.user.save()


def test_member_who_leaves_takes_nothing_from_one_who_passed_through(basket, vouched, commit):
    with commit():
        leaver = UserProfileFactory()
    address = leaver.user.email
    change_address(leaver, "leaver-moved@example.com")
    drain_everything()  # so that the leaver is due first, but not synced yet
    basket.fail("subscribe", kind="drop", times=1)
    with commit():
        change_address(vouched, address)
    reached = held(basket, address)
    change_address(vouched, "final@example.com")

    drain_everything()
    settle_everything()

    assert reached == {address: {"mozilla-phone"}}
    assert held(basket, address, "leaver-moved@example.com", "final@example.com") == {
        address: set(),
        "leaver-moved@example.com": set(),
        "final@example.com": {"mozilla-phone"},
    }


@pytest.fixture
def successor(basket, vouched, commit):
    """A member who comes to the address of a deleted one, who opted out; nothing is drained yet."""
    with commit():
        other = VouchFactory().vouchee
    api.opt_out(vouched, ["mozilla-phone"])
    settle_everything()
    email = vouched.user.email
    basket.clear_requests()
    vouched.user.delete()

    def arrive(how):
        if how == "moves there":
            change_address(other, email)
            return other
        return VouchFactory(vouchee=UserProfileFactory(user=UserFactory(email=email))).vouchee

    return arrive


@pytest.mark.parametrize("how", ["moves there", "is new"])
def test_opt_out_of_a_deleted_member_stands_if_the_message_about_the_deletion_is_lost(
    basket, successor, how
):
    deletions = list(Touch.objects.values_list("pk", flat=True))
    profile = successor(how)

    tasks.lookup_users_task.delay(max(deletions) + 1)

    settle_everything()
    assert held(basket, profile.user.email) == {profile.user.email: set()}
    assert "subscribe" not in [request.endpoint for request in basket.requests]


@pytest.mark.parametrize("how", ["moves there", "is new"])
def test_opt_out_of_a_deleted_member_stands_if_another_worker_still_drains_the_deletion(
    basket, successor, how
):
    deletions = list(Touch.objects.values_list("pk", flat=True))
    profile = successor(how)

    touches.drain(Touch.objects.filter(pk__gt=max(deletions)).values_list("pk", flat=True))
    drain_everything()
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: set()}


def test_newsletter_that_a_mate_had_before_the_deletion_stays(basket, two):
    api.opt_out(two[0], ["mozilla-phone"])
    settle_everything()

    two[0].user.delete()
    drain_everything()
    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}


@pytest.mark.parametrize("vouched_first", [True, False])
def test_mate_who_is_vouched_around_a_deletion_is_judged_by_the_order_of_the_two(
    basket, commit, vouched_first
):
    with commit():
        leaver = VouchFactory(vouchee__user__email=SHARED).vouchee
        mate = UserProfileFactory(user=UserFactory(email=SHARED.upper()))
    api.opt_out(leaver, ["mozilla-phone"])
    settle_everything()

    if vouched_first:
        VouchFactory(vouchee=mate)
    leaver.user.delete()
    if not vouched_first:
        VouchFactory(vouchee=mate)
    drain_everything()
    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"} if vouched_first else set()}
