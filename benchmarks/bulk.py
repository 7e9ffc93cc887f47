"""The rows in bulk: members are vouched while the workers are stopped, which then continue."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from benchmarks.bench import APP, NAIVE, Bench, NotMeasured, Pool, Side, Worker, wait
from benchmarks.results import Findings
from benchmarks.servers import WORKER, cpu_seconds, machine_seconds

ONE, TWO, DEFAULT = Pool("threads", 20), Pool("threads", 20, processes=2), Pool()

#: The pools to try for the baseline; the fastest is used.
CANDIDATES = (
    Pool("prefork", 10), Pool("prefork", 20), Pool("threads", 10), Pool("gevent", 20),
    Pool("threads", 20), Pool("threads", 10, processes=2), TWO,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One run to measure."""

    side: Side
    pool: Pool
    members: int
    latency: float = 0.05
    """Seconds that Basket takes for each answer, besides its own work."""

    @property
    def limit(self) -> float:
        """The most changes a second that waiting for Basket allows: two calls for each change."""
        at_once = self.pool.concurrency * self.pool.processes
        if self.side.calls_at_once > 1:  # by each process, for any number of tasks in it
            processes = at_once if self.pool.kind in {"", "prefork"} else self.pool.processes
            at_once = processes * self.side.calls_at_once
        return at_once / (2 * self.latency)


@dataclass(frozen=True)
class Measured:
    """The figures of a run. A process's name stands for its milliseconds of CPU per change."""

    case: Case
    rate: float
    worker: float
    postgres: float
    redis: float
    stub: float
    """Milliseconds per call."""
    busy: float
    """The share of the machine in use, by all processes; 1 is all cores."""
    calls: float
    messages: float
    sent: Counter[str]
    """The worker's statements, for all changes."""

    @property
    def queries(self) -> float:
        """Statements per change, without readings of the switch and the set-up of connections."""
        return self.sent["queries"] / self.case.members


def measure(
    bench: Bench,
    case: Case,
    watch: Callable[[list[Worker]], AbstractContextManager[object]] = lambda _: nullcontext(),
) -> Measured:
    """
    Run a case on a fresh database, broker and Basket.

    :param watch: a context manager around the work; it is given the workers.
    :raises NotMeasured: when Basket does not hold the expected newsletters in the end, when the
        site is not done, or when it takes too long.
    """
    basket, broker, postgres, side, count = (
        bench.basket, bench.broker, bench.postgres, case.side, case.members
    )  # fmt: skip
    bench.fresh(case.latency)
    with (
        bench.database(side, "make", count=count) as database,
        bench.workers(side, database, case.pool) as workers,
    ):

        def usage() -> list[float]:
            pids = [server.pid for server in (postgres, broker, basket)]
            own = sum(cpu_seconds(worker.pid) for worker in workers)
            return [own, *(cpu_seconds(pid) for pid in pids), *machine_seconds()]

        broker.clear_counts()
        for worker in workers:
            worker.pause()
        bench.act(side, database, "vouch", first=1, count=count)
        postgres.clear_counts()
        before, began = usage(), time.time()
        for worker in workers:
            worker.resume()
        with watch(workers):
            wait(lambda: basket.calls("subscribe") >= count, 300, "subscribing all")
            wait(broker.is_quiet, 60, "the end of all tasks")
            time.sleep(0.5)  # a worker writes down the end of its last task
        used = [b - a for a, b in zip(before, usage(), strict=True)]
        sent, messages, calls = postgres.statements(WORKER), broker.messages(), basket.calls()
        rate = count / (max(basket.ask("subscribed").values()) - began)
        bench.assert_carried(side, database, count)
    worker_ms, postgres_ms, redis_ms, stub_ms = (1000 * seconds for seconds in used[:4])
    print(f"  {side.title}, {case.pool}: {rate:.1f}/s", file=sys.stderr)
    return Measured(
        case, rate, worker_ms / count, postgres_ms / count, redis_ms / count, stub_ms / calls,
        used[4] / used[5], calls / count, messages / count, sent,
    )  # fmt: skip


