"""Two members with one address are one person to Basket."""

import pytest

from mozillians_basket import client, ledger, sync
from mozillians_basket.models import Contact
from tests.app.steps import (
    claimed,
    contact_of,
    drain_everything,
    held,
    opt_outs,
    run,
    settle_everything,
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


def test_what_one_of_them_still_wants_stays(basket, two):
    unvouch(two[0])

    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}


def test_what_none_of_them_wants_goes(basket, two):
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


def test_who_wants_it_again_while_it_is_taken_from_the_other_gets_it_back(basket, two):
    unvouch(*two)
    sheet = run(claimed(two[0]), sync.look_up)
    current = client.look_up(SHARED)
    sheet.change(lambda: ledger.note_removal(sheet, frozenset({"mozilla-phone"})))
    VouchFactory(vouchee=two[1])
    drain_everything()
    client.unsubscribe(current, ["mozilla-phone"])

    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}
    assert opt_outs() == []


def test_one_who_moves_away_leaves_the_other_what_is_wanted(basket, two):
    two[0].user.email = "moved@example.com"
    two[0].user.save()
    drain_everything()

    settle_everything()

    assert held(basket, SHARED, "moved@example.com") == {
        SHARED: {"mozilla-phone"},
        "moved@example.com": {"mozilla-phone"},
    }


def test_one_who_is_deleted_leaves_the_other_what_is_wanted(basket, two):
    two[0].user.delete()
    drain_everything()

    settle_everything()

    assert held(basket, SHARED) == {SHARED: {"mozilla-phone"}}
    assert list(Contact.objects.filter(email__iexact=SHARED)) == [contact_of(two[1])]


def test_who_moves_to_the_address_of_somebody_unvouched_shares_theirs(basket, vouched, commit):
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


def test_a_late_removal_does_not_take_it_from_who_came_back(basket, vouched, commit):
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
