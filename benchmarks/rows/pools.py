"""The app in the pools that Celery has."""

from benchmarks.bench import Bench
from benchmarks.carrying import Case, measure
from benchmarks.processes import Pool
from benchmarks.report import Findings
from benchmarks.rows.throughput import COLUMNS, add
from benchmarks.sides import APP

POOLS = (Pool("prefork", 2), Pool("prefork", 4), Pool("threads", 2), Pool("threads", 8))


def run(bench: Bench) -> Findings:
    """Each for a while, Basket at 50 ms."""
    found = Findings("This app in other pools")
    members = 40 if bench.options.quick else 500
    table = found.table(
        f"{members} members vouched for before, then the workers are let go", *COLUMNS
    )
    for pool in POOLS[::2] if bench.options.quick else POOLS:
        add(table, measure(bench, Case(APP, pool, members)))
    return found
