"""An admin subscribes everybody by "select all"."""

import time

from benchmarks.bench import Bench
from benchmarks.carrying import WrongOutcome
from benchmarks.processes import Pool, peak_memory
from benchmarks.report import Findings
from benchmarks.sides import APP

NEWSLETTER = "mozillians-nda"


def run(bench: Bench) -> Findings:
    """Its requests, and how soon the worker has expanded it and made the first call."""
    found = Findings("A bulk request by “select all”")
    members = 500 if bench.options.quick else 100_000
    basket = bench.basket
    basket.reset()
    bench.broker.clear()
    basket.latency = 0.05
    with (
        bench.large(members, subscribed=False) as database,
        bench.workers(APP, database, Pool()) as (workers, _beats),
    ):
        basket.clear_counts()
        request = bench.act(APP, database, "pages.subscribe_all", newsletter=NEWSLETTER)
        ordered = float(request["ordered_at"])
        first = expanded = 0.0
        deadline = time.monotonic() + 400
        while not (first and expanded):
            if time.monotonic() > deadline:
                raise TimeoutError(f"first call: {first}, expansion: {expanded}")
            if not first and basket.counts.get("lookup"):
                first = time.time() - ordered
            if not expanded and is_expanded(bench, database, members):
                expanded = time.time() - ordered
            time.sleep(0.2)
        bench.wait(lambda: basket.counts.get("subscribe"), 60, "the first subscribe")
        memory = max(peak_memory(worker.pid) for worker in workers)
        carried = basket.counts.get("subscribe", 0)
    strangers = [row for row in basket.people.values() if row.newsletters - {NEWSLETTER}]
    if strangers:
        raise WrongOutcome("Basket holds something else")
    table = found.table(
        f"{members:,} members, Basket at 50 ms, a worker of {Pool()}",
        "selecting s", "the question s", "the order s", "to the first call s",
        "to the last item s", "worker's peak memory MB", "carried meanwhile",
        note="What a request expands to is one item for each member; decided and sent are as many "
        "at a time as may be under way.",
    )  # fmt: skip
    requests = [float(request[name]) for name in ("selecting", "asking", "ordering")]
    table.add(*requests, first, expanded, memory, carried)
    slowest = max(requests)
    found.expect("bulk: the slowest of its requests", f"{slowest:.2f} s", "< 1 s", slowest < 1)
    found.expect("bulk: expansion", f"{expanded:.0f} s", "< 60 s", expanded < 60)
    found.expect("bulk: worker's peak memory", f"{memory:.0f} MB", "< 300 MB", memory < 300)
    found.expect("bulk: the first call to Basket", f"{first:.1f} s", "< 5 s", first < 5)
    return found


def is_expanded(bench: Bench, database: str, members: int) -> bool:
    """Whether there is an item for each member, and nobody collects any more."""
    (row,) = bench.postgres.execute(
        "SELECT (SELECT count(*) FROM mozillians_basket_batchitem), "
        "EXISTS (SELECT FROM mozillians_basket_batch WHERE state IN ('draft', 'expanding'))",
        database,
    )
    items, collecting = int(str(row[0])), bool(row[1])
    if not collecting and items != members:
        raise WrongOutcome(f"{items} items for {members} members")
    return not collecting
