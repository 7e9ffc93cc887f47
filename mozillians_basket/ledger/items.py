"""Close the items of bulk requests when their contacts are through."""

from collections.abc import Iterable

from django.utils import timezone

from mozillians_basket.models import Batch, BatchItem, Contact, Subscription
from mozillians_basket.states import HELD, State


def finish_items(contact: Contact, lines: Iterable[Subscription]) -> None:
    """Close the bulk requests that a settled contact was in, by what its lines say."""
    items = list(contact.batch_items.filter(state=BatchItem.State.PENDING).select_related("batch"))
    if not items:
        return
    by_name = {line.newsletter: line for line in lines}
    for item in items:
        _close(item, [by_name.get(name) for name in item.batch.newsletters])
    BatchItem.objects.bulk_update(items, ["state", "reason", "error_code", "finished_at"])


def fail_items(contact: Contact, reason: str) -> None:
    """Close the bulk requests of a contact that is parked."""
    contact.batch_items.filter(state=BatchItem.State.PENDING).update(
        state=BatchItem.State.FAILED,
        reason=reason,
        error_code=contact.error_code,
        finished_at=timezone.now(),
    )


def _close(item: BatchItem, lines: list[Subscription | None]) -> None:
    subscribing = item.batch.action == Batch.Action.SUBSCRIBE
    found = [State(line.state) if line else State.UNKNOWN for line in lines]
    item.finished_at = timezone.now()
    if subscribing and State.REFUSED in found:
        item.state, item.reason = BatchItem.State.FAILED, BatchItem.Reason.REFUSED
        codes = [line.error_code for line in lines if line and line.state == State.REFUSED]
        item.error_code = next((code for code in codes if code is not None), None)
    elif subscribing and State.OPTED_OUT in found:
        item.state, item.reason = BatchItem.State.SKIPPED, BatchItem.Reason.OPTED_OUT
    elif any((state in HELD) != subscribing for state in found):
        item.state, item.reason = BatchItem.State.SKIPPED, BatchItem.Reason.OVERTAKEN
    else:
        item.state, item.reason = BatchItem.State.DONE, ""
