"""The history reaches back as far as the settings say, and its hourly counts further."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from mozillians_basket import tasks
from mozillians_basket.models import BulkItem, BulkRequest, Event, HourlyCount, Status
from mozillians_basket.upkeep import retention, statistics

pytestmark = pytest.mark.django_db

OLD = timedelta(days=800)
YOUNG = timedelta(days=700)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def history() -> None:
    """Events and bulk requests on both sides of two years."""
    now = timezone.now()
    for age in (OLD, OLD, YOUNG):
        Event.objects.create(kind=Event.Kind.SUBSCRIBED, created_at=now - age)
    for age in (OLD, YOUNG):
        request = BulkRequest.objects.create(
            state=BulkRequest.State.FINISHED, finished_at=now - age, created_at=now - age
        )
        BulkItem.objects.create(request=request, member_id=1, state=BulkItem.State.DONE)
        Event.objects.create(kind=Event.Kind.DECIDED, bulk_request=request)
    unfinished = BulkRequest.objects.create(
        state=BulkRequest.State.RUNNING, created_at=now - OLD, keys=[1]
    )
    BulkItem.objects.create(request=unfinished, member_id=2)


def numbers() -> tuple[int, int, int]:
    return Event.objects.count(), BulkRequest.objects.count(), BulkItem.objects.count()


def command(*options: str) -> str:
    out = StringIO()
    call_command("basket_prune", *options, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("history")
def test_beat_deletes_what_is_older_than_two_years() -> None:
    tasks.prune()

    assert numbers() == (3, 2, 2)
    assert min(Event.objects.values_list("created_at")) > (timezone.now() - OLD,)


@pytest.mark.usefixtures("history")
def test_event_outlives_the_bulk_request_that_it_belonged_to() -> None:
    tasks.prune()

    decided = Event.objects.filter(kind=Event.Kind.DECIDED)
    left = BulkRequest.objects.get(state=BulkRequest.State.FINISHED)
    assert set(decided.values_list("bulk_request", flat=True)) == {None, left.pk}


@pytest.mark.usefixtures("history")
def test_bulk_request_that_is_not_finished_is_kept() -> None:
    command("--days", "1")

    assert list(BulkRequest.objects.values_list("state", flat=True)) == [BulkRequest.State.RUNNING]
    assert BulkItem.objects.count() == 1


@pytest.mark.usefixtures("history")
def test_events_are_counted_before_they_are_deleted() -> None:
    tasks.prune()

    assert sum(HourlyCount.objects.values_list("number", flat=True)) == 3


@pytest.mark.usefixtures("history")
def test_everything_is_kept_without_a_number_of_days(settings: Any) -> None:
    settings.BASKET_HISTORY_DAYS = None

    tasks.prune()

    assert numbers() == (5, 3, 3)
    assert "the whole history is kept" in command()


@pytest.mark.usefixtures("history")
def test_command_deletes_by_its_own_number_of_days() -> None:
    text = command("--days", "750")

    assert "2 events, 1 bulk requests and their 1 items" in text
    assert numbers() == (3, 2, 2)


@pytest.mark.usefixtures("history")
def test_dry_run_says_what_would_go_and_deletes_nothing() -> None:
    text = command("--dry-run")

    assert "2 events, 1 bulk requests and their 1 items" in text
    assert "would be deleted" in text
    assert numbers() == (5, 3, 3)


@pytest.mark.parametrize("days", ["0", "-1", "soon"])
@pytest.mark.usefixtures("history")
def test_bad_number_of_days_is_refused(days: str) -> None:
    with pytest.raises(CommandError):
        command(f"--days={days}")

    assert numbers() == (5, 3, 3)


@pytest.mark.usefixtures("history")
def test_run_deletes_a_limited_number_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 1)
    before = timezone.now() - timedelta(days=750)

    first = retention.prune(before, limit=1)
    second = retention.prune(before, limit=2)
    third = retention.prune(before, limit=10)

    assert first == {"events": 1, "requests": 0, "items": 0}
    assert second == {"events": 1, "requests": 0, "items": 1}
    assert third == {"events": 0, "requests": 1, "items": 0}


# Hourly counts.


@pytest.fixture
def noon(time_machine: Any) -> None:
    """Stop the clock at half an hour after noon."""
    time_machine.move_to(NOON + timedelta(minutes=30), tick=False)


def happened(moment: datetime, kind: Event.Kind = Event.Kind.SUBSCRIBED, number: int = 1) -> None:
    Event.objects.bulk_create(Event(kind=kind, created_at=moment) for _ in range(number))


def counted(newsletter: str = "") -> dict[tuple[datetime, str], int]:
    rows = HourlyCount.objects.filter(newsletter=newsletter)
    return {(row.hour, row.kind): row.number for row in rows}


@pytest.mark.usefixtures("noon")
def test_hours_that_are_over_are_counted_by_kind() -> None:
    happened(NOON - timedelta(minutes=10), number=2)
    happened(NOON - timedelta(minutes=50))
    happened(NOON - timedelta(minutes=50), Event.Kind.PARKED)
    happened(NOON + timedelta(minutes=1))  # this hour is not over

    tasks.count_events()

    eleven = NOON - timedelta(hours=1)
    assert counted() == {(eleven, "subscribed"): 3, (eleven, "parked"): 1}
    assert Status.read().counted_to == NOON


@pytest.mark.usefixtures("noon")
def test_event_counts_for_each_newsletter_that_it_names_and_once_for_all() -> None:
    eleven = NOON - timedelta(hours=1)
    for names in (["first"], ["first", "second"], []):
        Event.objects.create(kind="subscribed", newsletters=names, created_at=eleven)

    tasks.count_events()

    assert counted() == {(eleven, "subscribed"): 3}
    assert counted("first") == {(eleven, "subscribed"): 2}
    assert counted("second") == {(eleven, "subscribed"): 1}


@pytest.mark.usefixtures("noon")
def test_page_gets_the_numbers_of_each_newsletter_from_counts_and_from_events() -> None:
    for moment in (NOON - timedelta(hours=2), NOON + timedelta(minutes=5)):
        Event.objects.create(kind="refused", newsletters=["first"], created_at=moment)
        tasks.count_events()

    latest = statistics.not_counted()

    expected = Counter({("", "refused"): 1, ("first", "refused"): 1})
    hours = [numbers for numbers in statistics.by_hour(24, latest).values() if numbers]
    days = [numbers for numbers in statistics.by_day(30, latest).values() if numbers]
    assert hours == [expected, expected]
    assert days == [expected + expected]


@pytest.mark.usefixtures("noon")
def test_counting_again_changes_nothing() -> None:
    happened(NOON - timedelta(minutes=10), number=2)
    tasks.count_events()
    first = counted()
    Status.objects.update(counted_to=NOON - timedelta(hours=3))  # as after a killed worker

    tasks.count_events()

    assert first
    assert counted() == first


@pytest.mark.usefixtures("noon")
def test_hour_is_kept_open_for_transactions_that_began_in_it(time_machine: Any) -> None:
    happened(NOON - timedelta(minutes=1))
    time_machine.move_to(NOON + timedelta(minutes=4), tick=False)

    tasks.count_events()

    assert counted() == {}


@pytest.mark.usefixtures("noon")
def test_gap_after_days_without_a_worker_is_filled(time_machine: Any) -> None:
    tasks.count_events()
    for days in (1, 2, 9):
        happened(NOON + timedelta(days=days, minutes=5), number=days)
    time_machine.move_to(NOON + timedelta(days=10), tick=False)

    tasks.count_events()

    assert counted() == {(NOON + timedelta(days=days), "subscribed"): days for days in (1, 2, 9)}


@pytest.mark.usefixtures("noon")
def test_counts_outlive_the_events() -> None:
    happened(NOON - timedelta(minutes=10))
    tasks.count_events()

    Event.objects.all().delete()
    tasks.count_events()

    assert sum(counted().values()) == 1


@pytest.mark.usefixtures("noon")
def test_page_counts_what_is_not_in_the_hourly_counts_yet() -> None:
    happened(NOON - timedelta(hours=2, minutes=-5), number=2)
    tasks.count_events()
    happened(NOON + timedelta(minutes=5), number=3)

    hours = statistics.by_hour(24, statistics.not_counted())

    assert len(hours) == 24
    assert list(hours)[-1] == NOON
    assert {hour: numbers for hour, numbers in hours.items() if numbers} == {
        NOON - timedelta(hours=2): Counter({("", "subscribed"): 2}),
        NOON: Counter({("", "subscribed"): 3}),
    }


@pytest.mark.usefixtures("noon")
def test_days_are_those_of_the_current_time_zone(settings: Any) -> None:
    settings.TIME_ZONE = "America/Los_Angeles"
    happened(NOON - timedelta(hours=6))  # the day before, but not in UTC
    happened(NOON - timedelta(hours=4))
    tasks.count_events()
    happened(NOON + timedelta(minutes=5))

    days = statistics.by_day(30, statistics.not_counted())

    assert len(days) == 30
    assert [sum(numbers.values()) for numbers in days.values()][-2:] == [1, 2]


@pytest.mark.usefixtures("noon")
def test_page_counts_about_a_day_where_nobody_counts(django_assert_num_queries: Any) -> None:
    happened(NOON - timedelta(days=3), number=5)
    happened(NOON - timedelta(hours=20), number=2)
    Status.read()

    with django_assert_num_queries(2):
        latest = statistics.not_counted()

    assert sum(sum(numbers.values()) for numbers in latest.values()) == 2
