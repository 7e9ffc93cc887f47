"""Two requests that change one member's vouches at the same time, on PostgreSQL."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from project.people.models import UserProfile, Vouch
from tests.factories import UserProfileFactory, VouchFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "connection.vendor != 'postgresql'", reason="SQLite lets one transaction write at a time"
    ),
]


def delete(vouch: Vouch) -> None:
    vouch.delete()
    connection.close()


def test_two_last_vouches_that_go_at_once_leave_nobody_vouched() -> None:
    profile = UserProfileFactory.create()
    first, second = VouchFactory.create_batch(2, vouchee=profile)

    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            first.delete()
            other = threads.submit(delete, second)
            time.sleep(0.5)  # the other request runs until it has to wait
        other.result()

    assert not UserProfile.objects.get(pk=profile.pk).is_vouched
