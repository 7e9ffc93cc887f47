"""The texts of profiles and vouches."""

import pytest

from tests.factories import UserProfileFactory, VouchFactory


def test_a_profile_without_a_full_name_goes_by_its_username() -> None:
    profile = UserProfileFactory.build(user__username="fox")

    assert str(profile) == "fox"


def test_a_profile_with_a_full_name_goes_by_that() -> None:
    profile = UserProfileFactory.build(full_name="Red Fox")

    assert str(profile) == "Red Fox"


@pytest.mark.django_db
def test_a_vouch_without_voucher_still_has_a_name() -> None:
    vouch = VouchFactory.create(voucher=None, vouchee__full_name="Red Fox")

    assert str(vouch) == "- → Red Fox"
