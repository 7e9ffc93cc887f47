"""The rows of single changes: one vouch at a time, and what a request pays."""

from collections import defaultdict
from contextlib import ExitStack
from statistics import median, quantiles

from benchmarks.bench import APP, BARE, NAIVE, Bench, Side, wait
from benchmarks.bulk import DEFAULT
from benchmarks.results import Findings
from benchmarks.servers import WORKER
from tests.services.processes import free_port

#: What requests do, and how many statements of the app they may take.
KINDS = {"vouch": 1, "unrelated field": 1, "login": 0}


def high(times: list[float], parts: int = 100) -> float:
    """What all but one part of the times do not exceed: the 99th percentile of 100 parts."""
    return quantiles(times, n=parts, method="inclusive")[-1]


def run(bench: Bench) -> Findings:
    """Vouch for members one by one, a second apart, so that each is alone."""
    found = Findings("One change alone")
    count = 8 if bench.quick else 60
    table = found.table(
        f"{count} members vouched, a second apart, Basket at 50 ms, {DEFAULT}",
        "", "ms from commit to Basket, median", "95%", "the longest", "calls", "statements",
        "switch", "BEGIN …", "messages",
        note="Basket has a change when the request that makes it arrives; its answer takes 50 ms "
        "more. Without beat, so that no sweep is counted.",
    )  # fmt: skip
    for side in (NAIVE, APP):
        bench.fresh(0.05)
        with (
            bench.database(side, "make", count=count) as database,
            bench.workers(side, database, DEFAULT, beat=False),
        ):
            bench.postgres.clear_counts()
            bench.broker.clear_counts()
            commits = bench.act(side, database, "vouch", first=1, count=count, pause=1.0)
            wait(bench.broker.is_quiet, 20, "the end of all tasks")
            sent, messages = bench.postgres.statements(WORKER), bench.broker.messages() / count
            bench.assert_carried(side, database, count)
        at = bench.basket.ask("subscribed")
        times = [
            1000 * (at[f"member{number}@example.com"] - commit)
            for number, commit in enumerate(commits, 1)
        ]
        each = [sent[kind] / count for kind in ("queries", "switch", "brackets")]
        middle, late = median(times), high(times, 20)
        calls = bench.basket.calls() / count
        table.add(side.title, middle, late, max(times), calls, *each, messages)
    found.expect(
        "one change alone at 50 ms: commit → Basket has it",
        f"median {middle:.0f} ms, 95% {late:.0f} ms", "median ≤ 110 ms, 95% ≤ 150 ms",
        middle <= 110 and late <= 150,
        f"50 ms are the lookup; {each[0]:.0f} statements and {messages:.0f} messages come besides.",
    )  # fmt: skip
    found.expect(
        "one vouch alone: statements, messages", f"{each[0]:.1f}, {messages:.1f}", "≤ 20, ≤ 3",
        each[0] <= 20 and messages <= 3, "tests/ledger/test_statements.py counts them by step.",
    )  # fmt: skip
    return found


def requests(bench: Bench) -> Findings:
    """Time what requests do at each site in turns; then vouches while the broker is away."""
    found = Findings("What a request pays")
    count, rounds = (30, 1) if bench.quick else (200, 3)
    table = found.table(
        f"One save each, in a transaction, {count * rounds} times",
        "", "site", "statements", "ms, median", "99%",
        note="Statements without BEGIN and COMMIT.",
    )  # fmt: skip
    times: dict[tuple[str, Side], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        databases = {
            side: stack.enter_context(bench.database(side, "make", count=10 + count * rounds))
            for side in (BARE, NAIVE, APP)
        }
        for kind, most in KINDS.items():
            for turn in range(rounds):
                for side, database in databases.items():
                    first = 11 + turn * count
                    took = bench.act(side, database, "timed", kind=kind, first=first, count=count)
                    times[kind, side] += took[5:]  # the first ones connect
            statements = {
                side: bench.act(side, database, "statements_of", kind=kind, member=1)
                for side, database in databases.items()
            }
            for side in databases:
                took = times[kind, side]
                late = high(took)
                table.add(kind, side.title, statements[side], median(took), late)
            own = statements[APP] - statements[BARE]
            found.expect(
                f"request, {kind}: the app's statements; 99%", f"{own}; {late:.1f} ms",
                f"≤ {most}; ≤ 15 ms", own <= most and late <= 15,
            )  # fmt: skip
    without_broker(bench, found)
    return found


def without_broker(bench: Bench, found: Findings) -> None:
    """Save vouches while the broker refuses connections, and while it hangs."""
    count = 20 if bench.quick else 200
    table = found.table(
        f"{count} vouches saved with the broker away, ten a second",
        "the broker", "ms, median", "99%", "the longest",
    )  # fmt: skip
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    for broker, url in (("refuses", nowhere), ("hangs", bench.broker.url)):
        with bench.database(APP, "make", count=count) as database:
            if broker == "hangs":
                bench.broker.pause()
            try:
                took = bench.act(
                    APP, database, "timed", kind="vouch", first=1, count=count, per_second=10.0,
                    broker=url,
                )  # fmt: skip
            finally:
                bench.broker.resume()
        late = high(took)
        table.add(broker, median(took), late, max(took))
        found.expect(
            f"request, vouch while the broker {broker}: 99%", f"{late:.1f} ms", "≤ 15 ms",
            late <= 15,
        )  # fmt: skip
