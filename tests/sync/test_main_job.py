"""The main job, from a change on the site to Basket's records."""

import pytest
from django.db import transaction

from mozillians_basket.models import (
    Contact,
    Decision,
    Event,
    Member,
    Subscription,
    Touch,
)
from project.groups.models import Membership
from tests.app.steps import settle_everything, subscription_of
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory


def nda_membership(profile, status=Membership.Status.MEMBER):
    return MembershipFactory(profile=profile, group=GroupFactory(slug="nda"), status=status)


def newsletters(basket, email):
    person = basket.person(email)
    return set() if person is None else set(person.newsletters)


def calls(basket):
    return [request.endpoint for request in basket.requests]


def test_a_new_member_costs_basket_nothing(basket, commit):
    with commit():
        UserProfileFactory()

    assert basket.requests == []
    assert Contact.objects.count() == 1


def test_a_vouched_member_is_subscribed(basket, commit):
    profile = UserProfileFactory()

    with commit():
        VouchFactory(vouchee=profile)

    assert newsletters(basket, profile.user.email) == {"mozilla-phone"}
    assert calls(basket) == ["lookup", "subscribe"]


def test_a_second_vouch_costs_basket_nothing(basket, vouched, commit):
    basket.clear_requests()

    with commit():
        VouchFactory(vouchee=vouched)

    assert basket.requests == []


def test_a_member_who_has_it_at_basket_already_is_looked_up_only(basket, commit):
    profile = UserProfileFactory()
    basket.put_person(profile.user.email, newsletters=["mozilla-phone", "about-mozilla"])

    with commit():
        VouchFactory(vouchee=profile)

    assert calls(basket) == ["lookup"]
    assert newsletters(basket, profile.user.email) == {"mozilla-phone", "about-mozilla"}


def test_an_unvouched_member_is_unsubscribed_from_ours_only(basket, vouched, commit):
    basket.put_person(vouched.user.email, add=["about-mozilla"])

    with commit():
        vouched.vouches_received.all().delete()

    assert newsletters(basket, vouched.user.email) == {"about-mozilla"}


def test_a_vouch_that_goes_to_another_member_moves_the_newsletter(basket, vouched, commit):
    vouch = vouched.vouches_received.get()
    other = UserProfileFactory()
    vouch.refresh_from_db()
    vouch.vouchee = other

    with commit():
        vouch.save()

    assert newsletters(basket, vouched.user.email) == set()
    assert newsletters(basket, other.user.email) == {"mozilla-phone"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(Membership.Status.MEMBER, {"mozillians-nda"}, id="member"),
        pytest.param(Membership.Status.PENDING, set(), id="pending"),
        pytest.param(Membership.Status.PENDING_TERMS, set(), id="pending terms"),
    ],
)
def test_only_full_members_of_the_nda_group_are_subscribed(basket, commit, status, expected):
    profile = UserProfileFactory()

    with commit():
        nda_membership(profile, status)

    assert newsletters(basket, profile.user.email) == expected


def test_membership_of_another_group_is_nothing_to_basket(basket, commit):
    with commit():
        MembershipFactory()

    assert basket.people == {}


def test_a_member_who_leaves_the_nda_group_keeps_the_other_newsletter(basket, vouched, commit):
    with commit():
        membership = nda_membership(vouched)

    with commit():
        membership.delete()

    assert newsletters(basket, vouched.user.email) == {"mozilla-phone"}


def test_a_member_who_is_put_back_to_pending_is_unsubscribed(basket, commit):
    profile = UserProfileFactory()
    with commit():
        membership = nda_membership(profile)
    membership.status = Membership.Status.PENDING

    with commit():
        membership.save()

    assert newsletters(basket, profile.user.email) == set()


def test_a_changed_address_takes_ours_along_and_leaves_the_rest(basket, vouched, commit):
    old = vouched.user.email
    basket.put_person(old, add=["about-mozilla"])
    basket.clear_requests()
    vouched.user.email = "moved@example.com"

    with commit():
        vouched.user.save()

    assert newsletters(basket, "moved@example.com") == {"mozilla-phone"}
    assert newsletters(basket, old) == {"about-mozilla"}
    assert calls(basket) == ["lookup", "lookup", "subscribe", "unsubscribe"]


def test_an_old_address_that_basket_forgot_to_clear_is_cleared_again(
    basket, vouched, commit, settings
):
    old = vouched.user.email
    vouched.user.email = "moved@example.com"
    basket.fail("unsubscribe", kind="ignore", times=1)

    with commit():
        vouched.user.save()
    forgotten = newsletters(basket, old)
    settings.BASKET_RECHECK_SECONDS = settings.BASKET_REMOVAL_GRACE_SECONDS = 0.001
    Contact.objects.update(not_before=None)
    settle_everything()

    assert forgotten == {"mozilla-phone"}
    assert newsletters(basket, old) == set()
    assert newsletters(basket, "moved@example.com") == {"mozilla-phone"}
    assert not Contact.objects.filter(email=old).exists()


