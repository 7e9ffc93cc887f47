"""Basket answers ok and stores nothing for a blocked domain: a problem, with limited attempts."""

from mozillians_basket import tasks
from tests.app.steps import held, settle_everything, subscription_of
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
    assert subscription_of(profile).state == "refused"


def test_a_member_who_moves_to_a_blocked_domain_keeps_the_old_address(basket, vouched, commit):
    old = vouched.user.email
    vouched.user.email = BLOCKED

    with commit():
        vouched.user.save()
    settle_everything()

    assert held(basket, old, BLOCKED) == {old: {"mozilla-phone"}, BLOCKED: set()}
    assert subscription_of(vouched).error_code == "blocked domain"


def test_a_member_unvouched_after_that_loses_it_at_the_old_address(basket, vouched, commit):
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

    tasks.subscribe_user_to_basket(vouched.pk, ["mozilla-phone", "mozillians-nda"])
    settle_everything()

    assert held(basket, old, new) == {old: set(), new: {"mozilla-phone", "mozillians-nda"}}
