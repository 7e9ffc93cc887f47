"""Take back what a cancelled bulk request decided, unless it was begun to be sent."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from mozillians_basket.ledger.accounts import account_of
from mozillians_basket.ledger.history import event_of
from mozillians_basket.ledger.problems import PROBLEM_FIELDS, clear_problem
from mozillians_basket.models import Batch, BatchItem, Contact, Event, Subscription
from mozillians_basket.plan import differs
from mozillians_basket.states import HELD, Decider, State


def before_of(
    contact: Contact, lines: Mapping[str, Subscription], newsletters: Collection[str]
) -> dict[str, Any]:
    """
    What stands in the ledger of these newsletters, and whether the contact is due, as JSON.

    Nothing of it is personal: no address, no token.
    """
    before: dict[str, Any] = {}
    if contact.settled_at is None or contact.touched_at > contact.settled_at:
        before["due"] = True
    if contact.parked_at is not None:
        before["parked_at"] = contact.parked_at.isoformat()
    known = {name: lines[name] for name in newsletters if name in lines}
    if known:
        before["lines"] = {
            name: {
                "wanted": line.wanted,
                "decided_by": line.decided_by,
                "decided_at": line.decided_at.isoformat(),
                "despite_opt_out": line.despite_opt_out,
                "state": line.state,
                "error_code": line.error_code,
            }
            for name, line in known.items()
        }
    return before


def take_back(batch: Batch, *, after: int = 0, limit: int = 250) -> tuple[int, int | None]:
    """
    Put back what stood before in the contacts that wait for a cancelled request.

    Left alone, and so ending as ordered, are contacts for whom Basket has answered
    the lookup of a running sync, and those whose removal was sent: that may be
    carried out, and nobody is subscribed again for it. A subscribe that nobody
    answered is taken back like one that nobody wants any more.

    :param after: look at items with larger keys only.
    :param limit: look at so many items at the most.
    :return: how many items were closed, and the key to go on after; ``None`` at the end.
    """
    now = timezone.now()
    waiting = BatchItem.objects.filter(
        batch=batch, state=BatchItem.State.PENDING, contact__isnull=False
    )
    at_rest = Q(contact__leased_until__isnull=True) | Q(contact__leased_until__lte=now)
    chosen = waiting.filter(at_rest | Q(contact__lookup__isnull=True), pk__gt=after)
    keys = dict(chosen.order_by("pk").values_list("contact_id", "pk")[:limit])
    if not keys:
        return 0, None
    with transaction.atomic():
        # The contact before its items, as whoever settles it does.
        contacts = list(Contact.objects.filter(pk__in=keys).order_by("pk").select_for_update())
        items = {item.contact_id: item for item in waiting.filter(contact__in=contacts)}
        undoing = _Undoing(batch, [row for row in contacts if row.pk in items], now)
        for contact in undoing.contacts:
            undoing.undo(contact, items[contact.pk].before or {})
        undoing.write()
        closed = [items[contact.pk].pk for contact in undoing.undone]
        BatchItem.objects.filter(pk__in=closed).update(
            state=BatchItem.State.CANCELLED, finished_at=now
        )
    return len(closed), max(keys.values()) if len(keys) == limit else None


class _Undoing:
    """Locked contacts with their lines, changed in memory and written in one go."""

    def __init__(self, batch: Batch, contacts: list[Contact], now: datetime) -> None:
        self.batch, self.contacts, self.now = batch, contacts, now
        self.undone: list[Contact] = []
        self.idle: list[Contact] = []
        self.well: list[Contact] = []
        self.parked: list[Contact] = []
        self.restored: list[Subscription] = []
        self.dropped: list[Subscription] = []
        self.lines: dict[int, list[Subscription]] = defaultdict(list)
        for line in Subscription.objects.filter(contact__in=contacts):
            self.lines[line.contact_id].append(line)
        others = BatchItem.objects.filter(contact__in=contacts, state=BatchItem.State.PENDING)
        self.wanted_elsewhere = set(
            others.exclude(batch=batch).values_list("contact_id", flat=True)
        )

    def undo(self, contact: Contact, before: Mapping[str, Any]) -> None:
        known: Mapping[str, Any] = before.get("lines", {})
        mine = [line for line in self.lines[contact.pk] if self._is_mine(line)]
        leased = contact.leased_until is not None and contact.leased_until > self.now
        if leased and contact.lookup is not None:
            return
        if any(self._is_begun(line, known.get(line.newsletter)) for line in mine):
            return
        noted = contact.asked or {}
        begun = noted.get("lease") != contact.lease
        asked = set(noted.get("newsletters", ())) if begun else set()
        for line in mine:
            sent = line.requested_at is not None or line.newsletter in asked
            self._restore(line, known.get(line.newsletter), sent=sent)
        dropped = {line.pk for line in self.dropped}
        left = [line for line in self.lines[contact.pk] if line.pk not in dropped]
        idle = (
            not before.get("due")
            and contact.cause == str(self.batch)
            and contact.pk not in self.wanted_elsewhere
        )
        if idle and not differs(account_of(contact, left)):
            self.idle.append(contact)
            if contact.error and all(line.state != State.REFUSED for line in left):
                self.well.append(contact)
        elif before.get("parked_at"):
            contact.parked_at = datetime.fromisoformat(before["parked_at"])
            self.parked.append(contact)
        self.undone.append(contact)

    def _is_mine(self, line: Subscription) -> bool:
        """Whether nothing was decided about a line since this request did."""
        return (
            line.newsletter in self.batch.newsletters
            and line.decided_by == Decider.ADMIN
            and line.decided_at == self.batch.created_at
        )

    def _is_begun(self, line: Subscription, before: Mapping[str, Any] | None) -> bool:
        if self.batch.action == Batch.Action.UNSUBSCRIBE:
            return line.removed_at is not None and line.removed_at >= self.batch.created_at
        return line.state in HELD and (before is None or before["state"] not in HELD)

    def _restore(self, line: Subscription, before: Mapping[str, Any] | None, *, sent: bool) -> None:
        if before is not None:
            line.wanted, line.decided_by = before["wanted"], before["decided_by"]
            line.decided_at = datetime.fromisoformat(before["decided_at"])
            line.despite_opt_out = before["despite_opt_out"]
            if before["state"] == State.REFUSED and line.state == State.UNKNOWN:
                line.state, line.error_code = before["state"], before["error_code"]
            self.restored.append(line)
        elif not sent and line.removed_at is None and line.state not in HELD:
            self.dropped.append(line)
        else:  # asked for without an answer: looked for, and removed
            line.wanted, line.decided_at, line.despite_opt_out = False, self.now, False
            self.restored.append(line)

    def write(self) -> None:
        Subscription.objects.filter(pk__in=[line.pk for line in self.dropped]).delete()
        _write_lines(self.restored)
        _rows(self.undone).update(
            revision=F("revision") + 1,
            # Whoever was handed one of them and has not asked Basket yet need not.
            lease=F("lease") + 1,
            leased_until=None,
            lookup=None,
        )
        _rows(self.idle).update(
            settled_at=F("touched_at"), verify=False, not_before=None, attempts=0
        )
        for contact in self.well:
            clear_problem(contact)
        Contact.objects.bulk_update(self.well, PROBLEM_FIELDS)
        Contact.objects.bulk_update(self.parked, ["parked_at"])
        Event.objects.bulk_create(
            event_of(contact, Event.Kind.CANCELLED, self.batch.newsletters, batch=self.batch)
            for contact in self.undone
        )


def _write_lines(lines: Collection[Subscription]) -> None:
    """Those that become alike in one statement, but for the moments, which differ."""
    names = ("wanted", "decided_by", "despite_opt_out", "state", "error_code")
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for line in lines:
        alike[tuple(getattr(line, name) for name in names)].append(line.pk)
    for values, keys in alike.items():
        Subscription.objects.filter(pk__in=keys).update(**dict(zip(names, values, strict=True)))
    Subscription.objects.bulk_update(lines, ["decided_at"])


def _rows(contacts: Collection[Contact]) -> QuerySet[Contact]:
    return Contact.objects.filter(pk__in=[contact.pk for contact in contacts])
