"""Say in plain language whether changes reach Basket, and if not, why."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from mozillians_basket.upkeep.doctor import Level, examine


class Command(BaseCommand):
    """Exit codes: 0 no problem; 1 warnings; 2 changes do not reach Basket."""

    help = (
        "Examines settings, tables, switch, Basket, key, newsletters, broker, worker, beat, queue, "
        "breaker and approvals. Shows neither keys nor addresses. Exit codes: 0 well, 1 warnings, "
        "2 failures."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            styles = {
                Level.OK: self.style.SUCCESS,
                Level.WARNING: self.style.WARNING,
                Level.FAILURE: self.style.ERROR,
            }
            for finding in findings:
                mark = styles[finding.level](f"{finding.level:>7}")
                self.stdout.write(f"{mark}  {finding.subject}: {finding.text}")
        levels = {finding.level for finding in findings}
        if levels - {Level.OK}:
            raise SystemExit(2 if Level.FAILURE in levels else 1)
