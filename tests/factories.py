"""Rows for the tests, each with the fewest fields that its model needs."""

from django.contrib.auth.models import User
from factory.declarations import Sequence, SubFactory
from factory.django import DjangoModelFactory

from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = Sequence("user{}".format)
    email = Sequence("user{}@example.com".format)


class UserProfileFactory(DjangoModelFactory[UserProfile]):
    class Meta:
        model = UserProfile

    user = SubFactory(UserFactory)


class VouchFactory(DjangoModelFactory[Vouch]):
    class Meta:
        model = Vouch

    voucher = SubFactory(UserProfileFactory)
    vouchee = SubFactory(UserProfileFactory)


class GroupFactory(DjangoModelFactory[Group]):
    class Meta:
        model = Group
        django_get_or_create = ("slug",)

    name = Sequence("Group {}".format)
    slug = Sequence("group-{}".format)


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    profile = SubFactory(UserProfileFactory)
    group = SubFactory(GroupFactory)
    status = Membership.Status.MEMBER
