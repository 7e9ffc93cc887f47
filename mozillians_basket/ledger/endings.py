"""Bring bulk requests to their end: finished, wound up after a cancel, or begun again."""

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet
from django.utils import timezone

from mozillians_basket.ledger.undoing import take_back
from mozillians_basket.models import Batch, BatchItem

#: How many items are closed or begun again in one transaction.
CHUNK = 1000


def count_items(batch_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """How many items are in which state, by batch; read off an index."""
    counts: dict[int, dict[str, int]] = {key: {} for key in batch_ids}
    rows = BatchItem.objects.filter(batch__in=list(batch_ids)).values("batch", "state")
    for row in rows.annotate(number=Count("pk")):
        counts[row["batch"]][row["state"]] = row["number"]
    return counts


def wind_up(batch: Batch) -> bool:
    """
    Close items of a cancelled request that were not begun to be sent, some or all.

    :return: whether there were any.
    """
    closed = _close_unstarted(batch)
    more: int | None = 0
    while more is not None:
        number, more = take_back(batch, after=more)
        closed += number
    return closed > 0


def _close_unstarted(batch: Batch) -> int:
    waiting = batch.items.filter(state=BatchItem.State.PENDING, contact__isnull=True)
    return _update_some(waiting, state=BatchItem.State.CANCELLED, finished_at=timezone.now())


def restart_failed(batch: Batch) -> bool:
    """Have some items that failed before an admin asked for another try start again."""
    failed = batch.items.filter(state=BatchItem.State.FAILED, finished_at__lte=batch.retried_at)
    begun = _update_some(
        failed,
        state=BatchItem.State.PENDING,
        contact=None,
        reason="",
        error_code=None,
        finished_at=None,
    )
    return begun > 0


def _update_some(items: QuerySet[BatchItem], **values: Any) -> int:
    with transaction.atomic():
        chosen = items.order_by("pk").select_for_update(skip_locked=True)
        keys = list(chosen.values_list("pk", flat=True)[:CHUNK])
        return BatchItem.objects.filter(pk__in=keys).update(**values) if keys else 0


def finish_batches(batches: Collection[Batch]) -> None:
    """Write down of these which are over, with what became of their items."""
    items = BatchItem.objects.filter(batch=OuterRef("pk"))
    over = (
        Batch.objects.filter(pk__in=[batch.pk for batch in batches], finished_at__isnull=True)
        .filter(state__in=[Batch.State.RUNNING, Batch.State.CANCELLED])
        .exclude(Exists(items.filter(state=BatchItem.State.PENDING)))
        .exclude(
            Exists(
                items.filter(
                    batch__state=Batch.State.RUNNING,
                    state=BatchItem.State.FAILED,
                    finished_at__lte=F("batch__retried_at"),
                )
            )
        )
    )
    with transaction.atomic():
        rows = list(over.select_for_update(skip_locked=True))
        counts = count_items([batch.pk for batch in rows]) if rows else {}
        for batch in rows:
            if batch.state == Batch.State.RUNNING:
                batch.state = Batch.State.FINISHED
            batch.finished_at, batch.counts = timezone.now(), counts[batch.pk]
            batch.total = sum(batch.counts.values())
            batch.save(update_fields=["state", "finished_at", "counts", "total"])
