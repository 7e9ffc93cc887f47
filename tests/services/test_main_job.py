"""The main job, by a worker of its own: from a change of the site's to what Basket holds."""

import pytest

from mozillians_basket.models import Contact
from mozillians_basket.sandbox.testing import SandboxServer
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory
from tests.services.site import newsletters_of, settle
from tests.services.worker import Beat, Worker

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def test_a_member_s_way_through_the_site_is_carried_to_basket(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    profile = UserProfileFactory.create()
    email = profile.user.email

    vouch = VouchFactory.create(vouchee=profile)
    settle()
    assert newsletters_of(basket, email) == {"mozilla-phone"}

    MembershipFactory.create(profile=profile, group=GroupFactory.create(slug="nda"))
    settle()
    assert newsletters_of(basket, email) == {"mozilla-phone", "mozillians-nda"}

    vouch.delete()
    settle()
    assert newsletters_of(basket, email) == {"mozillians-nda"}

    profile.user.email = "moved@example.com"
    profile.user.save()
    settle()
    assert newsletters_of(basket, "moved@example.com") == {"mozillians-nda"}
    assert newsletters_of(basket, email) == set()

    contact = Contact.objects.get(member=profile)
    profile.user.delete()
    settle()
    assert newsletters_of(basket, "moved@example.com") == set()
    contact.refresh_from_db()
    assert (contact.member_id, contact.email, contact.wanted_email) == (None, "", "")


def test_a_vouch_is_carried_to_basket_by_its_message_alone(
    worker: Worker, basket: SandboxServer
) -> None:
    profile = UserProfileFactory.create()

    VouchFactory.create(vouchee=profile)
    settle()

    assert newsletters_of(basket, profile) == {"mozilla-phone"}
