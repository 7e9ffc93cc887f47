"""Demo data for a developer's own database."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from project.groups.models import Group, Membership
from project.people.models import UserProfile

pytestmark = pytest.mark.django_db


def test_there_are_members_of_every_kind_and_an_admin(settings: Any) -> None:
    settings.DEBUG = True

    call_command("demo_data", verbosity=0)

    assert UserProfile.objects.filter(is_vouched=True).count() == 24
    assert UserProfile.objects.filter(is_vouched=False).count() == 8  # seven, and the admin
    assert set(Membership.objects.values_list("status", flat=True)) == set(Membership.Status.values)
    assert set(UserProfile.objects.values_list("country", flat=True)) == {"", "BR", "DE", "IN"}
    assert User.objects.filter(email="shared@example.com").count() == 2


@pytest.mark.parametrize(
    ("name", "password", "is_superuser", "manages_groups"),
    [
        ("admin", "admin", True, True),
        ("member-01", "member", False, False),
        ("nda-manager", "member", False, True),
    ],
)
def test_logins_that_make_run_prints_work(
    settings: Any, name: str, password: str, is_superuser: bool, manages_groups: bool
) -> None:
    settings.DEBUG = True
    call_command("demo_data", verbosity=0)

    user = authenticate(username=name, password=password)

    assert isinstance(user, User)
    assert user.is_superuser == is_superuser
    assert user.has_perm("groups.change_membership") == manages_groups


def test_a_second_time_adds_nothing_and_undoes_nothing(settings: Any) -> None:
    settings.DEBUG = True
    call_command("demo_data", verbosity=0)
    changed = UserProfile.objects.get(user__username="member-01")
    changed.vouches_received.all().delete()

    call_command("demo_data", verbosity=0)

    assert UserProfile.objects.count() == 32
    changed.refresh_from_db()
    assert not changed.is_vouched


def test_a_deleted_nda_group_is_made_again(settings: Any) -> None:
    settings.DEBUG = True
    Group.objects.filter(slug="nda").delete()

    call_command("demo_data", verbosity=0)

    assert Group.objects.get(slug="nda").memberships.exists()


def test_outside_development_it_refuses(settings: Any) -> None:
    settings.DEBUG = False

    with pytest.raises(CommandError, match="only where DEBUG is on"):
        call_command("demo_data", verbosity=0)

    assert not User.objects.exists()
