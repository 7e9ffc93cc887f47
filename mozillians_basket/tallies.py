"""Count events by hour, so that the charts of the overview need not read them."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction
from django.db.models import Count, Sum
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from mozillians_basket.models import Event, Pulse, Tally

HOUR = timedelta(hours=1)

#: How long an hour is kept open for transactions that began in it.
GRACE = timedelta(minutes=5)

#: How much is counted in one query, and written in one transaction.
STRETCH = timedelta(days=1)

#: How much that is not in the tallies yet is counted for a page at the most.
UNCOUNTED = timedelta(hours=26)

Numbers = dict[datetime, Counter[str]]
"""For each hour or day the number of events by kind."""


def beginning_of_hour(moment: datetime) -> datetime:
    """The full hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def fill() -> int:
    """
    Count the hours that are over and not in the tallies yet; return how many rows were written.

    However long it did not run, and however often it does, each hour is
    counted once. Two at a time do not harm each other.
    """
    written = 0
    end = beginning_of_hour(timezone.now() - GRACE)
    while (start := _next_hour(end)) is not None:
        stop = min(start + STRETCH, end)
        rows = [
            Tally(hour=hour, kind=kind, number=number)
            for hour, numbers in count_events(start, stop).items()
            for kind, number in numbers.items()
        ]
        with transaction.atomic():
            Tally.objects.bulk_create(rows, ignore_conflicts=True)
            Pulse.objects.filter(pk=1).update(tallied_to=stop)
        written += len(rows)
    return written


def _next_hour(end: datetime) -> datetime | None:
    """The next hour with events that is not counted; none when all up to ``end`` are."""
    done = Pulse.now().tallied_to
    if done is not None and done >= end:
        return None
    left = Event.objects.filter(created_at__lt=end).order_by("created_at")
    if done is not None:
        left = left.filter(created_at__gte=done)
    first = left.values_list("created_at", flat=True).first()
    if first is None:
        Pulse.objects.filter(pk=1).update(tallied_to=end)
        return None
    return beginning_of_hour(first)


def count_events(start: datetime, end: datetime | None = None) -> Numbers:
    """Count the events themselves, by the index on their time."""
    rows = Event.objects.filter(created_at__gte=start)
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    counted = rows.annotate(hour=TruncHour("created_at", tzinfo=UTC)).order_by()
    return _gathered(counted.values_list("hour", "kind").annotate(number=Count("pk")))


def _gathered(rows: Iterable[tuple[datetime, str, int]]) -> Numbers:
    numbers: Numbers = {}
    for moment, kind, number in rows:
        numbers.setdefault(moment, Counter())[kind] += number
    return numbers


def not_tallied() -> Numbers:
    """What happened after the hours that are in the tallies, counted as far as a page can."""
    earliest = beginning_of_hour(timezone.now() - UNCOUNTED)
    return count_events(max(earliest, Pulse.now().tallied_to or earliest))


def by_hour(hours: int, latest: Numbers) -> Numbers:
    """
    The last hours with the present one, each of them, in order.

    :param latest: from :func:`not_tallied`.
    """
    start = beginning_of_hour(timezone.now()) - (hours - 1) * HOUR
    tallied = Tally.objects.filter(hour__gte=start).values_list("hour", "kind", "number")
    numbers = _gathered(tallied) | latest
    moments = (start + number * HOUR for number in range(hours))
    return {moment: numbers.get(moment, Counter()) for moment in moments}


def by_day(days: int, latest: Numbers) -> Numbers:
    """
    The last days with today, each of them, in order and in the current time zone.

    :param latest: from :func:`not_tallied`.
    """
    today = timezone.localdate()
    moments = [_midnight(today - timedelta(days=number)) for number in reversed(range(days))]
    tallied = Tally.objects.filter(hour__gte=moments[0]).annotate(day=TruncDay("hour")).order_by()
    numbers = _gathered(tallied.values_list("day", "kind").annotate(sum=Sum("number")))
    for hour, more in latest.items():
        numbers.setdefault(_midnight(timezone.localdate(hour)), Counter()).update(more)
    return {moment: numbers.get(moment, Counter()) for moment in moments}


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
