"""Delete the oldest part of the history."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mozillians_basket.upkeep import retention


class Command(BaseCommand):
    """Do now what beat does once a day, or with ``--dry-run`` only count."""

    help = (
        "Deletes events older than BASKET_HISTORY_DAYS, and bulk requests that were finished "
        "before then. The numbers behind the overview's charts stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=int, help="number of days to keep, instead of BASKET_HISTORY_DAYS"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("--days needs a number above zero.")
        before = retention.horizon(options["days"])
        if before is None:
            self.stdout.write("BASKET_HISTORY_DAYS is None: the whole history is kept.")
            return
        if options["dry_run"]:
            numbers, done = Counter(retention.count_old(before)), "would be deleted"
        else:
            numbers, done = Counter[str](), "deleted"
            while any((some := retention.prune(before)).values()):
                numbers.update(some)
        self.stdout.write(
            f"{numbers['events']} events, {numbers['requests']} bulk requests and their "
            f"{numbers['items']} items from before {before:%Y-%m-%d %H:%M} UTC {done}."
        )
