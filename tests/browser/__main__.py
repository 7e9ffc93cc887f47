"""Run the tests in a browser: ``python -m tests.browser [pytest's arguments]``."""

import os
import sys
from pathlib import Path

import pytest

#: More processes than cores: a test also waits for the site's processes to start.
SIDE_BY_SIDE = ("-n", "3", "--dist", "worksteal")


def main(arguments: list[str]) -> int:
    """Return pytest's exit code."""
    # Importing the site's package chooses the settings of development.
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings.test"
    named = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    wanted = [*arguments, *([] if named else ["tests/browser"])]
    return int(
        pytest.main(["-p", "tests.browser.servers", "-m", "browser", *SIDE_BY_SIDE, *wanted])
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
