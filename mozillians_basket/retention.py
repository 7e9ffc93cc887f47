"""Delete what is older than the history is to reach back, a little at a time."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from mozillians_basket import tallies
from mozillians_basket.conf import conf
from mozillians_basket.models import Batch, BatchItem, Event

#: How many rows one statement deletes, so that none holds its locks for long.
CHUNK = 1000

#: How many rows one run deletes at the most; the next one goes on.
RUN = 1_000_000


def horizon(days: int | None = None) -> datetime | None:
    """Before when everything goes; ``None`` when all is kept."""
    days = conf.HISTORY_DAYS if days is None else days
    return None if days is None else timezone.now() - timedelta(days=days)


def count(before: datetime) -> dict[str, int]:
    """How many events, batches and items are older."""
    batches = _finished(before)
    return {
        "events": Event.objects.filter(created_at__lt=before).count(),
        "batches": batches.count(),
        "items": BatchItem.objects.filter(batch__in=batches.values("pk")).count(),
    }


def prune(before: datetime, limit: int = RUN) -> dict[str, int]:
    """
    Delete events that are older, and batches that were finished earlier with their items.

    The tallies are brought up to date first, and stay. Stopped half-way, the
    next run goes on.

    :param limit: at most so many rows.
    :return: how many were deleted.
    """
    tallies.fill()
    old = Event.objects.filter(created_at__lt=before).order_by("created_at")
    events = _delete(old, limit)
    items = batches = 0
    for batch in _finished(before).order_by("pk"):
        own = BatchItem.objects.filter(batch=batch)
        items += _delete(own, limit - events - items)
        if events + items >= limit:
            break
        batch.delete()
        batches += 1
    return {"events": events, "batches": batches, "items": items}


def _finished(before: datetime) -> QuerySet[Batch]:
    over = (Batch.State.FINISHED, Batch.State.CANCELLED)
    return Batch.objects.filter(state__in=over, finished_at__lt=before)


def _delete(rows: QuerySet[Any], limit: int) -> int:
    deleted = 0
    while deleted < limit:
        keys = list(rows.values_list("pk", flat=True)[: min(CHUNK, limit - deleted)])
        if not keys:
            break
        rows.model._default_manager.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted
