"""The rows of large sites: bulk requests, the sweep, reconciliation, history, and memory."""

import time
from functools import partial
from itertools import pairwise
from statistics import median

from benchmarks.bench import APP, Bench, NotMeasured, wait
from benchmarks.bulk import DEFAULT
from benchmarks.results import Findings
from benchmarks.servers import memory, tree

NDA = "mozillians-nda"
EXPANDED = """
    SELECT count(*) FROM mozillians_basket_bulkrequest WHERE state = 'running'
    AND jsonb_array_length(keys) = total AND id IN (
        SELECT request_id FROM mozillians_basket_bulkitem)
"""


def bulk_request(bench: Bench, found: Findings) -> None:
    """Have an admin subscribe all members, and watch the worker for a while."""
    members, seconds = (500, 2) if bench.quick else (100_000, 30)
    bench.fresh(0.05)
    with (
        bench.database(APP, "make_settled", count=members, subscribed=False) as database,
        bench.workers(APP, database, DEFAULT) as workers,
    ):
        request = bench.act(APP, database, "subscribe_all", newsletter=NDA)
        wait(lambda: bench.postgres.execute(EXPANDED, database)[0][0], 100, "the expansion")
        expanded = time.time() - request["at"]
        wait(lambda: bench.basket.calls("subscribe"), 60, "the first subscribe")
        first = time.time() - request["at"]
        time.sleep(seconds)
        peak = max(memory(pid, "VmHWM") for worker in workers for pid in tree(worker.pid))
        carried = bench.basket.calls("subscribe")
        held = bench.basket.ask("people").values()
    if any(newsletters not in ([], [NDA]) for newsletters in held):
        raise NotMeasured("Basket holds something else")
    with bench.database(APP, "make_settled", count=members) as database:
        _chosen, again, _ordered = bench.act(
            APP, database, "subscribe_all", newsletter=NDA
        )["seconds"]  # fmt: skip
    table = found.table(
        f"{members:,} members, Basket at 50 ms, {DEFAULT}",
        "selecting s | the question s | where all have both s | the order s | expanded s | "
        "first at Basket s | peak memory of a process MB | subscribed by then",
        "Expanded: all keys are stored, and the first orders are begun. They are begun in "
        f"batches. Memory: {seconds} s later.",
    )
    chosen, asked, ordered = request["seconds"]
    table.add(chosen, asked, again, ordered, expanded, first, peak, carried)
    slowest = max(chosen, asked, again, ordered)
    found.expect(
        f"bulk of {members:,}: request, expansion, memory",
        f"{slowest:.2f} s, {expanded:.1f} s, {peak:.0f} MB", "< 1 s, < 60 s, < 300 MB",
        slowest < 1 and expanded < 60 and peak < 300,
    )  # fmt: skip


def sweep(bench: Bench, found: Findings) -> None:
    """Time the sweep among growing numbers of contacts."""
    due, sizes = 1_000, (5_000, 50_000) if bench.quick else (10_000, 1_000_000)
    table = found.table(
        f"One sweep in a warm process, {due:,} contacts due",
        "contacts | ms, median | the longest | ms with nothing due",
    )
    for size in sizes:
        with bench.database(APP, "make_settled", count=size) as database:
            took = bench.act(APP, database, "sweeps", due=due, rounds=5)
        busy, idle = median(took["due"]), median(took["idle"])
        table.add(size, busy, max(took["due"]), idle)
    found.expect(
        f"sweep over {sizes[-1]:,}", f"{busy:.0f} ms ({idle:.1f} ms with nothing due)", "< 50 ms",
        busy < 50,
    )  # fmt: skip


def reconcile(bench: Bench, found: Findings) -> None:
    """Let ``basket_reconcile`` find differences among growing numbers of members."""
    sizes = (2_000, 20_000) if bench.quick else (10_000, 100_000, 1_000_000)
    differences = 100 if bench.quick else 1_000
    table = found.table(
        f"basket_reconcile --apply, {differences:,} differences, two subscriptions per member",
        "members | seconds | µs per member | peak memory MB",
    )
    runs = []
    for size in sizes:
        with bench.database(APP, "make_settled", count=size) as database:
            done = bench.act(APP, database, "reconcile", differences=differences)
        if done["due"] != differences:
            raise NotMeasured(f"{done['due']} contacts are due, not {differences}")
        runs.append(done["seconds"])
        table.add(size, runs[-1], 1e6 * runs[-1] / size, done["memory"])
    growth = [slow / fast for fast, slow in pairwise(runs)]
    found.expect(
        f"reconcile of {sizes[-1]:,}",
        f"{runs[-1]:.1f} s, {done['memory']:.0f} MB, {growth[-1]:.1f} × the time for 10 ×",
        "< 30 s, < 200 MB, linear", runs[-1] < 30 and done["memory"] < 200 and max(growth) <= 10,
    )  # fmt: skip


def history(bench: Bench, found: Findings) -> None:
    """Open the admin's pages over a long history."""
    members, events = (10_000, 200_000) if bench.quick else (1_000_000, 10_000_000)
    with bench.database(APP, "make_settled", count=members, events=events) as database:
        pages = bench.act(APP, database, "pages", rounds=5)
    table = found.table(
        f"{members:,} members, {events:,} events",
        "page | ms, median | the first | statements",
    )
    for name, page in pages.items():
        table.add(name, page["ms"], page["first"], page["statements"])
    slowest = max(pages, key=lambda name: float(pages[name]["ms"]))
    found.expect(
        f"history of {events:,}: the slowest page", f"{pages[slowest]['ms']:.0f} ms ({slowest})",
        "< 200 ms", pages[slowest]["ms"] < 200,
    )  # fmt: skip


def worker_memory(bench: Bench, found: Findings) -> None:
    """Watch the processes of one worker while it carries many changes."""
    members, parts = (600, 3) if bench.quick else (100_000, 5)
    table = found.table(
        f"{members:,} changes, Basket at 1 ms, {DEFAULT}",
        "changes | seconds | MB in use by the pool's processes",
    )
    bench.fresh(0.001)
    used = []
    with (
        bench.database(APP, "make_touched", count=members) as database,
        bench.workers(APP, database, DEFAULT) as workers,
    ):
        began = time.monotonic()
        for share in (members * part // parts for part in range(1, parts + 1)):
            done = partial(lambda most: bench.basket.calls("subscribe") >= most, share)
            wait(done, 1_200, f"{share:,} changes")
            used.append(sum(memory(pid, "VmRSS") for pid in [*tree(workers[0].pid)][1:]))
            table.add(share, time.monotonic() - began, used[-1])
        wait(bench.broker.is_quiet, 60, "the end of all tasks")
        bench.assert_carried(APP, database, members)
    growth = used[-1] / used[0] - 1
    found.expect(
        f"memory of a worker after {members:,} changes", f"{100 * growth:+.1f}% since "
        f"{members // parts:,}", "no growth (≤ 5%)", growth <= 0.05,
    )  # fmt: skip
