"""``is_vouched`` follows from the vouches, on every way of creating and deleting them."""

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from project.people.models import UserProfile, Vouch
from tests.factories import UserProfileFactory, VouchFactory

pytestmark = pytest.mark.django_db


def is_vouched(profile: UserProfile) -> bool:
    return UserProfile.objects.get(pk=profile.pk).is_vouched


def test_a_new_member_is_not_vouched() -> None:
    profile = UserProfileFactory.create()

    assert not is_vouched(profile)


def test_the_first_vouch_vouches_the_vouchee_only() -> None:
    vouch = VouchFactory.create()

    assert is_vouched(vouch.vouchee)
    assert vouch.voucher is not None
    assert not is_vouched(vouch.voucher)


def test_a_member_stays_vouched_until_the_last_vouch_goes() -> None:
    profile = UserProfileFactory.create()
    first, second = VouchFactory.create_batch(2, vouchee=profile)

    first.delete()
    after_first = is_vouched(profile)
    second.delete()

    assert after_first
    assert not is_vouched(profile)


def test_deleting_vouches_by_queryset_unvouches_all_their_vouchees() -> None:
    vouches = VouchFactory.create_batch(2)

    Vouch.objects.all().delete()

    assert [is_vouched(vouch.vouchee) for vouch in vouches] == [False, False]


def test_a_vouch_stands_when_its_voucher_leaves_the_site() -> None:
    vouch = VouchFactory.create()
    assert vouch.voucher is not None

    vouch.voucher.user.delete()

    assert Vouch.objects.get().voucher is None
    assert is_vouched(vouch.vouchee)


def test_a_vouched_member_can_be_deleted() -> None:
    vouch = VouchFactory.create()

    vouch.vouchee.user.delete()

    assert not Vouch.objects.exists()
    assert list(UserProfile.objects.all()) == [vouch.voucher]


def test_a_vouch_that_goes_to_another_member_leaves_the_first_unvouched() -> None:
    vouch = VouchFactory.create()
    first, second = vouch.vouchee, UserProfileFactory.create()

    vouch.vouchee = second
    vouch.save()

    assert not is_vouched(first)
    assert is_vouched(second)


def test_a_member_with_another_vouch_stays_vouched_when_one_goes_elsewhere() -> None:
    profile = UserProfileFactory.create()
    first, _ = VouchFactory.create_batch(2, vouchee=profile)

    first.vouchee = UserProfileFactory.create()
    first.save()

    assert is_vouched(profile)


def test_an_edited_reason_changes_nothing() -> None:
    vouch = VouchFactory.create()

    vouch.reason = "Three years of translating"
    vouch.save()

    assert is_vouched(vouch.vouchee)


def test_the_profile_in_hand_knows_at_once() -> None:
    profile = UserProfileFactory.create()

    vouch = VouchFactory.create(vouchee=profile)
    after_vouch = profile.is_vouched
    vouch.delete()

    assert after_vouch
    assert not profile.is_vouched


def test_a_profile_read_before_the_vouch_does_not_take_it_back() -> None:
    stale = UserProfileFactory.create()
    VouchFactory.create(vouchee=UserProfile.objects.get(pk=stale.pk))

    stale.full_name = "Someone"
    stale.save()

    assert is_vouched(stale)
    assert UserProfile.objects.get(pk=stale.pk).full_name == "Someone"


def test_a_profile_with_deferred_fields_saves_the_others() -> None:
    pk = UserProfileFactory.create(full_name="Someone", country="DE").pk
    profile = UserProfile.objects.only("country").get(pk=pk)

    profile.country = "FR"
    profile.save()

    assert UserProfile.objects.filter(full_name="Someone", country="FR").exists()


def test_a_fixture_is_loaded_as_it_is() -> None:
    vouch = VouchFactory.create()
    rows = serializers.serialize("json", [vouch.vouchee, vouch])
    UserProfile.objects.update(is_vouched=False)
    Vouch.objects.all().delete()

    for row in serializers.deserialize("json", rows):
        if isinstance(row.object, Vouch):
            row.save()

    assert Vouch.objects.exists()
    assert not is_vouched(vouch.vouchee)


def test_nobody_vouches_for_themselves() -> None:
    profile = UserProfileFactory.create()

    with pytest.raises(IntegrityError), transaction.atomic():
        VouchFactory.create(voucher=profile, vouchee=profile)

    assert not Vouch.objects.exists()


def test_nobody_vouches_twice_for_the_same_member() -> None:
    vouch = VouchFactory.create()
    again = VouchFactory.build(voucher=vouch.voucher, vouchee=vouch.vouchee)

    with pytest.raises(ValidationError, match="vouched for that one already"):
        again.full_clean()


@pytest.mark.django_db(transaction=True)
def test_a_vouch_is_not_stored_when_is_vouched_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    voucher, vouchee = UserProfileFactory.create_batch(2)

    def fail(*args: object, **kwargs: object) -> bool:
        raise IntegrityError

    monkeypatch.setattr("project.people.receivers.refresh_is_vouched", fail)
    with pytest.raises(IntegrityError):
        VouchFactory.create(voucher=voucher, vouchee=vouchee)

    assert not Vouch.objects.exists()


def test_is_vouched_can_be_set_by_hand_and_saved() -> None:
    profile = UserProfileFactory.create()
    profile = UserProfile.objects.get(pk=profile.pk)
    profile.is_vouched = True

    profile.save()

    assert is_vouched(profile)
