"""The main job with a worker of its own, from a change on the site to Basket's contents."""

import pytest

from mozillians_basket.models import Contact
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Beat, Worker
from tests.factories import GroupFactory, MembershipFactory, VouchFactory
from tests.services.conftest import StartWorker
from tests.services.site import member, newsletters_of, settle

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def test_a_member_s_way_through_the_site_is_carried_to_basket(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    profile = member()
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

    profile.user.delete()
    settle()
    assert newsletters_of(basket, "moved@example.com") == set()
    assert not Contact.objects.filter(email__in=[email, "moved@example.com"]).exists()


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
@pytest.mark.parametrize("pool", ["threads", "gevent"])
def test_other_pools_carry_a_change_of_address(
    pool: str, start_worker: StartWorker, beat: Beat, basket: SandboxServer
) -> None:
    start_worker("--pool", pool, "--concurrency", "4")
    profile = member()
    VouchFactory.create(vouchee=profile)
    settle()
    left = profile.user.email
    assert newsletters_of(basket, left) == {"mozilla-phone"}

    profile.user.email = "moved@example.com"
    profile.user.save()
    settle()

    assert newsletters_of(basket, "moved@example.com") == {"mozilla-phone"}
    assert newsletters_of(basket, left) == set()


def test_a_vouch_is_carried_to_basket_by_its_message_alone(
    worker: Worker, basket: SandboxServer
) -> None:
    profile = member()

    VouchFactory.create(vouchee=profile)
    settle()

    assert newsletters_of(basket, profile) == {"mozilla-phone"}
