"""``manage.py basket_sandbox``: runs the sandbox Basket."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mozillians_basket.sandbox.server import add_arguments


class Command(BaseCommand):
    """Hands over to the sandbox's own process, which the site's settings cannot disturb."""

    help = "Runs a sandbox Basket: the whole Newsletter API, for development and tests."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        own = ArgumentParser(add_help=False)
        add_arguments(own)
        command = [sys.executable, "-m", "mozillians_basket.sandbox"]
        for name in vars(own.parse_args([])):
            option, value = f"--{name.replace('_', '-')}", options[name]
            if value is True:
                command.append(option)
            elif value is not False and value != "":
                command += [option, str(value)]
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "mozillians_basket.sandbox.settings"}
        os.execve(sys.executable, command, environment)  # noqa: S606
