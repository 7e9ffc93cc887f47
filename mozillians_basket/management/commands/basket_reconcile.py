"""Compare the site with the ledger, and the ledger with Basket, and correct differences."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.models import Approval
from mozillians_basket.site import get_site
from mozillians_basket.upkeep import approvals, reconcile, verification
from mozillians_basket.upkeep.reconcile import Kind, Report

#: Characters in the progress bar.
BAR = 30


class Command(BaseCommand):
    """
    Exit codes: 0 nothing differs, or all of it was mended; 1 differences were left (a dry run).

    2 a question to admins is open, or the removals of a dry run would raise one; 3 the switch
    is off.
    """

    help = (
        "Finds what no signal saw: members without a row, policies that changed their mind, other "
        "addresses, deleted members. With --apply it writes that into the ledger, and the worker "
        "carries it to Basket; the first time this adopts a site that already has members."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
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
        answer = parser.add_mutually_exclusive_group()
        answer.add_argument(
            "--go",
            action="store_true",
            help=(
                "answer the open questions: with --apply remove what the brake holds back, with "
                "--verify take what is missing at Basket for opt-outs"
            ),
        )
        answer.add_argument(
            "--restore",
            action="store_true",
            help="with --verify: Basket lost what is missing; subscribe it again",
        )
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        newsletters = frozenset(options["newsletter"] or ()) or None
        known = {policy.newsletter for policy in get_site().policies}
        if newsletters and (unknown := newsletters - known):
            raise CommandError(
                f"{', '.join(sorted(unknown))}: no policy names this. There are policies for: "
                f"{', '.join(sorted(known))}."
            )
        verifies = options["verify"] is not None
        if options["restore"] and not verifies:
            raise CommandError("--restore goes with --verify.")
        if options["go"] and not (options["apply"] or verifies):
            raise CommandError("--go goes with --apply or --verify.")
        if options["dry_run"] and (options["go"] or options["restore"]):
            raise CommandError("A dry run answers no questions.")
        if options["apply"] and not switch_is_on():
            raise CommandError(
                "The switch BASKET_SWITCH_ENABLED is off: turn it on first, or use --dry-run.",
                returncode=3,
            )
        if options["apply"]:
            report = reconcile.apply(newsletters, None if options["json"] else self._progress)
        else:
            report = reconcile.find(newsletters)
        unanswered = approvals.open_questions().filter(answer="").order_by("pk")
        if newsletters:
            unanswered = unanswered.filter(newsletter__in=newsletters)
        answered, looked_up = 0, 0
        if options["go"] or options["restore"]:  # the worker carries the answers out
            kind, answer = Approval.Kind.BRAKE, Approval.Answer.REMOVE
            if verifies:
                kind, answer = Approval.Kind.LOSS, Approval.Answer.OPTED_OUT
            if options["restore"]:
                answer = Approval.Answer.LOST
            for question in unanswered.filter(kind=kind):
                approvals.answer(question, answer, actor=None)
                answered += 1
        elif verifies and not options["dry_run"]:
            looked_up = verification.verify(options["verify"] or None)
        self._print(report, list(unanswered), answered, looked_up, options)
        if unanswered or (report.brakes and not options["apply"]):
            raise SystemExit(2)
        if report.differences and not options["apply"]:
            raise SystemExit(1)

    def _progress(self, done: int, total: int) -> None:
        """Show a bar on the terminal, none in cron's mail."""
        if not self.stderr.isatty():
            return
        filled = BAR * done // max(total, 1)
        bar = "#" * filled + "-" * (BAR - filled)
        self.stderr.write(f"\r[{bar}] {done} of {total} members compared\033[K", ending="")
        if done >= total:
            self.stderr.write("")

    def _print(
        self,
        report: Report,
        unanswered: list[Approval],
        answered: int,
        looked_up: int,
        options: dict[str, Any],
    ) -> None:
        if options["json"]:
            columns = ("newsletter", "kind", "number")
            questions = [{name: getattr(row, name) for name in columns} for row in unanswered]
            brakes = [
                {"newsletter": row.newsletter, "removals": row.number, "confirmed": row.total}
                for row in report.brakes
            ]
            summary = asdict(report) | {"brakes": brakes, "questions": questions}
            summary |= {"answered": answered, "looked_up": looked_up}
            self.stdout.write(json.dumps(summary, default=str, indent=2))
            return
        self.stdout.write("The site against the ledger")
        for kind in Kind:
            self.stdout.write(f"  {report.found[kind]:>9} {kind.label}")
        for name, numbers in report.by_newsletter.items():
            self.stdout.write(f"  {name}: {numbers['gained']} to gain, {numbers['lost']} to lose")
        if options["apply"]:
            self.stdout.write(f"  {report.applied} evaluated or made due")
        if answered:
            self.stdout.write(f"{answered} questions answered; the worker carries that out.")
        elif options["verify"] is not None:
            self.stdout.write(f"{looked_up} contacts made due for a lookup")
        foreseen = [] if options["apply"] else report.brakes
        for row in [*unanswered, *(each for each in foreseen if each not in unanswered)]:
            text = f"{row.sentence} {approvals.COMMANDS[Approval.Kind(row.kind)]}"
            self.stderr.write(self.style.ERROR(text))
