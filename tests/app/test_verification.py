"""Basket is asked whether it agrees: choices are kept, losses are not taken for choices."""

from io import StringIO

import pytest
from django.core.management import call_command

from mozillians_basket import tasks, verification
from mozillians_basket.models import Contact, Event, Pulse, Subscription
from tests.factories import VouchFactory


@pytest.fixture
def members(basket, commit, settings):
    """Four vouched members, as Basket has them."""
    settings.BASKET_RECHECK_SECONDS = 0.001
    with commit():
        vouches = VouchFactory.create_batch(4)
    return [vouch.vouchee for vouch in vouches]


def verify():
    tasks.verify()
    tasks.sweep()


def command(*options):
    out = StringIO()
    call_command("basket_reconcile", "--apply", "--verify", *options, stdout=out, stderr=out)


def states():
    return sorted(Subscription.objects.values_list("state", flat=True))


def newsletters(basket, profile):
    return set(basket.person(profile.user.email).newsletters)


def test_an_opt_out_is_noticed_and_kept(basket, members, commit):
    basket.put_person(members[0].user.email, newsletters=[])

    verify()
    verify()
    with commit():
        members[0].vouches_received.all().delete()
    with commit():
        VouchFactory(vouchee=members[0])

    assert states() == ["opted_out", "subscribed", "subscribed", "subscribed"]
    assert newsletters(basket, members[0]) == set()


def test_a_turned_off_everything_is_noticed_at_once(basket, members):
    basket.put_person(members[0].user.email, newsletters=[], optout=True)

    verify()

    assert states().count("opted_out") == 1


def test_what_is_back_at_the_next_look_was_no_opt_out(basket, members):
    basket.put_person(members[0].user.email, newsletters=[])
    verify()
    basket.put_person(members[0].user.email, newsletters=["mozilla-phone"])

    verification.verify(None)
    tasks.sweep()
    verify()

    assert states() == ["subscribed"] * 4
    assert verification.missing() == {}


def test_the_longest_unverified_are_looked_up_first(basket, members, settings):
    settings.BASKET_VERIFY_PER_MINUTE = 2
    basket.clear_requests()

    verify()
    first = [request.email for request in basket.requests]
    verify()
    both = [request.email for request in basket.requests]

    assert len(first) == 2
    assert sorted(both) == sorted(profile.user.email for profile in members)


def test_many_losses_at_once_are_a_fault_and_not_recorded(basket, members, settings, commit):
    settings.BASKET_BRAKE_FLOOR = 2
    basket.forget_people()

    verify()
    verify()

    assert Pulse.now().losing_since is not None
    assert states() == ["subscribed"] * 4
    assert basket.people == {}


def test_while_losing_no_other_lookup_records_an_opt_out_or_subscribes(
    basket, members, settings, commit
):
    settings.BASKET_BRAKE_FLOOR = 2
    basket.forget_people()
    verify()
    verify()

    tasks.subscribe_user_to_basket(members[0].pk, ["mozilla-phone"])

    assert states() == ["subscribed"] * 4
    assert basket.people == {}


def test_an_admin_can_say_that_basket_lost_them(basket, members, settings):
    settings.BASKET_BRAKE_FLOOR = 2
    basket.forget_people()
    verify()
    verify()

    command("--restore")
    tasks.sweep()

    assert [newsletters(basket, profile) for profile in members] == [{"mozilla-phone"}] * 4
    assert Pulse.now().losing_since is None


def test_an_admin_can_say_that_they_all_opted_out(basket, members, settings):
    settings.BASKET_BRAKE_FLOOR = 2
    basket.forget_people()
    verify()
    verify()

    command("--go")
    tasks.sweep()

    assert states() == ["opted_out"] * 4
    assert basket.people == {}
    assert Pulse.now().losing_since is None


def test_an_address_that_basket_forgot_to_unsubscribe_is_unsubscribed_again(
    basket, members, commit
):
    with commit():
        members[0].vouches_received.all().delete()
    basket.put_person(members[0].user.email, newsletters=["mozilla-phone"])

    verify()

    assert newsletters(basket, members[0]) == set()


def test_nobody_is_verified_while_the_breaker_is_open(basket, members, settings):
    key, settings.BASKET_API_KEY = settings.BASKET_API_KEY, "wrong"
    verify()
    settings.BASKET_API_KEY = key
    basket.clear_requests()

    verify()

    assert basket.requests == []
    assert Contact.objects.filter(attempts__gt=0).count() == 0


def test_who_changed_their_address_at_basket_is_noticed_and_not_subscribed_again(
    basket, members, settings
):
    settings.BASKET_BRAKE_FLOOR = 2
    for number, profile in enumerate(members):
        basket.put_person(profile.user.email, new_email=f"elsewhere{number}@example.com")

    verify()
    verify()

    assert Pulse.now().losing_since is None
    assert states() == ["opted_out"] * 4
    assert Event.objects.filter(kind=Event.Kind.RENAMED).count() == 4
    held = {email: set(person.newsletters) for email, person in basket.people.items()}
    assert held == {f"elsewhere{number}@example.com": {"mozilla-phone"} for number in range(4)}
