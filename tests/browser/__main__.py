"""Run the tests in a browser: ``python -m tests.browser [pytest's arguments]``."""

import os
import sys
from pathlib import Path

import pytest

from tests.browser.servers import Servers


def main(arguments: list[str]) -> int:
    """Return pytest's exit code."""
    named = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    wanted = ["-m", "browser", *arguments, *([] if named else ["tests/browser"])]
    with Servers() as servers:
        # Importing the site's package chooses the settings of development.
        os.environ.update(servers.environment, DJANGO_SETTINGS_MODULE="project.settings.test")
        return int(pytest.main(wanted, plugins=[servers]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
