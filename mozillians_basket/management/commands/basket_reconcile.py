"""Compare the policies with the ledger, and the ledger with Basket, and mend what differs."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mozillians_basket import reconcile, verification
from mozillians_basket.models import Pulse
from mozillians_basket.reconcile import Kind, Report
from mozillians_basket.site import get_site
from mozillians_basket.switch import switch_is_on

#: Characters in the progress bar.
BAR = 30

EXPLAINED = {
    Kind.ROWLESS: "members without a row in the ledger",
    Kind.ADDRESS: "members whose address is another one",
    Kind.GAINED: "members who meet a policy that the ledger says they don't",
    Kind.UNSETTLED: "contacts that differ from what Basket confirmed, and are not due",
    Kind.LOST: "members who don't meet a policy that the ledger says they do",
    Kind.DEPARTED: "contacts whose member is gone",
}


class Command(BaseCommand):
    """
    Exit codes, for cron: 0 nothing differs, or all of it was mended; 1 differences were found
    and left (a dry run); 2 a brake is on: too much would go at once; 3 the switch is off.
    """

    help = (
        "Finds what no signal saw: members without a row, policies that changed their mind, other "
        "addresses, deleted members. With --apply it writes that into the ledger, and the worker "
        "carries it to Basket; the first time this adopts a site that already has members."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what may follow the command's name."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--dry-run", action="store_true", help="only say what differs (the default)"
        )
        what.add_argument("--apply", action="store_true", help="mend what differs")
        parser.add_argument(
            "--verify",
            nargs="?",
            type=int,
            const=0,
            metavar="N",
            help="also look up contacts at Basket: the N longest unverified (all without N)",
        )
        parser.add_argument("--newsletter", action="append", help="only these (may be repeated)")
        word = parser.add_mutually_exclusive_group()
        word.add_argument(
            "--go",
            action="store_true",
            help="release the brake: remove, or take for opt-outs, however many they are",
        )
        word.add_argument(
            "--restore",
            action="store_true",
            help="with --verify: Basket lost what is gone; subscribe it again",
        )
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, print a summary, and end with an exit code."""
        newsletters = self._newsletters(options["newsletter"])
        if options["restore"] and options["verify"] is None:
            raise CommandError("--restore goes with --verify.")
        if options["apply"] and not switch_is_on():
            raise CommandError(
                "The switch BASKET_SWITCH_ENABLED is off: turn it on first, or use --dry-run.",
                returncode=3,
            )
        if options["apply"]:
            progress = None if options["json"] else self._progress
            report = reconcile.apply(newsletters, go=options["go"], progress=progress)
        else:
            report = reconcile.find(newsletters)
        verified = self._verify(options) if options["verify"] is not None else None
        self._print(report, verified, applied=options["apply"], as_json=options["json"])
        losing = Pulse.now().losing_since is not None
        if losing or (report.brakes and not (options["apply"] and options["go"])):
            raise SystemExit(2)
        if report.differences and not options["apply"]:
            raise SystemExit(1)

    def _newsletters(self, names: list[str] | None) -> frozenset[str] | None:
        if not names:
            return None
        known = {policy.newsletter for policy in get_site().policies}
        if unknown := set(names) - known:
            raise CommandError(
                f"{', '.join(sorted(unknown))}: no policy names this. There are policies for: "
                f"{', '.join(sorted(known))}."
            )
        return frozenset(names)

    def _verify(self, options: dict[str, Any]) -> dict[str, Any]:
        """Conclude what earlier look-ups found, then make contacts due for the next ones."""
        if not options["apply"]:
            return {"missing": verification.missing()}
        if options["restore"]:
            return {"restored": verification.restore()}
        if options["go"]:
            return {"opted_out": verification.accept()}
        opted_out = verification.conclude()
        return {"opted_out": opted_out, "looked_up": verification.verify(options["verify"] or None)}

    def _progress(self, kind: Kind, done: int, total: int) -> None:
        """A bar on the terminal, none in cron's mail."""
        if not self.stderr.isatty():
            return
        filled = BAR * min(done, total) // max(total, 1)
        bar = "#" * filled + "-" * (BAR - filled)
        self.stderr.write(f"\r[{bar}] {done} of {total} {EXPLAINED[kind]}\033[K", ending="")
        if done >= total:
            self.stderr.write("")

    def _print(
        self, report: Report, verified: dict[str, Any] | None, *, applied: bool, as_json: bool
    ) -> None:
        losing = Pulse.now().losing_since
        if as_json:
            summary = {**asdict(report), "verification": verified, "losing_since": losing}
            self.stdout.write(json.dumps(summary, default=str, indent=2))
            return
        self.stdout.write("Policies against the ledger")
        for kind in Kind:
            mended = f", {report.applied[kind]} made due" if kind in report.applied else ""
            self.stdout.write(f"  {report.found[kind]:>9} {EXPLAINED[kind]}{mended}")
        for name, numbers in report.by_newsletter.items():
            self.stdout.write(f"  {name}: {numbers['gained']} to gain, {numbers['lost']} to lose")
        for brake in report.brakes:
            self.stderr.write(
                self.style.ERROR(
                    f"BRAKE: {brake.removals} of {brake.subscriptions} subscriptions to "
                    f"{brake.newsletter} would be removed. Nothing is removed without --go."
                )
            )
        if verified is not None:
            self.stdout.write(f"The ledger against Basket: {json.dumps(verified)}")
        if losing:
            self.stderr.write(
                self.style.ERROR(
                    f"BRAKE: too many confirmed subscriptions are gone at Basket, since {losing}. "
                    "Look into it, then run --apply --verify with --go or --restore."
                )
            )
