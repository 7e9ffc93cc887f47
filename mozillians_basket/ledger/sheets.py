"""A leased contact and its lines in memory, written back in one go or not at all."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Self, TypeVar

from django.db import router, transaction
from django.db.models import Model

from mozillians_basket.exceptions import BasketSwitchedOff, LeaseLost
from mozillians_basket.ledger import reading, statements
from mozillians_basket.ledger.accounts import account_of, current_plan
from mozillians_basket.ledger.history import event_of
from mozillians_basket.ledger.leases import Lease, end_of_lease, release
from mozillians_basket.ledger.reading import Reading
from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.plan import Account, Lookup, Plan
from mozillians_basket.switch import note_row_is_on

Result = TypeVar("Result")

#: What a sync may change; ``lease`` and ``revision`` are counted by the database.
CONTACT_FIELDS = [
    "email", "wanted_email", "moving_to", "token", "refused_email", "touched_at", "settled_at",
    "verify", "verified_at", "claimed_touch", "leased_until", "lookup", "asked", "parked_at",
    "not_before", "attempts", "error", "error_code", "cause", "failing_since", "dismissed_at",
]  # fmt: skip
LINE_FIELDS = [
    "wanted", "decided_by", "decided_at", "despite_opt_out", "state", "error_code", "confirmed_at",
    "verified_at", "missing_at", "removed_at", "requested_at",
]  # fmt: skip
EVENT_FIELDS = [field.attname for field in Event._meta.concrete_fields if not field.primary_key]


class Sheet:
    """
    What one worker knows of the contact that it has leased.

    It is read without a lock. Whoever else changes the contact or its lines
    counts ``Contact.revision`` up, and then nothing of the sheet is written:
    the work is done again on what the rows say by then.
    """

    contact: Contact
    lines: dict[str, Subscription]

    troubled: bool
    """Whether the breaker is open or has counted failures."""

    shared: bool
    """Whether other contacts have, or are to have, this one's address."""

    ordered: bool
    """Whether bulk requests wait for this contact."""

    due_again: bool = False
    """Once it is settled: whether it was touched meanwhile, or something is left to send."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.events: list[Event] = []
        self.more: list[Callable[[], object]] = []

    @property
    def as_argument(self) -> list[int]:
        """The lease as a task's argument: keys only."""
        return self.lease.as_argument

    @property
    def account(self) -> Account:
        """The contact and its lines as planning sees them."""
        return account_of(self.contact, self.lines.values())

    @property
    def looked_up(self) -> Lookup | None:
        """What Basket answered to this sync, kept up with what was done since."""
        return Lookup.from_json(self.contact.lookup) if self.contact.lookup else None

    def plan(self, lookup: Lookup, account: Account | None = None) -> Plan | None:
        """What is left to send; ``None`` when the lookup does not fit any more."""
        return current_plan(self.contact, account or self.account, lookup, shared=self.shared)

    def open(self, *, switched_on: bool = True) -> Self:
        """
        Read the rows, in one query.

        :param switched_on: give the contact back when the switch is off.
        :raises LeaseLost: when somebody else has the lease.
        :raises BasketSwitchedOff: when the switch's own row says so: waffle's
            cache can be behind it, by a race or after a ``QuerySet.update()``.
        """
        found = reading.read(self.lease)
        if found is None:
            raise LeaseLost(self.lease.contact_id)
        if not found.switched_on and switched_on:
            release(self.lease)
            raise BasketSwitchedOff
        self._receive(found)
        self._leave_unanswered()
        return self

    def take(self, *, noted: bool = False) -> Self:
        """
        Make the lease one that only this worker knows, and open the sheet.

        So a message that is delivered twice is carried out once.

        :param noted: the step before noted in ``asked`` what this one is to ask for.
        :raises LeaseLost: as :meth:`open`.
        :raises BasketSwitchedOff: as :meth:`open`.
        """
        found = reading.take(self.lease)
        if found is None:
            return self.open()
        self.lease = self.lease.prolonged
        self._receive(found)
        if not noted:
            self._leave_unanswered()
        return self

    def _receive(self, found: Reading) -> None:
        self.contact = found.contact
        self.lines = {line.newsletter: line for line in found.lines}
        self.troubled, self.shared, self.ordered = found.troubled, found.shared, found.ordered
        self._remember()
        if found.switched_on:
            note_row_is_on()

    def _leave_unanswered(self) -> None:
        """A subscribe that nobody answered may be carried out yet: the lines say so from now on."""
        asked, self.contact.asked = self.contact.asked, None
        for name in (asked or {}).get("newsletters", ()):
            if name in self.lines and asked is not None:
                self.lines[name].requested_at = datetime.fromisoformat(asked["at"])

    def _remember(self) -> None:
        self._contact_as_read = _values(self.contact, CONTACT_FIELDS)
        self._lines_as_read = {line.pk: _values(line, LINE_FIELDS) for line in self.lines.values()}

    def change(
        self, work: Callable[[], Result], *, keep: bool = False, calls: bool = False
    ) -> Result:
        """
        Write what ``work`` changes in memory, and the events and further writes that it adds.

        It is called again, on freshly read rows, when somebody else wrote
        meanwhile. What it raises leaves the database as it was.

        :param keep: prolong the lease for the next step, unless ``work`` gives the
            contact back; the lease before is void after that.
        :param calls: a call follows at once, under the lease as it was just taken.
        :raises LeaseLost: when somebody else has the lease.
        :raises BasketSwitchedOff: with ``keep`` or ``calls``, when the switch is off.
        """
        while True:
            self.events, self.more = [], []
            result = work()
            if self._write(keep=keep and self.contact.leased_until is not None):
                return result
            self.open(switched_on=keep or calls)

    def note(self, kind: Event.Kind, newsletters: Iterable[str] = (), **more: Any) -> None:
        """Add to the contact's history."""
        self.events.append(event_of(self.contact, kind, newsletters, **more))

    def _write(self, *, keep: bool) -> bool:
        changes: dict[str, Any] = _differences(self.contact, self._contact_as_read)
        lines: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
        for line in self.lines.values():
            if differences := _differences(line, self._lines_as_read[line.pk]):
                lines[tuple(differences.items())].append(line.pk)
        if not (changes or lines or self.events or self.more or keep):
            return True
        if keep:
            changes["leased_until"] = end_of_lease()
        with ExitStack() as stack:
            if self.more:
                stack.enter_context(transaction.atomic(router.db_for_write(Contact)))
            if not self._write_rows(changes, lines, keep=keep):
                return False
            for write in self.more:
                write()
            if self.more:
                Event.objects.bulk_create(self.events)
        if keep:
            note_row_is_on()
            self.lease = self.lease.prolonged
        self._remember()
        return True

    def _write_rows(
        self,
        changes: dict[str, Any],
        lines: dict[tuple[tuple[str, Any], ...], list[int]],
        *,
        keep: bool,
    ) -> bool:
        events = [] if self.more else self.events
        return statements.write(
            self.lease,
            changes,
            revision=self.contact.revision,
            keep=keep,
            lines=[(keys, dict(differences)) for differences, keys in lines.items()],
            events=[_values(event, EVENT_FIELDS) for event in events],
        )


def _values(row: Model, names: Iterable[str]) -> dict[str, Any]:
    values = row.__dict__
    return {name: values[name] for name in names}


def _differences(row: Model, before: dict[str, Any]) -> dict[str, Any]:
    values = row.__dict__
    return {name: values[name] for name, value in before.items() if values[name] != value}
