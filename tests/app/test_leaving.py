"""Deactivated members leave as if they were deleted, or no longer meet any policy."""

from typing import Any

import pytest
from django.db.models import Q

from mozillians_basket.api import order
from mozillians_basket.dependencies import Dependencies
from mozillians_basket.ledger import touches
from mozillians_basket.models import Member, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.site import BasketSite, Policy, get_site
from mozillians_basket.upkeep import reconcile
from project.people.models import UserProfile
from tests.app.steps import settle_everything
from tests.factories import UserProfileFactory, VouchFactory


class Deleted(BasketSite):
    email = "user__email"
    members = UserProfile.objects.filter(user__is_active=True)
    policies = (Policy("mozilla-phone", Q(is_vouched=True), label="vouched members"),)


class NotEntitled(Deleted):
    leaving = "not entitled"


class ByGroups(Deleted):
    members = UserProfile.objects.filter(user__groups__name="staff", memberships__status="member")


class Raw(Deleted):
    members = UserProfile.objects.extra(where=["1 = 1"])


@pytest.fixture(params=["Deleted", "NotEntitled"])
def site(request: pytest.FixtureRequest, settings: Any, basket: SandboxServer) -> str:
    """A site with either treatment; its members are vouched at once."""
    settings.BASKET_SITE = f"{__name__}.{request.param}"
    return str(request.param)


@pytest.fixture
def profile(site: str) -> UserProfile:
    """A member who is subscribed, and has a newsletter that an admin ordered."""
    profile = VouchFactory.create().vouchee
    settle_everything()  # type: ignore[no-untyped-call]
    order(profile, ["mozilla-phone"], subscribe=True)
    settle_everything()  # type: ignore[no-untyped-call]
    return profile


def deactivate(profile: UserProfile) -> None:
    profile.user.is_active = False
    profile.user.save()


def newsletters(basket: SandboxServer, email: str) -> set[str]:
    person = basket.person(email)
    return set(person.newsletters) if person else set()


def test_deactivated_member_loses_the_newsletters(
    basket: SandboxServer, site: str, profile: UserProfile
) -> None:
    assert newsletters(basket, profile.user.email) == {"mozilla-phone"}

    deactivate(profile)
    settle_everything()  # type: ignore[no-untyped-call]

    assert newsletters(basket, profile.user.email) == set()
    assert Member.objects.filter(site_member=profile).exists() == (site == "NotEntitled")


def test_reactivated_member_gets_them_back(basket: SandboxServer, profile: UserProfile) -> None:
    deactivate(profile)
    settle_everything()  # type: ignore[no-untyped-call]

    profile.user.is_active = True
    profile.user.save()
    settle_everything()  # type: ignore[no-untyped-call]

    assert newsletters(basket, profile.user.email) == {"mozilla-phone"}


def test_reconciler_finds_a_deactivation_that_no_signal_showed(
    basket: SandboxServer, profile: UserProfile
) -> None:
    type(profile.user).objects.filter(pk=profile.user.pk).update(is_active=False)

    reconcile.apply()
    settle_everything()  # type: ignore[no-untyped-call]

    assert newsletters(basket, profile.user.email) == set()
    assert reconcile.find().differences == 0


@pytest.mark.parametrize("subscribe", [True, False])
def test_order_for_a_deactivated_member(
    basket: SandboxServer, site: str, profile: UserProfile, subscribe: bool
) -> None:
    deactivate(profile)
    settle_everything()  # type: ignore[no-untyped-call]

    result = order(profile, ["mozilla-phone"], subscribe=subscribe)
    settle_everything()  # type: ignore[no-untyped-call]

    assert result == {"mozilla-phone": "decided" if site == "NotEntitled" else "left"}
    carried_out = subscribe and site == "NotEntitled"
    assert newsletters(basket, profile.user.email) == ({"mozilla-phone"} if carried_out else set())


@pytest.mark.parametrize("site", ["Deleted"], indirect=True)
def test_address_of_a_row_that_is_no_member_is_left_alone(basket: SandboxServer, site: str) -> None:
    profile = UserProfileFactory.create(user__is_active=False, user__email="own@example.com")
    basket.put_person("own@example.com", newsletters={"mozilla-phone"})
    touches.drain()

    profile.user.email = "other@example.com"
    profile.user.save()
    settle_everything()  # type: ignore[no-untyped-call]
    profile.user.email = "own@example.com"
    profile.user.save()
    profile.delete()
    settle_everything()  # type: ignore[no-untyped-call]

    assert newsletters(basket, "own@example.com") == {"mozilla-phone"}
    assert not Touch.objects.exists()


def test_conditions_of_members_are_watched() -> None:
    found = {each.model: (each.member, each.fields) for each in Dependencies(ByGroups()).triggers}

    assert found["groups.Membership"][0] == "profile"
    assert "status" in found["groups.Membership"][1]
    assert found["auth.Group"] == ("user__profile", {"id", "name"})
    links = Dependencies(ByGroups()).links
    assert [link.through._meta.label for link in links] == ["auth.User_groups"]
    assert "is_active" in next(
        each.fields for each in Dependencies(Deleted()).triggers if each.model == "auth.User"
    )


def test_raw_conditions_of_members_are_named() -> None:
    assert Dependencies(Raw()).unseen == ["the members: raw SQL"]


def test_members_at_an_address_are_members(site: str, profile: UserProfile) -> None:
    deactivate(profile)

    found = get_site().members_at([profile.user.email])

    assert found == ([profile.pk] if site == "NotEntitled" else [])
