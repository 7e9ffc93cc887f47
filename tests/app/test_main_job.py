"""The main job, from a change of the site's to what Basket holds."""

from tests.factories import UserProfileFactory, VouchFactory


def test_a_vouched_member_is_subscribed(basket, django_capture_on_commit_callbacks):
    profile = UserProfileFactory()

    with django_capture_on_commit_callbacks(execute=True):
        VouchFactory(vouchee=profile)

    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}
