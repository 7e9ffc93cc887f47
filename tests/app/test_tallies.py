"""Events are counted once for each hour, whenever that is done."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from mozillians_basket import tallies, tasks
from mozillians_basket.models import Contact, Event, Pulse, Tally

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(db, time_machine):
    time_machine.move_to(NOON + timedelta(minutes=30), tick=False)


def happened(moment, kind=Event.Kind.SUBSCRIBED, number=1, contact=None):
    Event.objects.bulk_create(
        Event(kind=kind, created_at=moment, contact=contact) for _ in range(number)
    )


def tallied():
    return {(row.hour, row.kind): row.number for row in Tally.objects.all()}


def test_hours_that_are_over_are_counted_by_kind():
    happened(NOON - timedelta(minutes=10), number=2)
    happened(NOON - timedelta(minutes=50))
    happened(NOON - timedelta(minutes=50), Event.Kind.PARKED)
    happened(NOON + timedelta(minutes=1))  # this hour is not over

    tasks.tally()

    eleven = NOON - timedelta(hours=1)
    assert tallied() == {(eleven, "subscribed"): 3, (eleven, "parked"): 1}
    assert Pulse.now().tallied_to == NOON


def test_counting_again_changes_nothing():
    happened(NOON - timedelta(minutes=10), number=2)
    tasks.tally()
    first = tallied()
    Pulse.objects.update(tallied_to=NOON - timedelta(hours=3))  # as if a worker was killed

    tasks.tally()

    assert tallied() == first


def test_an_hour_is_kept_open_for_transactions_that_began_in_it(time_machine):
    happened(NOON - timedelta(minutes=1))
    time_machine.move_to(NOON + timedelta(minutes=4), tick=False)

    tasks.tally()

    assert tallied() == {}


def test_a_gap_after_days_without_a_worker_is_filled(time_machine):
    tasks.tally()
    for days in (1, 2, 9):
        happened(NOON + timedelta(days=days, minutes=5), number=days)
    time_machine.move_to(NOON + timedelta(days=10), tick=False)

    tasks.tally()

    assert tallied() == {(NOON + timedelta(days=days), "subscribed"): days for days in (1, 2, 9)}


def test_erasing_a_contact_takes_its_events_but_not_what_was_counted():
    contact = Contact.objects.create(email="somebody@example.com")
    happened(NOON - timedelta(minutes=10), contact=contact)
    tasks.tally()

    contact.delete()
    tasks.tally()

    assert not Event.objects.exists()
    assert sum(tallied().values()) == 1


def test_a_page_counts_what_is_not_in_the_tallies_yet():
    happened(NOON - timedelta(hours=2, minutes=-5), number=2)
    tasks.tally()
    happened(NOON + timedelta(minutes=5), number=3)

    hours = tallies.by_hour(24, tallies.not_tallied())

    assert len(hours) == 24
    assert list(hours)[-1] == NOON
    assert {hour: counted for hour, counted in hours.items() if counted} == {
        NOON - timedelta(hours=2): Counter(subscribed=2),
        NOON: Counter(subscribed=3),
    }


def test_days_are_those_of_the_current_time_zone(settings):
    settings.TIME_ZONE = "America/Los_Angeles"
    happened(NOON - timedelta(hours=6))  # the evening of the day before, but in UTC
    happened(NOON - timedelta(hours=4))
    tasks.tally()
    happened(NOON + timedelta(minutes=5))

    days = tallies.by_day(30, tallies.not_tallied())

    assert len(days) == 30
    assert [sum(counted.values()) for counted in days.values()][-2:] == [1, 2]


def test_where_nobody_counts_a_page_still_counts_no_more_than_a_day(django_assert_num_queries):
    happened(NOON - timedelta(days=3), number=5)
    happened(NOON - timedelta(hours=20), number=2)
    Pulse.now()

    with django_assert_num_queries(2):
        latest = tallies.not_tallied()

    assert sum(sum(counted.values()) for counted in latest.values()) == 2
