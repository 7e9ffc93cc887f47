"""Carry admins' bulk requests on, a portion at a time, from collection to the last item."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.ledger.choices import Choice, Decided, decide_all
from mozillians_basket.ledger.collecting import collect_some
from mozillians_basket.ledger.endings import finish_batches, restart_failed, wind_up
from mozillians_basket.ledger.evaluation import evaluate, locked_contacts
from mozillians_basket.ledger.leases import due
from mozillians_basket.ledger.orders import OPEN
from mozillians_basket.models import Batch, BatchItem, Contact
from mozillians_basket.models.ledger import NEVER

#: How many requests are worked off side by side; those ordered later wait.
SIDE_BY_SIDE = 10

#: How long a draft waits for its admin.
DRAFT_LIFE = timedelta(days=1)


def advance_batches() -> bool:
    """
    Do a portion of what the open requests need next; one query when there are none.

    No more is decided than can be sent soon, so that a request that is
    cancelled has hardly begun for those who were not reached.

    :return: whether anything was done; false also while enough waits to be sent.
    """
    rows = list(
        Batch.objects.filter(finished_at__isnull=True).order_by("pk").select_related("actor")
    )
    _forget_drafts(rows)
    rows = [batch for batch in rows if batch.state != Batch.State.DRAFT]
    if not rows:
        return False
    advanced = sum(_go_on(batch) for batch in rows) > 0
    room = min(conf.DRAIN_SIZE, _room())
    if room > 0 and work_off_batches(room):
        advanced = True
    if any(batch.state == Batch.State.EXPANDING and collect_some(batch) for batch in rows):
        advanced = True
    if not advanced:
        finish_batches(rows)
    return advanced


def _forget_drafts(rows: Collection[Batch]) -> None:
    limit = timezone.now() - DRAFT_LIFE
    old = [row.pk for row in rows if row.state == Batch.State.DRAFT and row.created_at < limit]
    if old:
        Batch.objects.filter(pk__in=old, state=Batch.State.DRAFT).delete()


def _go_on(batch: Batch) -> bool:
    if batch.state == Batch.State.CANCELLED:
        return wind_up(batch)
    return batch.retried_at is not None and restart_failed(batch)


def _room() -> int:
    """How many more may be decided on: as many wait to be claimed as may be under way."""
    most = conf.MAX_IN_FLIGHT
    return most - due().filter(priority=Contact.Priority.BULK)[:most].count()


def work_off_batches(limit: int | None = None) -> int:
    """
    Write the decisions of some waiting items into the ledger, of all open requests in turn.

    The number of statements depends on how many requests are open, not on how many items.
    Items that another worker is working off are passed over.

    :param limit: how many items at the most; ``BASKET_DRAIN_SIZE`` when it is not said.
    :return: how many it were.
    """
    waiting = BatchItem.objects.filter(
        batch=OuterRef("pk"), state=BatchItem.State.PENDING, contact__isnull=True
    )
    batches = list(
        Batch.objects.filter(Exists(waiting), state__in=OPEN)
        .order_by("pk")
        .select_related("actor")[:SIDE_BY_SIDE]
    )
    if not batches:
        return 0
    share = max(1, (limit or conf.DRAIN_SIZE) // len(batches))
    return sum(_work_off(batch, share) for batch in batches)


def _work_off(batch: Batch, limit: int) -> int:
    with transaction.atomic():
        items = list(
            batch.items.filter(state=BatchItem.State.PENDING, contact__isnull=True)
            .order_by("pk")
            .select_for_update(skip_locked=True)[:limit]
        )
        if not items:
            return 0
        keys = {item.member_id for item in items if item.member_id is not None}
        contacts, fresh = locked_contacts(keys)
        # What no touch told of has no known time, and gives way to an admin's word.
        evaluate(contacts, fresh=fresh, moments=dict.fromkeys(keys, NEVER))
        by_member = {row.member_id: row for row in contacts if row.member_id is not None}
        reached = [row for row in by_member.values() if row.wanted_email]
        decided = decide_all(reached, Choice.of(batch), cause=str(batch))
        _start_items(items, by_member, decided)
        _skip_items(items, by_member, decided)
    return len(items)


def _start_items(
    items: Collection[BatchItem],
    by_member: Mapping[Any, Contact],
    decided: Mapping[int, Decided],
) -> None:
    started = []
    for item in items:
        outcome = _outcome(item, by_member, decided)
        if isinstance(outcome, Decided):
            started.append(item)
            if item.before is None:  # else it is tried again, and that was not before the order
                item.before = outcome.before
    own_contact = Contact.objects.filter(member=OuterRef("member")).values("pk")[:1]
    BatchItem.objects.filter(pk__in=[item.pk for item in started]).update(
        contact=Subquery(own_contact)
    )
    BatchItem.objects.bulk_update(started, ["before"])


def _skip_items(
    items: Collection[BatchItem],
    by_member: Mapping[Any, Contact],
    decided: Mapping[int, Decided],
) -> None:
    skipped = defaultdict(list)
    for item in items:
        outcome = _outcome(item, by_member, decided)
        if not isinstance(outcome, Decided):
            skipped[outcome].append(item.pk)
    for reason, keys in skipped.items():
        BatchItem.objects.filter(pk__in=keys).update(
            state=BatchItem.State.SKIPPED, reason=reason, finished_at=timezone.now()
        )


def _outcome(
    item: BatchItem, by_member: Mapping[Any, Contact], decided: Mapping[int, Decided]
) -> Decided | BatchItem.Reason:
    contact = by_member.get(item.member_id)
    if contact is None:
        return BatchItem.Reason.NO_MEMBER
    outcome = decided.get(contact.pk)
    if outcome is None:
        return BatchItem.Reason.NO_ADDRESS
    if outcome.newsletters:
        return outcome
    return BatchItem.Reason.OPTED_OUT if outcome.opted_out else BatchItem.Reason.OVERTAKEN
