"""A group's page: the way into it, step by step, and Basket's contents at each step."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from mozillians_basket.sandbox.testing import SandboxServer
from project.groups.models import Group, Membership
from project.people.models import UserProfile
from tests.brokers import Commit
from tests.factories import MembershipFactory, UserProfileFactory, VouchFactory

pytestmark = pytest.mark.django_db

URL = reverse("group", args=["nda"])
NDA = "mozillians-nda"
Status = Membership.Status


@pytest.fixture
def nda() -> Group:
    return Group.objects.get(slug="nda")


def signed_in(profile: UserProfile) -> Client:
    client = Client()
    client.force_login(profile.user)
    return client


@pytest.fixture
def member(basket: SandboxServer, commit: Commit) -> UserProfile:
    with commit():
        return VouchFactory.create().vouchee


@pytest.fixture
def manager() -> Client:
    """A manager of groups, who is not a member of this one."""
    profile = UserProfileFactory.create()
    profile.user.user_permissions.add(Permission.objects.get(codename="change_membership"))
    return signed_in(profile)


def held(basket: SandboxServer, profile: UserProfile) -> set[str]:
    person = basket.person(profile.user.email)
    return set(person.newsletters) if person else set()


def text_of(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_way_into_the_group_and_out_again(
    basket: SandboxServer, commit: Commit, member: UserProfile, manager: Client
) -> None:
    own, states = signed_in(member), []

    def act(client: Client, **fields: Any) -> None:
        with commit():
            client.post(URL, fields)
        membership = Membership.objects.filter(profile=member).first()
        states.append((membership and membership.status, NDA in held(basket, member)))

    act(own, act="ask")
    act(manager, act="accept", membership=Membership.objects.get(profile=member).pk)
    act(own, act="accept terms")
    act(own, act="leave")

    assert states == [
        (Status.PENDING, False),
        (Status.PENDING_TERMS, False),
        (Status.MEMBER, True),
        (None, False),
    ]


def test_manager_removes_a_member(
    basket: SandboxServer, commit: Commit, member: UserProfile, manager: Client, nda: Group
) -> None:
    with commit():
        membership = MembershipFactory.create(profile=member, group=nda)
    before = held(basket, member)

    with commit():
        manager.post(URL, {"act": "remove", "membership": membership.pk})

    assert NDA in before
    assert NDA not in held(basket, member)


def test_unvouched_member_cannot_ask(nda: Group) -> None:
    client = signed_in(UserProfileFactory.create())

    answer = client.post(URL, {"act": "ask"})

    assert answer.status_code == 403
    assert "Ask to join" not in text_of(client.get(URL))
    assert not nda.memberships.exists()


@pytest.mark.parametrize("act", ["accept", "remove"])
def test_only_managers_let_people_in_or_out(nda: Group, member: UserProfile, act: str) -> None:
    membership = MembershipFactory.create(group=nda, status=Status.PENDING)
    insider = MembershipFactory.create(group=nda, profile=member)

    answer = signed_in(insider.profile).post(URL, {"act": act, "membership": membership.pk})

    assert answer.status_code == 403
    membership.refresh_from_db()
    assert membership.status == Status.PENDING


def test_terms_are_accepted_only_after_a_manager_has_accepted(
    nda: Group, member: UserProfile
) -> None:
    membership = MembershipFactory.create(group=nda, profile=member, status=Status.PENDING)

    page = signed_in(member).post(URL, {"act": "accept terms"}, follow=True)

    membership.refresh_from_db()
    assert "nothing was done" in text_of(page)
    assert membership.status == Status.PENDING


def test_manager_cannot_accept_the_terms_for_somebody(nda: Group, manager: Client) -> None:
    membership = MembershipFactory.create(group=nda, status=Status.PENDING_TERMS)

    manager.post(URL, {"act": "accept", "membership": membership.pk})

    membership.refresh_from_db()
    assert membership.status == Status.PENDING_TERMS


def test_manager_acts_on_this_group_only(manager: Client) -> None:
    elsewhere = MembershipFactory.create(group__slug="other")

    manager.post(URL, {"act": "remove", "membership": elsewhere.pk})

    assert Membership.objects.filter(pk=elsewhere.pk).exists()


def test_second_request_to_join_changes_nothing(nda: Group, member: UserProfile) -> None:
    MembershipFactory.create(group=nda, profile=member)

    signed_in(member).post(URL, {"act": "ask"})

    assert nda.memberships.get().status == Status.MEMBER


def test_only_insiders_and_managers_see_who_is_inside(
    nda: Group, member: UserProfile, manager: Client
) -> None:
    inside = MembershipFactory.create(group=nda, profile__full_name="Insider")

    seen = {
        name: "Insider" in text_of(client.get(URL))
        for name, client in {
            "outsider": signed_in(member),
            "insider": signed_in(inside.profile),
            "manager": manager,
        }.items()
    }

    assert seen == {"outsider": False, "insider": True, "manager": True}


@pytest.mark.parametrize("act", ["", "everything"])
def test_unknown_act_is_not_found(member: UserProfile, act: str) -> None:
    assert signed_in(member).post(URL, {"act": act}).status_code == 404


def test_unknown_group_is_not_found(member: UserProfile) -> None:
    assert signed_in(member).get(reverse("group", args=["none"])).status_code == 404
