"""Rows for addresses that a member has left: something of theirs may still arrive there."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from mozillians_basket.addresses import same_address
from mozillians_basket.conf import conf
from mozillians_basket.ledger.sheets import Sheet
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.states import State


def leave_behind(sheet: Sheet) -> None:
    """
    Give an address that a broken-off move may have reached a row of its own, to be cleared.

    :raises LeaseLost: when somebody else has the lease.
    """

    def work() -> None:
        if not same_address(sheet.contact.moving_to, sheet.contact.email):
            leave_unanswered(sheet, sheet.contact.moving_to, "address changed again", always=True)
        sheet.contact.moving_to = ""

    sheet.change(work)


def leave_unanswered(sheet: Sheet, email: str, cause: str, *, always: bool = False) -> None:
    """
    Give an address a row when a subscribe that nobody answered may still reach it.

    :param always: also when there was none: Basket may have answered it.
    """
    lines = [
        {"newsletter": line.newsletter, "requested_at": line.requested_at}
        for line in sheet.lines.values()
        if line.requested_at is not None
    ]
    if lines or always:
        sheet.more.append(lambda: _create(lines, email=email, cause=cause))
    for line in sheet.lines.values():
        line.requested_at = None


def look_back(sheet: Sheet) -> None:
    """
    Give the address that a member leaves a row, to see later that it was cleared.

    Basket only queues the removal, and nobody would notice that it was lost.
    """
    lines = [
        {
            "newsletter": line.newsletter,
            "state": State.UNSUBSCRIBED,
            "removed_at": line.removed_at,
        }
        for line in sheet.lines.values()
        if line.removed_at is not None
    ]
    email = sheet.contact.email
    later = timezone.now() + timedelta(seconds=conf.RECHECK_SECONDS)
    sheet.more.append(
        lambda: _create(lines, email=email, cause="address changed", not_before=later)
    )


def _create(lines: Iterable[dict[str, Any]], **values: Any) -> None:
    left = Contact.objects.create(departed_at=timezone.now(), **values)
    Subscription.objects.bulk_create(Subscription(contact=left, **line) for line in lines)
