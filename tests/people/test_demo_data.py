"""Demo data for a developer's own database."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from project.groups.models import Membership
from project.people.models import UserProfile

pytestmark = pytest.mark.django_db


def test_there_are_members_of_every_kind_and_an_admin(settings: Any) -> None:
    settings.DEBUG = True

    call_command("demo_data", verbosity=0)

    assert UserProfile.objects.filter(is_vouched=True).count() == 14
    assert set(Membership.objects.values_list("status", flat=True)) == set(Membership.Status.values)
    admin = authenticate(username="admin", password="admin")
    assert isinstance(admin, User)
    assert admin.is_superuser


def test_a_second_time_adds_nothing_and_undoes_nothing(settings: Any) -> None:
    settings.DEBUG = True
    call_command("demo_data", verbosity=0)
    changed = UserProfile.objects.get(user__username="member-01")
    changed.vouches_received.all().delete()

    call_command("demo_data", verbosity=0)

    assert UserProfile.objects.count() == 21
    changed.refresh_from_db()
    assert not changed.is_vouched


def test_outside_development_it_refuses(settings: Any) -> None:
    settings.DEBUG = False

    with pytest.raises(CommandError, match="only where DEBUG is on"):
        call_command("demo_data", verbosity=0)

    assert not User.objects.exists()
