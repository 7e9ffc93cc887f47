"""Groups and memberships."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection

from project.groups.models import Group, Membership
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory

pytestmark = pytest.mark.django_db


def test_a_new_site_has_the_nda_group() -> None:
    Group.objects.all().delete()  # an earlier test may have emptied the tables, or not
    migration = import_module("project.groups.migrations.0002_nda")

    migration.create_nda(apps, connection.schema_editor(atomic=False))

    assert str(Group.objects.get(slug="nda")) == "NDA"


def test_member_who_asks_to_join_is_pending_at_first() -> None:
    membership = Membership.objects.create(
        profile=UserProfileFactory.create(), group=GroupFactory.create()
    )

    assert membership.status == "pending"


def test_a_person_is_in_a_group_once() -> None:
    membership = MembershipFactory.create()
    again = MembershipFactory.build(profile=membership.profile, group=membership.group)

    with pytest.raises(ValidationError, match="in that group already"):
        again.full_clean()


def test_a_deleted_user_leaves_no_membership() -> None:
    membership = MembershipFactory.create()

    membership.profile.user.delete()

    assert not Membership.objects.exists()


def test_a_membership_names_the_person_and_the_group() -> None:
    membership = MembershipFactory.build(profile__full_name="Red Fox", group__name="NDA")

    assert str(membership) == "Red Fox in NDA"