def run(bench: Bench, found: Findings) -> None:
    """Measure the app, the baseline and the earlier core in turns, and compare them."""
    members, half, few = bench.members, bench.members // 2, max(bench.members // 5, 30)
    table = found.table(
        "Members vouched one transaction each, then the workers are let go",
        " | Basket | pool | members | changes/s | limit | worker ms | PostgreSQL ms | Redis "
        "ms | stub ms/call | calls | statements | switch | BEGIN … | messages | used",
        "ms: CPU of whole processes, user and system, per change; the stub's per call. "
        "Calls, statements, readings of the switch, messages, and BEGIN, COMMIT and the set-up of "
        "connections: per change. Limit: connections / (2 calls × latency). Used: of the machine, "
        "by all that ran.",
    )

    def row(side: Side, pool: Pool, count: int, latency: float = 0.05) -> Measured:
        one = measure(bench, Case(side, pool, count, latency))
        others = [one.sent[kind] / count for kind in ("switch", "brackets")]
        table.add(
            side.title, f"{1000 * latency:.0f} ms", str(pool), count, one.rate, one.case.limit,
            one.worker, one.postgres, one.redis, one.stub, one.calls, one.queries, *others,
            one.messages, percent(one.busy),
        )  # fmt: skip
        return one

    tried = [row(NAIVE, pool, few) for pool in CANDIDATES[4 if bench.quick else 0 :]]
    best = max(tried, key=lambda each: each.rate).case.pool
    one, naive = row(APP, ONE, members), row(NAIVE, best, half)
    two, default = row(APP, TWO, members), row(APP, DEFAULT, members)
    naive_default = row(NAIVE, DEFAULT, few)
    fast, naive_fast = row(APP, TWO, members, 0.01), row(NAIVE, best, half, 0.01)
    compare(found, "the default pool", default, "the baseline's default", naive_default, 10)
    compare(found, "Basket at 10 ms, two processes", fast, "the baseline's best", naive_fast, 5)
    two_best = max(two.rate, default.rate)
    found.expect(
        "changes/s, the default pool: of two processes' best",
        f"{percent(default.rate / two_best)} ({default.rate:.0f} of {two_best:.0f})", "≥ 75%",
        default.rate >= 0.75 * two_best,
        f"Worker and PostgreSQL take {default.worker:.1f} and {default.postgres:.1f} ms per change "
        f"there, and {two.worker:.1f} and {two.postgres:.1f} ms in {TWO}.",
    )  # fmt: skip
    found.expect(
        "changes/s, one process, 20 connections: of the limit",
        f"{percent(one.rate / one.case.limit)} ({one.rate:.0f} of {one.case.limit:.0f})", "≥ 85%",
        one.rate >= 0.85 * one.case.limit,
        f"One process has one interpreter: {percent(one.worker * one.rate / 1000)} of a core at "
        f"this rate, with {one.worker:.1f} ms per change.",
    )  # fmt: skip
    costs(found, one, default, naive)
    try:
        before = row(bench.earlier, TWO, members)
    except NotMeasured as error:
        found.expect("changes/s, two processes: times the earlier core", "-", "≥ 1.6 ×", "", error)
        raise
    compare(found, "two processes", two, "the earlier core", before, 1.6)
    row(bench.earlier, ONE, half)


def costs(found: Findings, one: Measured, default: Measured, naive: Measured) -> None:
    """Judge the cost of a change in one process and in the default pool; the higher one counts."""
    names = f"({{:.2f}} in {one.case.pool}, {{:.2f}} in {default.case.pool}; the baseline {{:.2f}})"
    layers = "The profile of one change shows the layers."
    worker = max(one.worker, default.worker)
    found.expect(
        "worker CPU per change: of the baseline's",
        f"1/{naive.worker / worker:.1f} (1/{naive.worker / default.worker:.1f} in "
        f"{default.case.pool})", "≤ 1/8", 8 * worker <= naive.worker, layers,
    )  # fmt: skip
    set_up = (
        f"{default.queries:.1f} statements per change, and "
        f"{default.sent['brackets'] / default.case.members:.1f} around transactions and to set up "
        "connections."
    )
    for name, title, most, unit, why in (
        ("worker", "worker CPU", 3, " ms", layers),
        ("postgres", "PostgreSQL CPU", 0.4, " ms", set_up),
        ("queries", "statements", 1, "", "The profile lists the most frequent ones."),
        ("messages", "messages", 0.5, "", "Touches of a tenth of a second share a message."),
    ):  # fmt: skip
        figures = [float(getattr(each, name)) for each in (one, default, naive)]
        found.expect(
            f"{title} per change",
            f"{max(figures[:2]):.2f}{unit} {names.format(*figures)}", f"≤ {most}{unit}",
            max(figures[:2]) <= most, why,
        )  # fmt: skip


def compare(
    found: Findings, name: str, one: Measured, other_name: str, other: Measured, least: float
) -> None:
    """Judge the ratio of two rates."""
    found.expect(
        f"changes/s, {name}: times {other_name}",
        f"{one.rate / other.rate:.1f} × ({one.rate:.0f} and {other.rate:.0f})", f"≥ {least} ×",
        one.rate >= least * other.rate,
        f"All that ran used {percent(one.busy)} of the {os.cpu_count()} cores.",
    )  # fmt: skip


def other_pools(bench: Bench, found: Findings) -> None:
    """Measure the app in other pools; with --set, the effect of a setting there."""
    members = bench.members // 4
    table = found.table(
        f"{members} members, Basket at 50 ms",
        "pool | changes/s | worker ms | PostgreSQL ms",
    )
    for pool in (DEFAULT, Pool("prefork", 4), Pool("threads", 2), Pool("threads", 8)):
        each = measure(bench, Case(APP, pool, members))
        table.add(str(pool), each.rate, each.worker, each.postgres)


def percent(share: float) -> str:
    """Return a share as text."""
    return f"{100 * share:.0f}%"
