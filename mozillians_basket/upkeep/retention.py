"""Delete rows that are too old: of the history, whose events are counted by hour first."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.models import BulkItem, BulkRequest, Event
from mozillians_basket.upkeep import statistics

#: The number of rows that one statement deletes, so that none holds its locks for long.
CHUNK = 1000

#: The most rows that one run deletes; the next one goes on.
RUN = 1_000_000


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
    statistics.count_past_hours()
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
