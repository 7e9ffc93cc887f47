"""Erase an address that no member of the site has."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mozillians_basket.api import erase


class Command(BaseCommand):
    """The public function ``erase`` on the command line, for data-protection requests."""

    help = (
        "Takes this site's newsletters away from an address that no member has, and then erases "
        "address, token and history. Opt-outs remain under a keyed hash."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the address")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            known = erase(options["email"])
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            "A worker takes the newsletters away, and erases the address once no removal can "
            "take effect late (BASKET_REMOVAL_GRACE_SECONDS)."
            if known
            else "Nothing is stored about this address."
        )
