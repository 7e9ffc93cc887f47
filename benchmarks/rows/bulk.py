"""An admin subscribes everybody by "select all"."""

import time

from benchmarks.bench import Bench
from benchmarks.carrying import WrongOutcome
from benchmarks.processes import Pool, peak_memory
from benchmarks.report import Findings
from benchmarks.sides import APP

NEWSLETTER = "mozillians-nda"


def run(bench: Bench) -> Findings:
    """Both requests, and how soon the worker has written all decisions and made the first call."""
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
            if not expanded and not unexpanded(bench, database):
                expanded = time.time() - ordered
            time.sleep(0.2)
        memory = max(peak_memory(worker.pid) for worker in workers)
        carried = basket.counts.get("subscribe", 0)
        (written,) = bench.postgres.execute(
            "SELECT count(*) FROM mozillians_basket_subscription WHERE wanted", database
        )[0]
    if written != members:
        raise WrongOutcome(f"{written} of {members} decisions are in the ledger")
    strangers = [row for row in basket.people.values() if row.newsletters - {NEWSLETTER}]
    if strangers or not carried:
        raise WrongOutcome("Basket holds something else")
    table = found.table(
        f"{members:,} members, Basket at 50 ms, a worker of {Pool()}",
        "the question s", "the order s", "to the first call s", "to the last decision s",
        "worker's peak memory MB", "carried meanwhile",
    )  # fmt: skip
    table.add(request["question"], request["order"], first, expanded, memory, carried)
    slower = max(request["question"], request["order"])
    found.expect("bulk: the slower of both requests", f"{slower:.2f} s", "< 1 s", slower < 1)
    found.expect("bulk: all decisions written", f"{expanded:.0f} s", "< 60 s", expanded < 60)
    found.expect("bulk: worker's peak memory", f"{memory:.0f} MB", "< 300 MB", memory < 300)
    found.expect("bulk: the first call to Basket", f"{first:.1f} s", "< 5 s", first < 5)
    return found


def unexpanded(bench: Bench, database: str) -> bool:
    """Whether members of the request still wait for their decision."""
    rows = bench.postgres.execute(
        "SELECT EXISTS (SELECT FROM mozillians_basket_batchitem "
        "WHERE state = 'pending' AND contact_id IS NULL)",
        database,
    )
    return bool(rows[0][0])
