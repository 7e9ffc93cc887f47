"""HTTP calls, connections, SQL statements and messages for each change."""

from benchmarks.bench import Bench
from benchmarks.carrying import Case, Measured, measure
from benchmarks.processes import Pool
from benchmarks.report import Findings
from benchmarks.servers import WEB, WORKER
from benchmarks.sides import APP, BARE, PLAIN

#: Vouches a second: so few that each is carried by itself, by both.
PACE = 15.0


def run(bench: Bench) -> Findings:
    """Changes that come one by one, by each way."""
    found = Findings("Calls, statements and messages per change")
    members = 30 if bench.options.quick else 300
    table = found.table(
        f"{members} members vouched for, {PACE:.0f} a second, Basket at 50 ms, {Pool()}",
        "", "Basket has it already", "calls", "connections", "messages", "worker's SQL",
        "with BEGIN, COMMIT", "request's SQL", "with BEGIN, COMMIT", "worker ms",
        note="SQL by pg_stat_statements, told apart by database role; messages: LPUSH at Redis; "
        "calls and connections by the sandbox's counters. The sweeper's own are among them. The "
        "request's SQL is all of it; what the site's own models take is in the table of requests.",
    )  # fmt: skip
    runs: dict[tuple[str, bool], Measured] = {}
    for known in (False, True):
        for side in (APP, PLAIN):
            case = Case(side, members=members, streaming=True, per_second=PACE, known=known)
            one = runs[side.name, known] = measure(bench, case)
            table.add(
                side.title, "yes" if known else "no", one.calls, one.connections, one.messages,
                one.per_change(WORKER), one.per_change(WORKER, brackets=True),
                one.per_change(WEB), one.per_change(WEB, brackets=True), one.worker,
            )  # fmt: skip
    bare = statements_of_a_vouch(bench)
    new, done = runs["app", False], runs["app", True]
    total = new.per_change(WORKER) + new.per_change(WEB) - bare
    found.expect("HTTP calls per change", f"{new.calls:.2f}", "2", new.calls <= 2.01)
    found.expect(
        "HTTP calls if nothing is to be done", f"{done.calls:.2f}", "1", done.calls <= 1.01
    )
    connections = new.connections * members
    threads = new.case.pool.at_once
    found.expect(
        "TCP connections per change",
        f"{new.connections:.3f} ({connections:.0f} in all, by {threads} threads)",
        "~0: one per thread for its life",
        connections <= threads,
    )
    found.expect(
        "SQL statements per change, request and worker",
        f"{total:.1f} (the site's own {bare:.1f} taken off; {new.per_change(WORKER):.1f} of the "
        "worker)",
        "≤ 10",
        total <= 10,
    )
    found.expect("messages per change", f"{new.messages:.2f}", "≤ 3", round(new.messages, 1) <= 3)
    return found


def statements_of_a_vouch(bench: Bench) -> float:
    """How many statements saving a vouch takes at the site without newsletters."""
    count = 50
    with bench.members(BARE, count) as database:
        bench.postgres.clear_counts()
        bench.act(BARE, database, "changes.vouch", first=1, count=count)
        return bench.postgres.statements()[WEB].queries / count
