"""The lists and forms of people and groups in the admin."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from project.people.models import UserProfile, Vouch
from tests.factories import (
    GroupFactory,
    MembershipFactory,
    UserFactory,
    UserProfileFactory,
    VouchFactory,
)

pytestmark = pytest.mark.django_db

Assert = Callable[..., AbstractContextManager[Any]]


@pytest.mark.parametrize(
    ("address", "factory"),
    [
        pytest.param("admin:people_userprofile_changelist", UserProfileFactory, id="profiles"),
        pytest.param("admin:people_vouch_changelist", VouchFactory, id="vouches"),
        pytest.param("admin:groups_group_changelist", GroupFactory, id="groups"),
        pytest.param("admin:groups_membership_changelist", MembershipFactory, id="memberships"),
    ],
)
def test_a_longer_list_takes_no_more_queries(
    admin_client: Client, django_assert_max_num_queries: Assert, address: str, factory: Any
) -> None:
    factory.create_batch(2)
    with CaptureQueriesContext(connection) as short:
        admin_client.get(reverse(address), {"q": "a"})
        admin_client.get(reverse(address))
    factory.create_batch(10)

    with django_assert_max_num_queries(len(short)):
        admin_client.get(reverse(address), {"q": "a"})
        response = admin_client.get(reverse(address))

    assert response.status_code == 200


def test_choosing_a_vouchee_takes_no_more_queries_with_more_people(
    admin_client: Client, django_assert_max_num_queries: Assert
) -> None:
    field = {"app_label": "people", "model_name": "vouch", "field_name": "vouchee", "term": ""}
    UserProfileFactory.create_batch(2)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(reverse("admin:autocomplete"), field)
    UserProfileFactory.create_batch(10)

    with django_assert_max_num_queries(len(few)):
        response = admin_client.get(reverse("admin:autocomplete"), field)

    assert len(response.json()["results"]) == 12


def test_a_profile_is_found_by_its_users_address(admin_client: Client) -> None:
    UserProfileFactory.create(full_name="Red Fox", user__email="fox@example.com")
    UserProfileFactory.create(full_name="Blue Whale")

    page = admin_client.get(reverse("admin:people_userprofile_changelist"), {"q": "fox@"})

    assert "Red Fox" in page.content.decode()
    assert "Blue Whale" not in page.content.decode()


def test_an_admin_makes_a_profile_for_a_user(admin_client: Client) -> None:
    user = UserFactory.create()

    admin_client.post(
        reverse("admin:people_userprofile_add"),
        {"user": user.pk, "full_name": "Red Fox", "country": "DE"},
    )

    assert UserProfile.objects.get(user=user).full_name == "Red Fox"


def test_an_admin_edits_a_vouched_profile_and_it_stays_vouched(admin_client: Client) -> None:
    profile = VouchFactory.create().vouchee

    admin_client.post(
        reverse("admin:people_userprofile_change", args=[profile.pk]),
        {"user": profile.user.pk, "full_name": "Red Fox", "country": ""},
    )

    profile.refresh_from_db()
    assert (profile.full_name, profile.is_vouched) == ("Red Fox", True)


def test_a_vouch_for_oneself_is_refused_with_a_reason(admin_client: Client) -> None:
    profile = UserProfileFactory.create()

    page = admin_client.post(
        reverse("admin:people_vouch_add"),
        {
            "voucher": profile.pk,
            "vouchee": profile.pk,
            "date_0": "2026-01-01",
            "date_1": "12:00:00",
        },
    )

    assert "Nobody can vouch for themselves." in page.content.decode()
    assert not Vouch.objects.exists()


def test_the_home_page_leads_staff_to_the_admin(admin_client: Client) -> None:
    assert 'href="/admin/"' in admin_client.get("/").content.decode()
