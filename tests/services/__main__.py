"""Run the tests on real servers: ``python -m tests.services [pytest's arguments]``."""

import os
import subprocess
import sys

import pytest

from tests.services.servers import PostgreSQL, Running

#: What runs on SQLite in ``make test`` and must hold on PostgreSQL too.
ALSO_ON_POSTGRESQL = ("tests/app", "tests/people", "tests/groups")


def main(arguments: list[str]) -> int:
    """
    Return pytest's exit code.

    With arguments, only tests of this folder are run: all, or those of the files named.
    """
    files = [] if any(each.startswith("tests/") for each in arguments) else ["tests/services"]
    with PostgreSQL() as postgres:
        os.environ["DATABASE_URL"] = postgres.url
        result = int(
            pytest.main(["-m", "services", *files, *arguments], plugins=[Running(postgres)])
        )
        if result or arguments:
            return result
        again = [sys.executable, "-m", "pytest", "-n", "2", *ALSO_ON_POSTGRESQL]
        return subprocess.run(again, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
