"""Print everything that the app stores about a member, as JSON."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mozillians_basket.api import export


class Command(BaseCommand):
    """The public function ``export`` on the command line, for data-protection requests."""

    help = (
        "Prints everything that the app stores about a member, as JSON: give it to nobody else. "
        "It holds the address and Basket's token."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("member", help="the member's primary key; they may have been deleted")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = export(options["member"])
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(found, indent=2))
