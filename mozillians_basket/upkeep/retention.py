"""Delete rows that are too old: of the history, whose events are counted by hour first."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.models import BulkItem, BulkRequest, Event, HourlyCount, Status, alias

#: The number of rows that one statement deletes, so that none holds its locks for long.
CHUNK = 1000

#: The most rows that one run deletes; the next one goes on.
RUN = 1_000_000

HOUR = timedelta(hours=1)

#: The time for which an hour is kept open for transactions that began in it.
GRACE = timedelta(minutes=5)

#: The period that one query counts and one transaction writes.
STRETCH = timedelta(days=1)

#: The longest time before now whose events are counted directly for a page.
UNCOUNTED = timedelta(hours=26)

Numbers = dict[datetime, Counter[tuple[str, str]]]
"""
The numbers of events of each hour or day, by newsletter and kind.

With an empty newsletter: all events of the kind, as one of them can name several
newsletters or none.
"""


def horizon(days: int | None = None) -> datetime | None:
    """
    Return the time before which history is deleted; ``None`` if all is kept.

    :param days: instead of ``BASKET_HISTORY_DAYS``.
    """
    days = conf.HISTORY_DAYS if days is None else days
    return None if days is None else timezone.now() - timedelta(days=days)


def count_old(before: datetime) -> dict[str, int]:
    """Count the events, finished bulk requests and their items that are older."""
    events, requests = _old(before)
    items = BulkItem.objects.filter(request__in=requests.values("pk"))
    return {"events": events.count(), "requests": requests.count(), "items": items.count()}


def prune(before: datetime, limit: int = RUN) -> dict[str, int]:
    """
    Delete older events, and bulk requests that were finished before then with their items.

    The hourly counts are updated first, and stay. After an interrupted run the next
    one goes on.

    :param limit: the most rows to delete.
    :return: how many were deleted, by kind of row.
    """
    fill()
    old_events, finished = _old(before)
    events = _delete(old_events.order_by("created_at"), limit)
    items = requests = 0
    for request in finished.order_by("pk"):
        own = BulkItem.objects.filter(request=request).order_by("pk")
        items += _delete(own, limit - events - items)
        if events + items + requests >= limit:
            break
        Event.objects.filter(bulk_request=request).update(bulk_request=None)
        requests += _delete(BulkRequest.objects.filter(pk=request.pk), 1)
    return {"events": events, "requests": requests, "items": items}


def _old(before: datetime) -> "tuple[QuerySet[Event], QuerySet[BulkRequest]]":
    """Choose old events, and requests that are over; their snapshots of keys are not read."""
    events = Event.objects.filter(created_at__lt=before)
    over = (BulkRequest.State.FINISHED, BulkRequest.State.CANCELLED)
    requests = BulkRequest.objects.filter(state__in=over, finished_at__lt=before)
    return events, requests.defer("keys")


def _delete(rows: "QuerySet[Any]", limit: int) -> int:
    """Delete rows in batches; return how many there were."""
    deleted = 0
    while deleted < limit:
        keys = list(rows.values_list("pk", flat=True)[: min(CHUNK, limit - deleted)])
        if not keys:
            break
        rows.model.objects.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted


def fill() -> int:
    """
    Count the events of past hours that are not counted yet; return the rows written.

    Each hour is counted once, after any pause and in any number of runs. Two runs at
    once do not harm each other.
    """
    written, end = 0, beginning_of_hour(timezone.now() - GRACE)
    done = Status.read().counted_to
    while done is None or done < end:
        left = Event.objects.filter(created_at__lt=end)
        left = left if done is None else left.filter(created_at__gte=done)
        first = left.order_by("created_at").values_list("created_at", flat=True).first()
        start = end if first is None else beginning_of_hour(first)
        done = min(start + STRETCH, end)
        rows = [
            HourlyCount(hour=hour, newsletter=newsletter, kind=kind, number=number)
            for hour, numbers in count_events(start, done).items()
            for (newsletter, kind), number in numbers.items()
        ]
        with transaction.atomic(using=alias()):
            HourlyCount.objects.bulk_create(rows, ignore_conflicts=True)
            Status.objects.filter(pk=1).update(counted_to=done)
        written += len(rows)
    return written


def beginning_of_hour(moment: datetime) -> datetime:
    """Return the full hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def count_events(start: datetime, end: datetime | None = None) -> Numbers:
    """Count the events themselves, by the index on their time."""
    rows = Event.objects.filter(created_at__gte=start)
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    each_hour = rows.annotate(hour=TruncHour("created_at", tzinfo=UTC)).order_by()
    counted = each_hour.values_list("hour", "newsletters", "kind").annotate(number=Count("pk"))
    return _gathered(
        (hour, newsletter, kind, number)
        for hour, newsletters, kind, number in counted
        for newsletter in {"", *newsletters}
    )


def _gathered(rows: Iterable[tuple[datetime, str, str, int]]) -> Numbers:
    numbers: Numbers = {}
    for moment, newsletter, kind, number in rows:
        numbers.setdefault(moment, Counter())[newsletter, kind] += number
    return numbers


def not_counted() -> Numbers:
    """Count the events after the last counted hour, at most of about a day."""
    earliest = beginning_of_hour(timezone.now() - UNCOUNTED)
    return count_events(max(earliest, Status.read().counted_to or earliest))


def by_hour(hours: int, latest: Numbers) -> Numbers:
    """
    Return the last hours with the present one, each of them, in order.

    :param latest: from :func:`not_counted`.
    """
    start = beginning_of_hour(timezone.now()) - (hours - 1) * HOUR
    counted = HourlyCount.objects.filter(hour__gte=start)
    rows = counted.values_list("hour", "newsletter", "kind", "number")
    numbers = _gathered(rows) | latest
    moments = (start + number * HOUR for number in range(hours))
    return {moment: numbers.get(moment, Counter()) for moment in moments}


def by_day(days: int, latest: Numbers) -> Numbers:
    """
    Return the last days with today, each of them, in order and in the current time zone.

    :param latest: from :func:`not_counted`.
    """
    today = timezone.localdate()
    moments = [_midnight(today - timedelta(days=number)) for number in reversed(range(days))]
    counts = HourlyCount.objects.filter(hour__gte=moments[0])
    each_day = counts.annotate(day=TruncDay("hour")).order_by()
    rows = each_day.values_list("day", "newsletter", "kind").annotate(sum=Sum("number"))
    numbers = _gathered(rows)
    for hour, more in latest.items():
        numbers.setdefault(_midnight(timezone.localdate(hour)), Counter()).update(more)
    return {moment: numbers.get(moment, Counter()) for moment in moments}


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
