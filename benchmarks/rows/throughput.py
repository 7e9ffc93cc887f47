"""Changes carried to Basket per second, and what each costs the machine."""

from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.carrying import Case, Measured, measure
from benchmarks.processes import Pool
from benchmarks.report import Findings, Table
from benchmarks.sides import APP, PLAIN

#: The pools among which the best one for the plain way is looked for.
CANDIDATES = (
    Pool("threads", 10), Pool("threads", 20), Pool("threads", 40),
    Pool("prefork", 4), Pool("prefork", 10), Pool("prefork", 20),
    Pool("gevent", 20), Pool("gevent", 50), Pool("gevent", 100),
)  # fmt: skip
DEFAULT = Pool(None, None)
GRID = ((0.01, 1), (0.05, 1), (0.2, 1), (0.05, 2), (0.05, 4))

COLUMNS = (
    "", "Basket", "pool", "members", "changes/s", "at most", "reached", "worker ms", "beat ms",
    "PostgreSQL ms", "Redis ms", "sandbox ms", "machine used", "with others",
)  # fmt: skip


def run(bench: Bench) -> Findings:
    """Both ways in turns, with the same pools, and the plain way with its best one too."""
    found = Findings("Changes carried to Basket per second")
    best = look_for_best(bench, found)
    table = found.table(
        "Members vouched for before, then the workers are let go",
        *COLUMNS,
        note="ms: CPU for each change, of whole processes, user and system. At most: what waiting "
        "for Basket allows, concurrency / (calls × latency). Reached: the share of that. Machine "
        "used: by what is measured, and with what else ran; 100% is all cores.",
    )
    members, quick = bench.options.members, bench.options.quick
    measured: dict[tuple[float, int], tuple[Measured, Measured]] = {}
    for latency, processes in GRID[1:2] if quick else GRID:
        main = (latency, processes) == (0.05, 1)
        case = Case(APP, Pool(processes=processes), members, latency)
        # Half as many do for the plain way, which takes longer, where it is not the headline.
        theirs = replace(case, side=PLAIN, members=members if main else members // 2)
        runs = [measure(bench, case), measure(bench, theirs)]
        if processes == 1 and best != Pool():
            runs.append(measure(bench, replace(theirs, pool=best)))
        if main:
            few = max(members // 5, 30)
            runs.append(measure(bench, Case(PLAIN, DEFAULT, members=few)))
        for one in runs:
            add(table, one)
        measured[latency, processes] = runs[0], max(runs[1:], key=lambda one: one.rate)
    streams = found.table("Members vouched for meanwhile, as fast as one process can", *COLUMNS)
    for side in (APP, PLAIN):
        add(streams, measure(bench, Case(side, Pool(), members // 2, streaming=True)))
    for app, plain in measured.values():
        judge(found, app, plain)
    ours = measured[0.05, 1][0]
    found.expect("worker CPU per change", f"{ours.worker:.1f} ms", "≤ 6 ms", ours.worker <= 6)
    return found


def look_for_best(bench: Bench, found: Findings) -> Pool:
    """The pool with which the plain way is fastest, of those that come into question."""
    quick = bench.options.quick
    members = 60 if quick else 300
    table = found.table(
        f"The plain way's best pool on this machine: {members} members, Basket at 50 ms",
        "pool", "changes/s", "worker ms", "machine busy",
    )  # fmt: skip
    tried = [
        measure(bench, Case(PLAIN, pool, members))
        for pool in (CANDIDATES[1::6] if quick else CANDIDATES)
    ]
    for one in tried:
        table.add(str(one.case.pool), one.rate, one.worker, percent(one.busy))
    return max(tried, key=lambda one: one.rate).case.pool


def add(table: Table, one: Measured) -> None:
    """Put a run into a table."""
    case = one.case
    table.add(
        case.side.title, f"{case.latency * 1000:.0f} ms", str(case.pool), case.members, one.rate,
        case.expected, percent(one.share), one.worker, one.beat, one.postgres, one.redis,
        one.basket, percent(one.own), percent(one.busy),
    )  # fmt: skip


def judge(found: Findings, app: Measured, plain: Measured) -> None:
    """Compare the two ways with each other, and with what waiting for Basket allows."""
    case = app.case
    name = f"Basket at {case.latency * 1000:.0f} ms, {case.pool}"
    times = app.rate / plain.rate
    found.expect(
        f"{name}: times the plain way at its best",
        f"{times:.1f} × ({app.rate:.0f} against {plain.rate:.0f} changes/s)",
        "≥ 10 ×",
        times >= 10,
    )
    found.expect(
        f"{name}: share of concurrency / (calls × latency)",
        f"{percent(app.share)} ({app.rate:.0f} of {case.expected:.0f} changes/s, with "
        f"{percent(app.own)} of the machine)",
        "≥ 60% until the CPU is full",
        app.share >= 0.6 or app.own >= 0.95,
    )


def percent(share: float) -> str:
    """A share to read."""
    return f"{100 * share:.0f}%"
