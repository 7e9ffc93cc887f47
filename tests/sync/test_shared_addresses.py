"""Two members with one address are one person to Basket."""

import pytest

from mozillians_basket.models import Contact, Member
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
