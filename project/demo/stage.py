"""Plays acts: notes the changes of each, waits for Basket, compares, and prints the table."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import transaction

from mozillians_basket.ledger.queue import due
from mozillians_basket.models import BulkItem, Contact, Touch
from project.demo.basket import Basket, Holdings
from project.demo.table import BOLD, coloured, say, table

#: Seconds until Basket must hold the expected newsletters after an act, also on a busy machine.
PATIENCE = 60.0

#: Seconds to wait after an act that should lead to nothing: two sweeps.
QUIET = 2.2

_POLL = 0.08


class Expectation:
    """
    The contents that Basket should have, kept up by hand with every act: no policy is used.

    Basket never forgets a person: an address that lost all newsletters stays, with none.
    """

    def __init__(self) -> None:
        self._held: dict[str, frozenset[str]] = {}

    def gain(self, email: str, *newsletters: str) -> None:
        """Expect that this address gets these newsletters too."""
        self._held[email] = self.of(email) | set(newsletters)

    def lose(self, email: str, *newsletters: str) -> None:
        """Expect that this address no longer gets these newsletters."""
        self._held[email] = self.of(email) - set(newsletters)

    def of(self, email: str) -> frozenset[str]:
        """Return the newsletters that this address should have."""
        return self._held.get(email, frozenset())

    @property
    def holdings(self) -> Holdings:
        """The newsletters of all addresses that Basket should know. It should know no others."""
        return dict(self._held)

    def differences(self, held: Holdings) -> list[str]:
        """Return one line for each address at which Basket differs from the expectation."""
        return [
            f"{email}: Basket holds {spelled(held, email)}, "
            f"it should be {spelled(self._held, email)}"
            for email in sorted(held.keys() | self._held.keys())
            if held.get(email) != self._held.get(email)
        ]


def spelled(holdings: Holdings, email: str) -> str:
    """Return the newsletters of an address in words."""
    newsletters = holdings.get(email)
    if newsletters is None:
        return "unknown"
    return ", ".join(sorted(newsletters)) or "nothing"


class ActFailed(Exception):
    """Basket does not hold the expected newsletters, or received an unexpected request."""


@dataclass
class Change:
    """One change that concerns an address."""

    email: str
    what: str
    committed: float
    waited_for: bool
    reached: float | None = None


@dataclass
class Act:
    """The changes in one act so far."""

    before: Holdings
    should_before: Holdings
    changes: list[Change] = field(default_factory=list)

    def rows(self, held: Holdings, expectation: Expectation) -> list[list[str]]:
        """Return one row for each change."""
        return [
            [
                change.email,
                change.what,
                spelled(self.before, change.email),
                spelled(held, change.email),
                "-" if change.reached is None else f"{change.reached - change.committed:5.2f} s",
                "ok"
                if held.get(change.email) == expectation.holdings.get(change.email)
                else "WRONG",
            ]
            for change in self.changes
        ]


class Stage:
    """The stage of the story: the site's database in this process, Basket over HTTP."""

    def __init__(self, basket: Basket, watch: Callable[[], None]) -> None:
        self.basket = basket
        self.expected = Expectation()
        self._watch = watch
        self._number = 0
        self._act = Act({}, {})

    @contextmanager
    def act(self, title: str, *, unheard: bool = False, summed_up: bool = False) -> Iterator[None]:
        """
        Play one act. The block makes the changes and sets the expectation.

        :param unheard: Basket must not receive a single request.
        :param summed_up: show one row for all changes with the same result.
        :raises ActFailed: when Basket does not reach the expected state.
        """
        self._number += 1
        say()
        say(coloured(f"{self._number:2} {title}", BOLD))
        if unheard:
            self.basket.forget_requests()
        self._act = Act(self.basket.holdings, self.expected.holdings)
        yield
        held = self._held_after_a_while() if unheard else self._held_in_the_end()
        rows = self._act.rows(held, self.expected)
        heads = ["address", "event", "Basket held", "Basket holds", "after", ""]
        say(table(heads, _summed_up(rows) if summed_up else rows))
        wrong = self.expected.differences(held)
        if unheard:
            count = self.basket.requests
            say(f"   requests that Basket received in that time: {count}")
            if count:
                wrong.append(f"Basket received {count} requests; it should be none")
        if wrong:
            raise ActFailed("\n".join(wrong))

    @contextmanager
    def change(self, what: str, *emails: str, in_vain: bool = False) -> Iterator[None]:
        """Make one transaction of the site, and note these addresses; see ``note()``."""
        with transaction.atomic():
            yield
        self.note(what, *emails, in_vain=in_vain)

    def note(self, what: str, *emails: str, in_vain: bool = False) -> None:
        """
        Note that something has just happened to these addresses.

        :param in_vain: Basket should not change because of it, so no time is measured.
        """
        now = time.monotonic()
        self._act.changes += [Change(email, what, now, not in_vain) for email in emails]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """
        Wait until the queue meets ``condition``: a method of this class.

        :raises ActFailed: when that takes too long.
        """
        end = time.monotonic() + PATIENCE
        while not condition():
            self._watch()
            if time.monotonic() > end:
                raise ActFailed(f"After {PATIENCE:g} s the queue was not {condition.__name__}.")
            time.sleep(_POLL)

    def still(self) -> bool:
        """Whether no sync is under way."""
        return not Contact.objects.filter(leased_until__isnull=False).exists()

    def idle(self) -> bool:
        """Whether no sync is under way, and no work waits for the worker."""
        waiting = (
            Touch.objects.all(),
            due(),
            BulkItem.objects.filter(state=BulkItem.State.PENDING),
        )
        return self.still() and not any(rows.exists() for rows in waiting)

    def settled(self) -> bool:
        """Whether no contact will be looked up again later either."""
        return self.idle() and not Contact.objects.filter(touched_at__isnull=False).exists()

    def _held_in_the_end(self) -> Holdings:
        """Return Basket's contents once they are right, no longer change, or the time is over."""
        began = unsettled = time.monotonic()
        while True:
            self._watch()
            held = self.basket.holdings
            self._note_reached(held)
            now = time.monotonic()
            if not self.settled():
                unsettled = now
            through = self.expected.holdings == held and self.idle()
            if through or now - unsettled > QUIET or now - began > PATIENCE:
                return self.basket.holdings
            time.sleep(_POLL)

    def _held_after_a_while(self) -> Holdings:
        end = time.monotonic() + QUIET
        while time.monotonic() < end:
            self._watch()
            time.sleep(_POLL)
        return self.basket.holdings

    def _note_reached(self, held: Holdings) -> None:
        now, should = time.monotonic(), self.expected.holdings
        for change in self._act.changes:
            email = change.email
            changes = should.get(email) != self._act.should_before.get(email)
            if not (changes and change.waited_for and change.reached is None):
                continue
            if held.get(email) == should.get(email):
                change.reached = now


def _summed_up(rows: list[list[str]]) -> list[list[str]]:
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for row in rows:
        _email, what, before, now, _after, verdict = row
        groups.setdefault((what, before, now, verdict), []).append(row)
    result = []
    for (what, before, now, verdict), alike in groups.items():
        first, last = alike[0], alike[-1]
        times = sorted(row[4] for row in alike)
        name = first[0] if len(alike) == 1 else f"{len(alike)}: {first[0]} to {last[0]}"
        after = times[-1] if times[0] == times[-1] else f"{times[0].strip()} to {times[-1].strip()}"
        result.append([name, what, before, now, after, verdict])
    return result
