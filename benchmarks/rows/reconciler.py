"""The reconciler: policies against ledger, for more and more members."""

from itertools import pairwise

from benchmarks.bench import Bench
from benchmarks.carrying import WrongOutcome
from benchmarks.report import Findings
from benchmarks.sides import APP


def run(bench: Bench) -> Findings:
    """``basket_reconcile --apply`` in a process of its own, and whether it found them all."""
    found = Findings("The reconciler: policies against ledger")
    quick = bench.options.quick
    sizes = (2_000, 20_000) if quick else (10_000, 100_000, 1_000_000)
    differences = 100 if quick else 1_000
    table = found.table(
        f"basket_reconcile --apply with {differences:,} differences, two subscriptions a member",
        "members", "seconds", "µs a member", "peak memory MB", "before it began MB",
    )  # fmt: skip
    seconds = []
    for size in sizes:
        with bench.large(size) as database:
            bench.act(APP, database, "large.differ", count=differences)
            run = bench.act(APP, database, "upkeep.reconcile", timeout=400)
            due = bench.act(APP, database, "large.due")
        if due != differences:
            raise WrongOutcome(f"{due} contacts are due, not {differences}")
        seconds.append(run["seconds"])
        table.add(size, run["seconds"], 1e6 * run["seconds"] / size, run["memory"], run["before"])
    found.expect(
        f"reconciler: {sizes[-1]:,} members, {2 * sizes[-1]:,} subscriptions",
        f"{seconds[-1]:.1f} s, {run['memory']:.0f} MB",
        "< 30 s, < 200 MB",
        seconds[-1] < 30 and run["memory"] < 200,
    )
    for (small, fast), (big, slow) in pairwise(zip(sizes, seconds, strict=True)):
        growth, more = slow / fast, big / small
        found.expect(
            f"reconciler: growth from {small:,} to {big:,} members",
            f"{growth:.1f} × the time for {more:.0f} × the members",
            "linear or better",
            growth <= more,
        )
    return found
