"""Run the tests on real servers: ``python -m tests.services [pytest's arguments]``."""

import os
import subprocess
import sys

import pytest

from tests.services.servers import PostgreSQL

#: The folders of the tests with the mark ``services``.
MARKED = ("tests/services", "tests/client", "tests/demo")

#: Several times the cores: a test mostly waits for processes to start and for times to pass.
SIDE_BY_SIDE = ("-n", "4")

#: Tests that run on SQLite in ``make test`` and must pass on PostgreSQL too.
ALSO_ON_POSTGRESQL = (
    "tests/app",
    "tests/groups",
    "tests/ledger",
    "tests/people",
    "tests/sync",
    "tests/upkeep",
)


def main(arguments: list[str]) -> int:
    """
    Return pytest's exit code.

    With arguments, only tests marked ``services`` run: all, or those of the named files.
    """
    # Importing the site's package chooses the settings of development.
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings.test"
    files = [] if any(each.startswith("tests/") for each in arguments) else [*MARKED]
    own = ("-p", "tests.services.plugin", "-m", "services", *SIDE_BY_SIDE)
    result = int(pytest.main([*own, *files, *arguments]))
    if result or arguments:
        return result
    marked = ("-m", "not programs and not services and not browser")
    again = (sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", *marked)
    with PostgreSQL() as postgres:
        os.environ["DATABASE_URL"] = postgres.url
        return subprocess.run([*again, *ALSO_ON_POSTGRESQL], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
