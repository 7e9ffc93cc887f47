"""Admins' bulk requests: one row for each member in them, worked off by the worker."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.db import transaction

from mozillians_basket.conf import conf
from mozillians_basket.ledger.decisions import decide
from mozillians_basket.ledger.evaluation import evaluate, locked_contacts
from mozillians_basket.models import Batch, BatchItem, Contact, Subscription
from mozillians_basket.models.ledger import NEVER
from mozillians_basket.site import get_site
from mozillians_basket.states import HELD, State


def create_batch(
    action: Batch.Action,
    newsletters: Iterable[str],
    member_ids: Iterable[Any],
    *,
    actor: Any,
    despite_opt_out: bool = False,
) -> Batch:
    """
    Write down a bulk request in the caller's transaction; the worker finds it there.

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
    return batch


def work_off_batches() -> list[int]:
    """
    Write the decisions of some waiting items into the ledger, the oldest batch first.

    :return: keys of the contacts that Basket must hear of; empty when no item waits.
    """
    with transaction.atomic():
        items = list(
            BatchItem.objects.filter(state=BatchItem.State.PENDING, contact__isnull=True)
            .order_by("batch", "pk")
            .select_related("batch__actor")
            .select_for_update(skip_locked=True, of=("self",))[: conf.DRAIN_SIZE]
        )
        if not items:
            return []
        keys = {item.member_id for item in items}
        contacts, fresh = locked_contacts(keys)
        # What no touch told of has no known time, and gives way to an admin's word.
        evaluate(contacts, fresh=fresh, moments=dict.fromkeys(keys, NEVER))
        by_member: dict[Any, Contact] = {row.member_id: row for row in contacts if row.member_id}
        for item in items:
            _decide_item(item, by_member.get(item.member_id))
        BatchItem.objects.bulk_update(items, ["state", "reason", "contact"])
        return [item.contact_id for item in items if item.contact_id is not None]


def _decide_item(item: BatchItem, contact: Contact | None) -> None:
    if contact is None:
        item.state, item.reason = BatchItem.State.SKIPPED, "no such member"
        return
    if not contact.wanted_email:
        item.state, item.reason = BatchItem.State.SKIPPED, "no address"
        return
    batch = item.batch
    taken = decide(
        contact,
        batch.newsletters,
        subscribe=batch.action == Batch.Action.SUBSCRIBE,
        despite_opt_out=batch.despite_opt_out,
        cause=str(batch),
        actor=batch.actor,
        batch=batch,
    )
    if taken:
        item.contact = contact
    else:
        opted_out = contact.subscriptions.filter(
            newsletter__in=batch.newsletters, state=State.OPTED_OUT
        ).exists()
        item.state = BatchItem.State.SKIPPED
        item.reason = "opted out" if opted_out else "a newer decision came first"


def finish_items(contact: Contact, lines: Iterable[Subscription]) -> None:
    """Close the bulk requests that a settled contact was in, by what its lines say."""
    items = list(contact.batch_items.filter(state=BatchItem.State.PENDING).select_related("batch"))
    if not items:
        return
    states = {line.newsletter: State(line.state) for line in lines}
    for item in items:
        found = [states.get(name, State.UNKNOWN) for name in item.batch.newsletters]
        _close(item, found)
    BatchItem.objects.bulk_update(items, ["state", "reason"])


def fail_items(contact: Contact, reason: str) -> None:
    """Close the bulk requests of a contact that is parked."""
    contact.batch_items.filter(state=BatchItem.State.PENDING).update(
        state=BatchItem.State.FAILED, reason=reason
    )


def _close(item: BatchItem, found: list[State]) -> None:
    subscribing = item.batch.action == Batch.Action.SUBSCRIBE
    if subscribing and State.REFUSED in found:
        item.state, item.reason = BatchItem.State.FAILED, "refused by Basket"
    elif subscribing and State.OPTED_OUT in found:
        item.state, item.reason = BatchItem.State.SKIPPED, "opted out"
    elif any((state in HELD) != subscribing for state in found):
        item.state, item.reason = BatchItem.State.SKIPPED, "a newer decision came first"
    else:
        item.state, item.reason = BatchItem.State.DONE, ""
