"""What the tests of the app can ask for."""

import pytest
from django.contrib.auth.models import Permission

from tests.factories import UserFactory, VouchFactory


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """A block whose end is a commit, after which the worker has done its work."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def vouched(basket, commit):
    """A vouched member, as Basket has them."""
    with commit():
        vouch = VouchFactory()
    return vouch.vouchee


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
def staff(client, db):
    """Log an admin in who may do what is named, and nothing else."""

    def log_in(*codenames):
        user = UserFactory(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return client

    return log_in
