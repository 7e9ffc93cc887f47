"""Run it: ``python -m tests.soak --minutes 2 --seed 1``. Exits with 1 when anything is wrong."""

import argparse
import os
import random
import sqlite3
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from mozillians_basket.sandbox.testing import SandboxServer
from tests.services.servers import SHORT_WAITS, PostgreSQL, Redis

#: Seconds until everything must be settled after the last change.
PATIENCE = 420.0
#: Changes a second.
RATE = 20.0


def main() -> int:
    """Start the servers and the site's processes, run, and stop all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--members", type=int, default=2000)
    options = parser.parse_args()
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgreSQL())
        redis = stack.enter_context(Redis())
        calls = postgres.folder / "basket.sqlite3"
        basket = stack.enter_context(SandboxServer(database=str(calls)))
        postgres.execute("CREATE DATABASE site")
        site = {
            "DATABASE_URL": postgres.url,
            "BROKER_URL": redis.url,
            "BASKET_URL": basket.url,
            "BASKET_API_KEY": basket.api_key,
            **SHORT_WAITS,
            "BASKET_WAIT_FACTOR": "0.015",  # of the longest wait, six hours: less than PATIENCE
            "BASKET_REMOVAL_GRACE_SECONDS": "15",
            "BASKET_BRAKE_FLOOR": "1000000",
            "BASKET_SWEEP_EVERY": "1",
            "BASKET_VERIFY_EVERY": "2",
        }
        os.environ.update(site, DJANGO_SETTINGS_MODULE="project.settings.test", LOG_LEVEL="ERROR")

        import django

        django.setup()
        from tests.soak.run import Run

        print(f"seed {options.seed}, {options.members} members, {options.minutes:g} minutes")
        run = stack.enter_context(
            closing(Run(basket, site, random.Random(options.seed), options.members))
        )
        run.go(options.minutes * 60, RATE)
        run.settle(PATIENCE)
        return run.report(number_of_calls(calls))


def number_of_calls(database: Path) -> int:
    """Return the number of requests to the sandbox Basket, which keeps only the last ones."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (table,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND name LIKE '%receivedrequest'"
        ).fetchone()
        return int(connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0)


if __name__ == "__main__":
    sys.exit(main())
