"""An admin's bulk request: drafted, ordered, cancelled, tried again."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from mozillians_basket.models import Batch, BatchItem, Event
from mozillians_basket.site import get_site

OPEN = (Batch.State.EXPANDING, Batch.State.RUNNING)


def draft_batch(
    action: Batch.Action, selection: dict[str, Any], total: int, *, actor: Any
) -> Batch:
    """
    Write down whom an admin selected, before they say what is to be done.

    :param selection: as :mod:`mozillians_basket.selection` makes it.
    """
    return Batch.objects.create(
        state=Batch.State.DRAFT, action=action, selection=selection, total=total, actor=actor
    )


def order_batch(batch: Batch, newsletters: Iterable[str], *, despite_opt_out: bool = False) -> bool:
    """
    Have a drafted request carried out; the worker collects its members.

    :return: whether it was a draft still: confirmed twice, it is ordered once.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    slugs = get_site().chosen(newsletters)
    with transaction.atomic():
        drafts = Batch.objects.filter(pk=batch.pk, state=Batch.State.DRAFT)
        ordered = drafts.update(
            state=Batch.State.EXPANDING,
            newsletters=list(slugs),
            despite_opt_out=despite_opt_out,
            created_at=timezone.now(),
        )
        if not ordered:
            return False
        batch.refresh_from_db()
        _note(Event.Kind.ORDERED, batch, actor=batch.actor, outcome=batch.action)
        return True


def create_batch(
    action: Batch.Action,
    newsletters: Iterable[str],
    member_ids: Iterable[Any],
    *,
    actor: Any,
    despite_opt_out: bool = False,
) -> Batch:
    """
    Order a request for members who are named, in the caller's transaction.

    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    slugs = get_site().chosen(newsletters)
    with transaction.atomic():
        batch = Batch.objects.create(
            action=action,
            newsletters=list(slugs),
            actor=actor,
            despite_opt_out=despite_opt_out,
        )
        keys = iter(member_ids)
        while chunk := list(islice(keys, 1000)):
            BatchItem.objects.bulk_create(
                [BatchItem(batch=batch, member_id=member_id) for member_id in chunk]
            )
            batch.total += len(chunk)
        batch.save(update_fields=["total"])
        _note(Event.Kind.ORDERED, batch, actor=actor, outcome=action)
    return batch


def cancel_batch(batch: Batch, *, actor: Any = None, outcome: str = "") -> bool:
    """
    Stop a request: what was not begun to be sent is taken back, by the sweeper.

    :param outcome: why, where no admin wanted it: see ``SelectionLost``.
    :return: whether there was anything to stop.
    """
    with transaction.atomic():
        stopped = Batch.objects.filter(pk=batch.pk, state__in=OPEN).update(
            state=Batch.State.CANCELLED, selection={}
        )
        if not stopped:
            return False
        batch.refresh_from_db()
        _note(Event.Kind.CANCELLED, batch, actor=actor, outcome=outcome)
        return True


def retry_failed(batch: Batch, *, actor: Any) -> bool:
    """
    Have the items that failed start again; the sweeper resets them.

    They are decided on as at first: what Basket refused is asked for anew, who is
    parked is not any more, and what was decided since the order stands.

    :return: whether there is anything to try again; not while it runs, nor once it is cancelled.
    """
    with transaction.atomic():
        row = Batch.objects.select_for_update().get(pk=batch.pk)
        failed = row.items.filter(state=BatchItem.State.FAILED)
        if row.state not in {Batch.State.RUNNING, Batch.State.FINISHED} or not failed.exists():
            return False
        row.state, row.retried_at = Batch.State.RUNNING, timezone.now()
        row.finished_at, row.counts = None, {}
        row.save(update_fields=["state", "retried_at", "finished_at", "counts"])
        batch.refresh_from_db()
        _note(Event.Kind.RETRIED, batch, actor=actor)
        return True


def _note(kind: Event.Kind, batch: Batch, *, actor: Any, outcome: str = "") -> None:
    Event.objects.create(
        kind=kind,
        newsletters=batch.newsletters,
        outcome=outcome,
        cause=str(batch),
        actor=actor,
        batch=batch,
    )