def test_a_newsletter_of_ours_that_no_policy_gave_moves_along(basket, commit):
    profile = UserProfileFactory()
    old = profile.user.email
    basket.put_person(old, newsletters=["mozilla-phone", "about-mozilla"])
    profile.user.email = "moved@example.com"

    with commit():
        profile.user.save()

    assert newsletters(basket, "moved@example.com") == {"mozilla-phone"}
    assert newsletters(basket, old) == {"about-mozilla"}


def test_a_changed_address_of_a_member_with_nothing_is_only_looked_up(basket, commit):
    with commit():
        profile = UserProfileFactory()
    profile.user.email = "moved@example.com"

    with commit():
        profile.user.save()

    assert calls(basket) == ["lookup", "lookup"]
    assert basket.people == {}


def test_a_deleted_member_is_unsubscribed_and_then_erased(basket, vouched, commit, settings):
    settings.BASKET_RECHECK_SECONDS = settings.BASKET_REMOVAL_GRACE_SECONDS = 0.001
    email, key = vouched.user.email, vouched.pk

    with commit():
        vouched.user.delete()
    cleared = newsletters(basket, email)
    settle_everything()

    assert cleared == set()
    assert not Contact.objects.filter(key=email).exists()
    assert not Member.objects.filter(site_member=key).exists()
    assert not Decision.objects.exists()
    assert not Subscription.objects.filter(contact__members=None).exists()
    assert [event.kind for event in Event.objects.all()] == [Event.Kind.ERASED]
    assert Event.objects.get().member_id is None


def test_a_deleted_member_unknown_to_the_ledger_is_unsubscribed(basket, commit):
    profile = UserProfileFactory()
    Touch.objects.all().delete()
    basket.put_person(profile.user.email, newsletters=["mozilla-phone", "about-mozilla"])

    with commit():
        profile.delete()

    assert newsletters(basket, profile.user.email) == {"about-mozilla"}


def test_a_rolled_back_vouch_sends_nothing(basket, commit):
    profile = UserProfileFactory()
    Touch.objects.all().delete()

    with commit(), transaction.atomic():
        VouchFactory(vouchee=profile)
        transaction.set_rollback(True)

    assert basket.requests == []
    assert not Touch.objects.exists()


def test_a_vouch_after_a_rolled_back_one_is_carried_to_basket(basket, commit):
    first, second = UserProfileFactory(), UserProfileFactory()

    with commit(), transaction.atomic():
        with transaction.atomic():
            VouchFactory(vouchee=first)
            transaction.set_rollback(True)
        VouchFactory(vouchee=second)

    assert set(basket.people) == {second.user.email}


def test_vouch_and_unvouch_in_one_transaction_sends_nothing(basket, commit):
    profile = UserProfileFactory()

    with commit():
        VouchFactory(vouchee=profile).delete()

    assert basket.people == {}


def test_a_policy_never_subscribes_against_an_opt_out_at_basket(basket, vouched, commit):
    basket.put_person(vouched.user.email, newsletters=[])
    with commit():
        vouched.vouches_received.all().delete()

    with commit():
        VouchFactory(vouchee=vouched)

    assert newsletters(basket, vouched.user.email) == set()
    settle_everything()
    assert newsletters(basket, vouched.user.email) == set()
    assert subscription_of(vouched).state == "opted out"


def test_a_member_who_turned_everything_off_is_not_subscribed(basket, commit):
    profile = UserProfileFactory()
    basket.put_person(profile.user.email, newsletters=[], optout=True)

    with commit():
        VouchFactory(vouchee=profile)

    assert basket.person(profile.user.email).optout is True
    assert newsletters(basket, profile.user.email) == set()


def test_an_opt_out_follows_a_member_to_a_new_address(basket, vouched, commit):
    basket.put_person(vouched.user.email, newsletters=[])
    vouched.user.email = "moved@example.com"

    with commit():
        vouched.user.save()

    assert newsletters(basket, "moved@example.com") == set()


def test_an_opt_out_at_the_new_address_counts(basket, vouched, commit):
    old = vouched.user.email
    basket.put_person("moved@example.com", newsletters=[], optout=True)
    vouched.user.email = "moved@example.com"

    with commit():
        vouched.user.save()

    assert basket.person("moved@example.com").optout is True
    assert newsletters(basket, old) == set()
