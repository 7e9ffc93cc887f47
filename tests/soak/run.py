"""One run: changes and chaos for a while, then quiet, then the verdict."""

import random
import time
from collections.abc import Mapping
from datetime import datetime

from django.core.management import call_command
from django.db.models import F, Min
from django.utils import timezone
from waffle.models import Switch

from mozillians_basket import reconcile
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import VERIFICATION
from mozillians_basket.models import Contact, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from tests.services.outcome import stuck
from tests.services.site import unsettled
from tests.services.worker import Beat
from tests.soak.changes import Changes
from tests.soak.chaos import Chaos
from tests.soak.model import judge

#: Seconds between two runs of the reconciler.
RECONCILE_EVERY = 5.0


class Run:
    """Needs a database that is empty, and Django set up on it."""

    def __init__(
        self, basket: SandboxServer, site: Mapping[str, str], chance: random.Random, members: int
    ) -> None:
        call_command("migrate", verbosity=0)
        Switch.objects.create(name=SWITCH, active=True)
        self._basket = basket
        self._changes = Changes(basket, chance, members)
        reconcile.apply()
        self._chaos = Chaos(basket, chance, site)
        self._beat = Beat(site)
        self._chaos.start()
        self._beat.start()
        self._longest = 0.0
        self._left: list[str] = []
        self._settled_in = 0.0

    def go(self, seconds: float, rate: float) -> None:
        """Change and hurt for so many seconds, with so many changes a second."""
        began = time.monotonic()
        reconciled = looked = began
        number = 0
        while (now := time.monotonic()) < began + seconds:
            self._chaos.go_on()
            if now > looked + 1:
                self._look()
                looked = now
            if now > reconciled + RECONCILE_EVERY:
                reconcile.apply()
                reconciled = now
            if now < began + number / rate:
                time.sleep(0.01)
            elif self._changes.one():
                number += 1
            else:
                break  # everybody has changed as often as anybody may

    def settle(self, patience: float) -> None:
        """Let everything be well, and wait until nothing is left to do."""
        self._chaos.end()
        reconcile.apply(go=True)
        began = time.monotonic()
        self._left = unsettled()
        while self._left and time.monotonic() < began + patience:
            time.sleep(0.5)
            self._look()
            self._left = unsettled()
        self._left += stuck()
        self._settled_in = time.monotonic() - began

    def report(self, calls: int) -> int:
        """Print what was done and what came of it; return the exit code."""
        held = {email: person.newsletters for email, person in self._basket.people.items()}
        verdict = judge(self._changes.members, held)
        changes = self._changes.made.total()
        for name, number in sorted(self._changes.made.items()):
            print(f"  {name.replace('_', ' ')}: {number}")
        for name, number in sorted(self._chaos.done.items()):
            print(f"  {name}: {number}")
        print(f"changes made: {changes}")
        print(f"lost: {len(verdict.lost)}")
        print(f"wrong: {len(verdict.wrong)}")
        print(f"opt-outs violated: {len(verdict.violated)}")
        print(f"stuck: {len(self._left)}")
        print(f"calls per change: {calls / max(changes, 1):.2f}")
        print(f"longest wait: {self._longest:.1f} s, outages and the switch included")
        print(f"settled in: {self._settled_in:.1f} s after the last change")
        for line in [*verdict.lost, *verdict.wrong, *verdict.violated, *self._left][:40]:
            print(f"  ! {line}")
        return 0 if verdict.is_good and not self._left else 1

    def close(self) -> None:
        """End the site's processes."""
        self._beat.stop()
        self._chaos.stop()

    def _look(self) -> None:
        """Note how long the change that has waited longest has waited."""
        due = Contact.objects.filter(touched_at__gt=F("settled_at")).exclude(cause=VERIFICATION)
        oldest: list[datetime | None] = [
            due.aggregate(moment=Min("touched_at"))["moment"],
            Touch.objects.aggregate(moment=Min("created_at"))["moment"],
        ]
        now = timezone.now()
        waits = [(now - moment).total_seconds() for moment in oldest if moment is not None]
        self._longest = max([self._longest, *waits])
