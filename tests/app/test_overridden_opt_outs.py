"""An order despite opt-outs holds until Basket has confirmed it, and no longer."""

import pytest
from waffle.testutils import override_switch

from mozillians_basket import bulk, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import BulkItem, BulkRequest
from tests.app.steps import drain_everything, held, settle_everything, subscription_of
from tests.factories import UserProfileFactory, VouchFactory

PHONE = "mozilla-phone"


@pytest.fixture
def opted_out(basket, vouched):
    """A member who turned the newsletter off at Basket, which the ledger knows."""
    basket.put_person(vouched.user.email, newsletters=[])
    tasks.subscribe_user_to_basket(vouched.pk, [PHONE])
    settle_everything()
    assert subscription_of(vouched).state == "opted out"
    return vouched


def subscribe_anyway(*profiles):
    keys = [profile.pk for profile in profiles]
    request = bulk.draft(BulkRequest.Action.SUBSCRIBE, keys, actor=None)
    assert bulk.confirm(request, [PHONE], despite_opt_out=True)


def test_it_is_carried_out_once(basket, opted_out):
    subscribe_anyway(opted_out)

    settle_everything()

    assert held(basket, opted_out.user.email) == {opted_out.user.email: {PHONE}}
    assert BulkItem.objects.get().state == BulkItem.State.DONE


def test_member_who_opts_out_again_stays_out(basket, opted_out):
    subscribe_anyway(opted_out)
    settle_everything()
    tasks.subscribe_user_to_basket(opted_out.pk, [PHONE])  # a lookup shows it
    basket.put_person(opted_out.user.email, newsletters=[])

    tasks.subscribe_user_to_basket(opted_out.pk, [PHONE])
    settle_everything()

    assert held(basket, opted_out.user.email) == {opted_out.user.email: set()}


def test_a_policy_that_changes_before_basket_is_told_supersedes_it(basket, opted_out):
    subscribe_anyway(opted_out)
    bulk.advance()
    with override_switch(SWITCH, active=False):
        opted_out.vouches_received.all().delete()
        drain_everything()

    settle_everything()

    assert held(basket, opted_out.user.email) == {opted_out.user.email: set()}


def test_member_who_had_come_back_keeps_it(basket, commit):
    with commit():
        profile = UserProfileFactory()
    tasks.subscribe_user_to_basket(profile.pk, [PHONE])
    tasks.subscribe_user_to_basket(profile.pk, [PHONE])
    basket.put_person(profile.user.email, newsletters=[])
    tasks.subscribe_user_to_basket(profile.pk, [PHONE])
    settle_everything()
    basket.put_person(profile.user.email, newsletters=[PHONE])

    subscribe_anyway(profile)
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: {PHONE}}


def test_members_who_did_not_opt_out_are_subscribed_too(basket, opted_out):
    other = VouchFactory().vouchee
    drain_everything()

    subscribe_anyway(opted_out, other)
    settle_everything()

    emails = opted_out.user.email, other.user.email
    assert held(basket, *emails) == {email: {PHONE} for email in emails}
