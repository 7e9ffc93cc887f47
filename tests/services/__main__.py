"""Run the tests on real servers: ``python -m tests.services [pytest's arguments]``."""

import os
import subprocess
import sys

import pytest

from tests.services.servers import PostgreSQL, Running

#: The folders of the tests with the mark ``services``.
MARKED = ("tests/services", "tests/client", "tests/demo")

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
    files = [] if any(each.startswith("tests/") for each in arguments) else [*MARKED]
    with PostgreSQL() as postgres:
        os.environ["DATABASE_URL"] = postgres.url
        # Importing the site's package chooses the settings of development.
        os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings.test"
        result = int(
            pytest.main(["-m", "services", *files, *arguments], plugins=[Running(postgres)])
        )
        if result or arguments:
            return result
        again = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "2",
            "--dist",
            "worksteal",
            *ALSO_ON_POSTGRESQL,
        ]
        return subprocess.run(again, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
