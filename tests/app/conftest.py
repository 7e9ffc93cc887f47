"""Fixtures for the tests of the app."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from mozillians_basket.models import (
    BulkItem,
    BulkRequest,
    Contact,
    Event,
    Member,
    Move,
    Status,
    Touch,
)
from tests.app.all_pages import LOCAL_PARTS, TOKEN
from tests.app.steps import contact_of
from tests.factories import UserFactory


@pytest.fixture
def client_with(client, db):
    """A client logged in as an admin with these permissions only."""

    def logged_in(*codenames):
        user = UserFactory(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        client.force_login(user)
        return client

    return logged_in


@pytest.fixture
def staff(client_with):
    """The same as ``client_with``, under the name that other tests use."""
    return client_with


def contact_at(address, **fields):
    """Create a contact with a token, at this address."""
    return Contact.objects.create(email=address, key=address, token=TOKEN, **fields)


@pytest.fixture
def everything(basket, vouched, admin_user):
    """A member and somebody who left, with an address or token in every column that stores one."""
    first, second, third, fourth, fifth = (f"{name}@example.com" for name in LOCAL_PARTS)
    moment = timezone.now()
    Contact.objects.filter(pk=contact_of(vouched).pk).update(
        email=second, key=second, token=TOKEN, touched_at=moment, problem="2", parked=True,
        failing_since=moment,
    )  # fmt: skip
    home = contact_of(vouched)
    source = contact_at(first, touched_at=moment)
    left = contact_at(fifth, clear=True, problem="unavailable", failing_since=moment)
    bare = contact_at(fourth)
    member = vouched.basket_member
    Member.objects.create(contact=bare)
    Move.objects.create(member=member, source=source, target=home, moved_at=moment)
    Touch.objects.create(member=vouched, source="people.Vouch", cause="changed", email=third)
    type(vouched.user).objects.filter(pk=vouched.user.pk).update(email=second)
    bulk_request = BulkRequest.objects.create(
        action="subscribe", newsletters=["mozilla-phone"], actor=admin_user, keys=[vouched.pk],
        total=1, position=1, state="running",
    )  # fmt: skip
    BulkItem.objects.create(request=bulk_request, member=vouched, state="failed", reason="2")
    for contact in (source, home, left, bare):
        Event.objects.create(
            contact=contact, member=vouched, kind="refused", error_code="2",
            bulk_request=bulk_request,
        )  # fmt: skip
    Status.read()
    return vouched
