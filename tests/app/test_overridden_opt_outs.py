"""An admin's explicit word against an opt-out holds for the next call, and no longer."""

import pytest
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import create_batch, work_off_batches
from mozillians_basket.models import Batch
from tests.app.steps import contact_of, drain_everything, held, settle_everything
from tests.factories import UserProfileFactory, VouchFactory

PHONE = "mozilla-phone"


@pytest.fixture
def opted_out(basket, vouched, commit):
    """A member who turned the newsletter off at Basket, which the ledger knows."""
    basket.put_person(vouched.user.email, newsletters=[])
    tasks.subscribe_user_to_basket(vouched.pk, [PHONE])
    assert contact_of(vouched).subscriptions.get().state == "opted_out"
    return vouched


def subscribe_anyway(profile):
    create_batch(Batch.Action.SUBSCRIBE, [PHONE], [profile.pk], actor=None, despite_opt_out=True)


def test_it_is_carried_once(basket, opted_out):
    subscribe_anyway(opted_out)

    settle_everything()

    assert held(basket, opted_out.user.email) == {opted_out.user.email: {PHONE}}


def test_who_opts_out_again_stays_out(basket, opted_out):
    subscribe_anyway(opted_out)
    settle_everything()
    basket.put_person(opted_out.user.email, newsletters=[])

    tasks.subscribe_user_to_basket(opted_out.pk, [PHONE])

    assert held(basket, opted_out.user.email) == {opted_out.user.email: set()}


def test_a_policy_that_changes_its_mind_first_leaves_the_opt_out_in_force(basket, opted_out):
    subscribe_anyway(opted_out)
    work_off_batches()
    with override_switch(SWITCH, active=False):
        opted_out.vouches_received.all().delete()
        drain_everything()
    settle_everything()

    VouchFactory(vouchee=opted_out)
    drain_everything()
    settle_everything()

    assert held(basket, opted_out.user.email) == {opted_out.user.email: set()}
    assert contact_of(opted_out).subscriptions.get().state == "opted_out"


def test_who_had_come_back_by_themselves_keeps_it(basket, commit):
    with commit():
        profile = UserProfileFactory()
    tasks.subscribe_user_to_basket(profile.pk, [PHONE])
    basket.put_person(profile.user.email, newsletters=[])
    tasks.subscribe_user_to_basket(profile.pk, [PHONE])
    basket.put_person(profile.user.email, newsletters=[PHONE])

    subscribe_anyway(profile)
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: {PHONE}}
