"""The sweeper's tick among many contacts."""

from statistics import median

from benchmarks.bench import Bench
from benchmarks.report import Findings
from benchmarks.sides import APP

DUE = 1_000


def run(bench: Bench) -> Findings:
    """One tick with work and one without, among more and more contacts; and its query plans."""
    found = Findings("The sweeper")
    sizes = (5_000, 50_000) if bench.options.quick else (10_000, 1_000_000)
    table = found.table(
        f"One tick, {DUE:,} contacts due",
        "contacts", "ms with work", "the longest",
        "ms with nothing due", "statements", "large tables read whole",
        note="In a warm process, as a worker's. With work: find, claim, hand over to the workers.",
    )  # fmt: skip
    for size in sizes:
        with bench.large(size) as database:
            bench.broker.clear()
            times = bench.act(
                APP, database, "upkeep.ticks", due=DUE, rounds=2 if bench.options.quick else 5
            )
            bench.act(APP, database, "large.make_due", count=DUE)
            plans = bench.act(APP, database, "upkeep.plans_of_a_tick")
        bench.broker.clear()
        table.add(
            size, median(times["due"]), max(times["due"]),
            median(times["idle"]), plans["statements"], len(plans["scanning"]),
        )  # fmt: skip
    found.expect(
        f"sweeper: one tick, {sizes[-1]:,} contacts, {DUE:,} due",
        f"{median(times['due']):.0f} ms ({median(times['idle']):.1f} ms with nothing due)",
        "< 50 ms",
        median(times["due"]) < 50,
    )
    found.expect(
        "sweeper: by an index",
        "; ".join(plans["scanning"]) or "no large table is read whole",
        "no sequential scan of a large table",
        not plans["scanning"],
    )
    return found
