"""Claims of a dead worker's contacts, and the number of shares at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from mozillians_basket.ledger import queue
from mozillians_basket.models import Contact, Problem
from tests.app.steps import held
from tests.factories import VouchFactory

pytestmark = pytest.mark.django_db


def abandon(**columns: Any) -> None:
    """Let the worker with these contacts die, and its lease end."""
    past = timezone.now() - timedelta(seconds=1)
    Contact.objects.update(leased_until=past, **columns)


@pytest.fixture
def share() -> list[int]:
    """A share of three contacts."""
    for number in range(3):
        email = f"person{number}@example.com"
        Contact.objects.create(email=email, key=email, touched_at=timezone.now())
    return [contact.pk for contact in queue.claim(60)[1]]


def test_share_of_a_dead_worker_is_claimed_together_once_more(share: list[int]) -> None:
    abandon()

    _lease, claimed, more = queue.claim(60)

    assert sorted(contact.pk for contact in claimed) == sorted(share)
    assert not more
    assert set(Contact.objects.values_list("problem", "attempts")) == {(Problem.WORKER_DIED, 1)}


def test_share_that_a_second_worker_died_of_is_claimed_one_by_one(share: list[int]) -> None:
    abandon()
    queue.claim(60)
    abandon()

    claims = [queue.claim(60) for _ in range(4)]

    assert [len(ids) for _lease, ids, _more in claims] == [1, 1, 1, 0]
    assert [more for _lease, _ids, more in claims] == [True, True, False, False]


def test_free_contacts_are_claimed_apart_from_a_dead_worker_s(share: list[int]) -> None:
    abandon()
    free = Contact.objects.create(
        email="free@example.com", key="free@example.com", touched_at=timezone.now()
    )

    _lease, first, more = queue.claim(60)
    _lease, second, _more = queue.claim(60)

    assert sorted(contact.pk for contact in first) == sorted(share)
    assert more
    assert second == [free]


def test_sweeper_starts_few_shares_of_single_contacts_at_once(settings: Any) -> None:
    settings.BASKET_MAX_IN_FLIGHT, settings.BASKET_SHARE_SIZE = 4, 2
    for number in range(4):
        email = f"person{number}@example.com"
        Contact.objects.create(email=email, key=email, touched_at=timezone.now())
    before = queue.shares_to_start()

    for _ in range(2):
        queue.claim(1)

    assert before == 2
    assert queue.shares_to_start() == 0


def test_pace_below_one_a_second_still_sends(basket, settings, commit):
    settings.BASKET_MAX_PER_SECOND = 0.1

    with commit():
        profile = VouchFactory().vouchee

    assert held(basket, profile.user.email) == {profile.user.email: {"mozilla-phone"}}


def test_pace_is_reached_with_a_sweep_every_five_seconds(db, settings, monkeypatch):
    settings.BASKET_MAX_PER_SECOND = 20
    began = timezone.now()
    Contact.objects.bulk_create(
        Contact(email=f"a{n}@example.com", key=f"a{n}@example.com", touched_at=began)
        for n in range(2000)
    )

    claimed = 0
    for seconds in range(0, 60, 5):
        now = began + timedelta(seconds=seconds)
        monkeypatch.setattr(timezone, "now", lambda now=now: now)
        more = True
        while more:
            _lease, ids, more = queue.claim(60)
            claimed += len(ids)

    assert 1100 <= claimed <= 1300
