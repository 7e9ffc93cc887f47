"""Basket says ok and stores nothing for a blocked domain: shown, and not tried for ever."""

from mozillians_basket import tasks
from tests.app.steps import contact_of, held, settle_everything
from tests.factories import UserProfileFactory, VouchFactory

BLOCKED = "somebody@blocked.example.com"


def test_a_new_member_of_a_blocked_domain_is_tried_once(basket, commit):
    with commit():
        profile = UserProfileFactory(user__email=BLOCKED)
        VouchFactory(vouchee=profile)
    settle_everything()
    basket.clear_requests()

    tasks.sweep()

    assert basket.requests == []
    assert contact_of(profile).subscriptions.get().state == "refused"


def test_who_moves_to_a_blocked_domain_keeps_it_at_the_old_address(basket, vouched, commit):
    old = vouched.user.email
    vouched.user.email = BLOCKED

    with commit():
        vouched.user.save()
    settle_everything()

    assert held(basket, old, BLOCKED) == {old: {"mozilla-phone"}, BLOCKED: set()}
    assert contact_of(vouched).error == "refused"


def test_who_is_unvouched_after_that_loses_it_at_the_old_address(basket, vouched, commit):
    old = vouched.user.email
    vouched.user.email = BLOCKED
    with commit():
        vouched.user.save()

    with commit():
        vouched.vouches_received.all().delete()
    settle_everything()

    assert held(basket, old) == {old: set()}


def test_an_admin_may_have_a_refused_address_tried_again(basket, vouched, commit):
    old, new = vouched.user.email, "moved@example.com"
    basket.fail("subscribe", status=200, email=new)
    vouched.user.email = new
    with commit():
        vouched.user.save()
    settle_everything()
    basket.heal()

    tasks.subscribe_user_to_basket(vouched.pk, ["mozillians-nda"])
    settle_everything()

    assert held(basket, old, new) == {old: set(), new: {"mozilla-phone", "mozillians-nda"}}
