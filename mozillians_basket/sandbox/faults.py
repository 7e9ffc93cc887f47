"""Faults: setting them, taking them away, and finding those that strike a request."""

import random
from collections.abc import Iterable
from fnmatch import fnmatchcase

from django.db.models import F

from mozillians_basket.sandbox import store
from mozillians_basket.sandbox.models import Fault, Snapshot
from mozillians_basket.sandbox.remembered import Remembered
from mozillians_basket.sandbox.rounds import rounds
from mozillians_basket.sandbox.writing import writing

ACCOMPANYING = {Fault.Kind.DELAY, Fault.Kind.MAINTENANCE, Fault.Kind.READ_ONLY_MAINTENANCE}
"""The kinds that can strike a request together with another fault."""

QUEUED = {Fault.Kind.LATE, Fault.Kind.DOUBLED}
"""The kinds that strike a change in the queue, and not its request."""


class FaultBoard:
    """The faults that are set, read from the database only when they may have changed."""

    def __init__(self) -> None:
        self._faults = Remembered(Fault, _striking_requests)

    def current(self) -> list[Fault]:
        """Return the faults that are set, in the order in which they were set."""
        return self._faults.now()

    def striking(self, endpoint: str, email: str) -> list[Fault]:
        """
        Return the faults that strike this request, and use each of them once.

        Delays and maintenance strike together with others. Of the rest only the first one strikes.
        """
        struck: list[Fault] = []
        decided = False
        for fault in self.current():
            decides = fault.kind not in ACCOMPANYING
            if fault.kind in QUEUED or (decides and decided):
                continue
            if self._strikes(fault, endpoint, email):
                struck.append(fault)
                decided = decided or decides
        return struck

    def striking_queued(self, endpoint: str, email: str) -> dict[str, Fault]:
        """Return by kind the faults that strike a queued change, and use each of them once."""
        struck: dict[str, Fault] = {}
        for fault in self.current():
            is_first = fault.kind in QUEUED and fault.kind not in struck
            if is_first and self._strikes(fault, endpoint, email):
                struck[fault.kind] = fault
        return struck

    def _strikes(self, fault: Fault, endpoint: str, email: str) -> bool:
        return self._matches(fault, endpoint, email) and self._is_hit(fault) and self._use(fault)

    def _matches(self, fault: Fault, endpoint: str, email: str) -> bool:
        if fault.endpoint and fault.endpoint != endpoint:
            return False
        return not fault.email or fnmatchcase(email.lower(), fault.email.lower())

    def _is_hit(self, fault: Fault) -> bool:
        if fault.share >= 1:
            return True
        Fault.objects.filter(pk=fault.pk).update(seen=F("seen") + 1)
        seen = Fault.objects.filter(pk=fault.pk).values_list("seen", flat=True).first()
        chance = random.Random(f"{fault.seed}:{seen}").random()  # noqa: S311
        return chance < fault.share

    def _use(self, fault: Fault) -> bool:
        if fault.remaining is None:
            return True
        left = Fault.objects.filter(pk=fault.pk, remaining__gt=0)
        if left.update(remaining=F("remaining") - 1):
            return True
        self._faults.forget()
        return False


def _striking_requests() -> list[Fault]:
    return list(Fault.objects.exclude(remaining=0).exclude(kind__in=Fault.LOSSES))


board = FaultBoard()


def set_fault(fault: Fault) -> None:
    """Set a fault. A loss strikes at once."""
    with writing():
        fault.save()
        if fault.kind in Fault.LOSSES:
            store.lose(fault)


def take_away(faults: Iterable[Fault]) -> None:
    """Take faults away, the newest first. People and subscriptions that a loss took come back."""
    with writing():
        for fault in sorted(faults, key=lambda fault: fault.pk, reverse=True):
            for snapshot in Snapshot.objects.filter(fault=fault):
                store.restore(snapshot)
            fault.delete()


def wait(fault: Fault, *, otherwise: float = 0) -> None:
    """Wait for the fault's seconds, or ``otherwise``; a reset or the server's end stops it."""
    rounds.pause(seconds_of(fault, otherwise=otherwise))


def seconds_of(fault: Fault, *, otherwise: float = 0) -> float:
    """Return this fault's duration: its seconds, or ``otherwise``, with its spread applied."""
    chance = random.SystemRandom()
    middle = fault.seconds or otherwise
    if fault.spread == Fault.Spread.UNIFORM:
        return chance.uniform(0, 2 * middle)
    if fault.spread == Fault.Spread.EXPONENTIAL:
        return chance.expovariate(1 / max(middle, 1e-9))
    return middle
