"""One run: changes and chaos for a while, then quiet, then the verdict."""

import random
import time
from collections.abc import Mapping
from datetime import datetime

from django.core.management import call_command
from django.db.models import Min, Q, QuerySet
from django.utils import timezone
from waffle.models import Switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import decisions
from mozillians_basket.models import Approval, Contact, Decision, Member, Subscription, Touch
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import approvals, reconcile, verification
from project.processes import Beat
from tests.services.site import let_a_day_pass, stuck, unsettled
from tests.soak.changes import Changes, told_of
from tests.soak.chaos import Chaos
from tests.soak.model import NDA, OURS, PHONE, judge

#: Seconds between two runs of the reconciler.
RECONCILE_EVERY = 5.0

#: Seconds from a loss until the restored backup.
LOSS = 6.0

#: The longest wait for the end of all calls before a loss, in seconds.
LOSS_WAITS = 300.0


class Run:
    """One run. It needs an empty database, and Django set up on it."""

    def __init__(
        self, basket: SandboxServer, site: Mapping[str, str], chance: random.Random, members: int
    ) -> None:
        call_command("migrate", verbosity=0)
        Switch.objects.create(name=SWITCH, active=True)
        self._basket = basket
        self._chance = chance
        self._changes = Changes(basket, chance, members)
        reconcile.apply()
        self._chaos = Chaos(basket, chance, site)
        self._beat = Beat(site)
        self._chaos.start()
        self._beat.start()
        self._longest = 0.0
        self._left: list[str] = []
        self._settled_in = 0.0
        self._parked = self._answered = 0
        self._reconciled = self._looked = 0.0

    def go(self, seconds: float, rate: float) -> None:
        """Make changes and faults for some seconds, at a rate per second, with two losses."""
        losses = [seconds / 3, seconds * 2 / 3]
        began = time.monotonic()
        number = 0
        while (now := time.monotonic()) < began + seconds:
            self._go_on()
            if losses and now > began + losses[0]:
                losses.pop(0)
                self._lose_and_restore()
                number = int((time.monotonic() - began) * rate)  # missed changes are not made later
            elif now < began + number / rate:
                time.sleep(0.01)
            elif self._changes.one():
                number += 1
            else:
                time.sleep(0.1)

    def settle(self, patience: float) -> None:
        """End all faults, and wait until no work is left."""
        self._chaos.end()
        began = time.monotonic()
        self._wait(60, notices=True)
        # Basket has everybody again. A question that does not close by itself is about opt-outs.
        self._answered = sum(
            approvals.answer(row, Approval.Answer.OPTED_OUT, None) for row in _questions()
        )
        self._wait(patience, notices=True)
        reconcile.apply()
        self._parked = decisions.retry(Contact.objects.filter(parked=True))
        self._wait(patience)
        let_a_day_pass()
        self._wait(patience)
        verification.verify(None)
        self._wait(patience)
        # Beat's verification goes on, and may have made contacts due since.
        end = time.monotonic() + patience
        while (left := stuck()) and time.monotonic() < end:
            self._go_on(calm=True)
            time.sleep(0.1)
        self._left = left
        self._left += [f"not noticed: {mailbox.key}" for mailbox in self._changes.frozen]
        self._left += [f"open: {row}" for row in Approval.objects.filter(closed_at=None)]
        lost = Subscription.objects.filter(state=State.LOST)
        self._left += [f"missing at Basket: {row.contact.key}" for row in lost]
        self._settled_in = time.monotonic() - began

    def report(self, calls: int) -> int:
        """Print the changes, the faults and the result; return the exit code."""
        held = {email: person.newsletters for email, person in self._basket.people.items()}
        verdict = judge(self._changes.mailboxes, held, opt_outs())
        changes = self._changes.made.total()
        for done in (self._changes.made, self._chaos.done):
            for name, number in sorted(done.items()):
                print(f"  {name.replace('_', ' ')}: {number}")
        print(f"changes made: {changes}")
        for kind, lines in vars(verdict).items():
            print(f"{kind.replace('_', ' ')}: {len(lines)}")
        print(f"orders answered wrongly: {len(self._changes.surprises)}")
        print(f"stuck: {len(self._left)}")
        print(f"parked contacts that an admin retried: {self._parked}")
        print(f"questions that an admin answered: {self._answered}")
        print(f"calls per change: {calls / max(changes, 1):.2f}")
        print(f"longest wait: {self._longest:.1f} s, outages and the switch included")
        print(f"settled in: {self._settled_in:.1f} s after the last change")
        found = [*verdict.lines, *self._changes.surprises, *self._left]
        for line in found[:60]:
            print(f"  ! {line}")
        for contact in Contact.objects.order_by("pk") if found else ():
            if any(contact.key in line for line in found[:60]):
                print(f"  ? {contact.key}")
                for known in told_of(Q(contact=contact), contact.members.values("site_member")):
                    print(f"    {known}")
        return 1 if found else 0

    def close(self) -> None:
        """End the site's processes."""
        self._beat.stop()
        self._chaos.stop()

    def _lose_and_restore(self) -> None:
        """
        Let Basket lose people or subscriptions, and restore them from a backup.

        Nobody makes changes in between, as the backup would undo them. Admins wait. Basket's queue
        must be empty too: the backup would undo its calls, and that would look like an opt-out.
        """
        self._chaos.heal()
        self._chaos.workers_on()
        if not self._wait(LOSS_WAITS, notices=True):
            self._chaos.done["losses left out, as calls were under way"] += 1
            return
        name = self._chance.choice([PHONE, NDA, ""])
        if self._chance.random() < 0.5:
            self._basket.lose_people(name)
        else:
            self._basket.lose_subscriptions(name)
        verification.verify(None)
        self._pass_time(LOSS)
        self._basket.restore()
        self._chaos.done["losses"] += 1
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            verification.verify(None)
            self._wait(60)
            reopened = Q(state=State.SUBSCRIBED, opted_out_at__isnull=False)  # to be judged again
            lost = Subscription.objects.filter(
                Q(state=State.LOST) | Q(missing_at__isnull=False) | reopened
            )
            if not lost.exclude(state=State.OPTED_OUT).exists() and not _questions().exists():
                return

    def _pass_time(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._go_on()
            time.sleep(0.05)

    def _wait(self, patience: float, *, notices: bool = False) -> bool:
        """Wait until no work is left; return False if it takes too long."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            busy = unsettled(but_for_calls_in_a_queue=True)
            if not busy and not (notices and self._changes.frozen):
                return True
            self._go_on(calm=True)
            time.sleep(0.3)
        return False

    def _go_on(self, *, calm: bool = False) -> None:
        """Do the work that is due now, besides the changes."""
        now = time.monotonic()
        if not calm:
            self._chaos.go_on()
        if now > self._looked + 1:
            self._looked = now
            self._look()
            self._changes.look()
        if now > self._reconciled + RECONCILE_EVERY:
            self._reconciled = now
            reconcile.apply()

    def _look(self) -> None:
        """Note the longest wait of a change so far."""
        due = Contact.objects.filter(
            touched_at__isnull=False, not_before=None, priority=Contact.Priority.CHANGE
        )
        oldest: list[datetime | None] = [
            due.aggregate(moment=Min("touched_at"))["moment"],
            Touch.objects.aggregate(moment=Min("created_at"))["moment"],
        ]
        now = timezone.now()
        waits = [(now - moment).total_seconds() for moment in oldest if moment is not None]
        self._longest = max([self._longest, *waits])


def _questions() -> "QuerySet[Approval]":
    return Approval.objects.filter(kind=Approval.Kind.LOSS, closed_at=None)


def opt_outs() -> dict[str, set[str]]:
    """Return the opt-outs in the ledger by mailbox, of all its contacts and their members."""
    found: dict[str, set[str]] = {
        key: set() for key in Contact.objects.values_list("key", flat=True)
    }
    rows = Subscription.objects.filter(state=State.OPTED_OUT)
    marks = Decision.objects.filter(opted_out_at__isnull=False, member__contact__isnull=False)
    for key, name in [
        *rows.values_list("contact__key", "newsletter"),
        *marks.values_list("member__contact__key", "newsletter"),
    ]:
        found[key].add(name)
    off = Member.objects.filter(opted_out_at__isnull=False, contact__isnull=False)
    for key in off.values_list("contact__key", flat=True):
        found[key] |= set(OURS)
    return found
