"""``manage.py basket_sandbox``: runs the sandbox Basket."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mozillians_basket.sandbox.server import add_arguments

SETTINGS = (
    "host",
    "port",
    "api_key",
    "database",
    "newsletters",
    "mail",
    "admin_password",
    "threads",
    "processes",
)
SWITCHES = ("fast", "end_with_input")


class Command(BaseCommand):
    """Hands over to the sandbox's own process, which the site's settings cannot disturb."""

    help = "Runs a sandbox Basket: the whole Newsletter API, for development and tests."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the same options as the server."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Replace this process with the server."""
        command = [sys.executable, "-m", "mozillians_basket.sandbox"]
        for name in SETTINGS:
            if options[name] != "":
                command += [f"--{name.replace('_', '-')}", str(options[name])]
        for name in SWITCHES:
            if options[name]:
                command.append(f"--{name.replace('_', '-')}")
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "mozillians_basket.sandbox.settings",
        }
        os.execve(sys.executable, command, environment)  # noqa: S606
