"""What the tests of the app can ask for."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from mozillians_basket.models import Batch, BatchItem, Contact, Event, Pulse
from tests.app.all_pages import LOCAL_PARTS, TOKEN
from tests.app.steps import contact_of
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


@pytest.fixture
def everything(basket, vouched, admin_user):
    """A member and somebody who left, in all states in which an address or token is stored."""
    first, second, third, fourth, fifth = (f"{name}@example.com" for name in LOCAL_PARTS)
    moment = timezone.now()
    person = {"email": first, "token": TOKEN, "newsletters": ["mozilla-phone"]}
    vouched.user.email = second
    vouched.user.save()
    Contact.objects.filter(member=vouched).update(
        email=first,
        wanted_email=second,
        moving_to=third,
        refused_email=fourth,
        token=TOKEN,
        lookup={"target": second, "current": person, "new": None},
        error="refused",
        error_code=2,
        failing_since=moment,
    )
    left = Contact.objects.create(
        email=fifth, token=TOKEN, departed_at=moment, error="unavailable", failing_since=moment
    )
    batch = Batch.objects.create(
        action=Batch.Action.SUBSCRIBE, newsletters=["mozilla-phone"], actor=admin_user, total=1
    )
    BatchItem.objects.create(
        batch=batch, member=vouched, contact=contact_of(vouched), state="failed", reason="refused"
    )
    for contact in (contact_of(vouched), left):
        Event.objects.create(
            contact=contact, kind=Event.Kind.REFUSED, outcome="refused", batch=batch
        )
    Pulse.now()
    return vouched
