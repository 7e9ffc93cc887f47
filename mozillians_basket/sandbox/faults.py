"""Faults: which of them strikes a request."""

import random
from fnmatch import fnmatchcase

from django.db.models import F

from mozillians_basket.sandbox.models import Fault
from mozillians_basket.sandbox.remembered import Remembered
from mozillians_basket.sandbox.rounds import rounds

ACCOMPANYING = {Fault.Kind.DELAY, Fault.Kind.MAINTENANCE, Fault.Kind.READ_ONLY_MAINTENANCE}
"""The kinds that go with others."""


class FaultBoard:
    """The faults that are set, read from the database only when they may have changed."""

    def __init__(self) -> None:
        self._faults = Remembered(Fault, lambda: list(Fault.objects.exclude(remaining=0)))

    def current(self) -> list[Fault]:
        """Return the faults that are set, in the order in which they were set."""
        return self._faults.now()

    def striking(self, endpoint: str, email: str) -> list[Fault]:
        """
        Return the faults that strike this request, and use them up by one.

        Waiting and maintenance go with others; of the rest only the first one strikes.
        """
        struck: list[Fault] = []
        decided = False
        for fault in self.current():
            decides = fault.kind not in ACCOMPANYING
            if decides and decided:
                continue
            if self._matches(fault, endpoint, email) and self._is_hit(fault) and self._use(fault):
                struck.append(fault)
                decided = decided or decides
        return struck

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


board = FaultBoard()


def wait(fault: Fault, *, otherwise: float = 0) -> None:
    """Wait as the fault says, or else ``otherwise``; a reset or the server's end cuts it short."""
    chance = random.SystemRandom()
    middle = fault.seconds or otherwise
    if fault.spread == Fault.Spread.UNIFORM:
        seconds = chance.uniform(0, 2 * middle)
    elif fault.spread == Fault.Spread.EXPONENTIAL:
        seconds = chance.expovariate(1 / max(middle, 1e-9))
    else:
        seconds = middle
    rounds.pause(seconds)
