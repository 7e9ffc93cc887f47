"""Make an item of each selected member, a chunk at a time, so that a crash costs one chunk."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from mozillians_basket.ledger.orders import cancel_batch
from mozillians_basket.models import Batch, BatchItem
from mozillians_basket.selection import SelectionLost, as_lost, selected
from mozillians_basket.site import get_site

#: How many members get their item in one transaction.
CHUNK = 1000

#: How many chunks follow on one building of the list, which costs a few queries of its own.
CHUNKS = 5


def collect_some(batch: Batch) -> bool:
    """
    Go on with the collection of a request's members, from where it stopped.

    The list is read by its keys, so memory is bounded; members who come to it
    or leave it meanwhile are in if they are on it when their key's turn comes.
    When it cannot be built any more the request is cancelled.

    :return: whether anything was done: not when another worker is at it.
    """
    done = 0
    try:
        members = selected(batch.selection, batch.actor)
        while done < CHUNKS and _collect_chunk(batch.pk, members):
            done += 1
    except SelectionLost as lost:
        return cancel_batch(batch, outcome=lost.why)
    return done > 0


def _collect_chunk(batch_id: int, members: QuerySet[Any]) -> bool:
    """Whether there was anything to collect."""
    with transaction.atomic():
        batch = (
            Batch.objects.select_for_update(skip_locked=True)
            .filter(pk=batch_id, state=Batch.State.EXPANDING)
            .first()
        )
        if batch is None:
            return False  # another worker is at it, it is through, or it was cancelled
        with as_lost():
            keys = _keys_after(members, batch.expanded_to)
        BatchItem.objects.bulk_create(
            [BatchItem(batch=batch, member_id=key) for key in keys], ignore_conflicts=True
        )
        more = len(keys) == CHUNK
        if keys:
            batch.expanded_to = str(keys[-1])
        if not more:
            batch.state = Batch.State.RUNNING
            batch.total = batch.items.count()
            batch.selection = {}  # a search may have been for somebody's address
        batch.save(update_fields=["expanded_to", "state", "total", "selection"])
        return True


def _keys_after(members: QuerySet[Any], last: str) -> list[Any]:
    if last:
        key: Any = get_site().member_model._meta.pk
        members = members.filter(pk__gt=key.to_python(last))
    return list(members.order_by("pk").distinct().values_list("pk", flat=True)[:CHUNK])
