"""People who took another address at Basket are unsubscribed there, by token."""

import pytest
from django.utils import timezone

from mozillians_basket import api
from mozillians_basket.models import Contact, Event
from tests.app.steps import drain_everything, held, settle_everything
from tests.factories import UserFactory, UserProfileFactory, VouchFactory

OLD, NEW, NEXT = "old@example.com", "new@example.com", "next@example.com"
PHONE, NDA = "mozilla-phone", "mozillians-nda"


def look_again():
    """Look the old address up although nothing changed, and carry on until all is settled."""
    Contact.objects.filter(key=OLD).update(touched_at=timezone.now(), not_before=None)
    settle_everything()


@pytest.fixture
def member(basket, commit):
    """A vouched member whose newsletter a lookup has seen."""
    with commit():
        profile = UserProfileFactory(user=UserFactory(email=OLD))
        VouchFactory(vouchee=profile)
    settle_everything()
    look_again()
    return profile


@pytest.fixture
def renamed(basket, member):
    """The member took another address at Basket, and then turned on a newsletter on the site."""
    basket.rename_person(OLD, NEW)
    look_again()
    api.opt_in(member, [NDA])
    settle_everything()
    look_again()
    assert held(basket, OLD, NEW) == {OLD: {NDA}, NEW: {PHONE}}
    return member


def test_renamed_person_is_unsubscribed_when_the_policy_ends(basket, renamed):
    renamed.vouches_received.all().delete()
    drain_everything()
    settle_everything()

    assert held(basket, OLD, NEW) == {OLD: {NDA}, NEW: set()}


def test_nothing_is_left_when_the_member_is_deleted(basket, renamed):
    renamed.user.delete()
    drain_everything()
    settle_everything()

    assert held(basket, OLD, NEW) == {OLD: set(), NEW: set()}
    assert not Contact.objects.exclude(members__isnull=False).exists()


def test_newsletters_of_a_renamed_person_go_to_the_next_address_first(basket, renamed):
    basket.clear_requests()

    renamed.user.email = NEXT
    renamed.user.save()
    drain_everything()
    settle_everything()

    calls = [r.endpoint for r in basket.requests if r.endpoint in {"subscribe", "unsubscribe"}]
    assert held(basket, OLD, NEW, NEXT) == {OLD: set(), NEW: set(), NEXT: {PHONE, NDA}}
    assert calls[0] == "subscribe"


def test_new_address_that_becomes_a_members_is_left_to_that_member(basket, renamed, commit):
    with commit():
        VouchFactory(vouchee=UserProfileFactory(user=UserFactory(email=NEW)))
    settle_everything()

    renamed.user.delete()
    drain_everything()
    settle_everything()

    assert held(basket, OLD, NEW) == {OLD: set(), NEW: {PHONE}}


def test_person_whose_old_address_was_taken_before_a_lookup_is_found(basket, member):
    basket.rename_person(OLD, NEW)
    basket.put_person(OLD, newsletters=[])
    look_again()
    assert held(basket, OLD, NEW) == {OLD: set(), NEW: {PHONE}}
    assert not Event.objects.filter(kind=Event.Kind.OPTED_OUT).exists()

    member.user.delete()
    drain_everything()
    settle_everything()

    assert held(basket, OLD, NEW) == {OLD: set(), NEW: set()}


def test_history_tells_once_that_a_person_was_renamed(renamed):
    assert Event.objects.filter(kind=Event.Kind.RENAMED).count() == 1
    assert not Event.objects.filter(kind=Event.Kind.OPTED_OUT).exists()
