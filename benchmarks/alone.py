"""The rows of single changes: one vouch at a time, and the cost to a request."""

from statistics import median, quantiles

from benchmarks.bench import APP, BARE, NAIVE, Bench, Side, wait
from benchmarks.bulk import DEFAULT
from benchmarks.results import Findings
from benchmarks.servers import WEB, WORKER
from project.processes import free_port

#: Kinds of requests, the broker's state, and the limit of the app's statements for each.
REQUESTS = (
    ("vouch", "", 1), ("unrelated field", "", 1), ("login", "", 0),
    ("vouch", "refuses", 1), ("vouch", "hangs", 1),
)  # fmt: skip


def high(times: list[float], parts: int = 100) -> float:
    """Return the time at the last of so many quantiles: the 99th percentile for 100 parts."""
    return quantiles(times, n=parts, method="inclusive")[-1]


def run(bench: Bench, found: Findings) -> None:
    """Vouch for members one by one, with a second between them, so that each is alone."""
    count = 8 if bench.quick else 60
    table = found.table(
        f"{count} members vouched, a second apart, Basket at 50 ms, {DEFAULT}",
        " | ms from commit to Basket, median | 95% | the longest | calls | statements | switch | "
        "BEGIN … | messages",
        "Basket has a change when the request that makes it arrives; its answer takes 50 ms more. "
        "Without beat, so that no sweep is counted.",
    )
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
        moments = bench.basket.ask("subscribed").values()
        times = [1000 * (at - start) for at, start in zip(moments, commits, strict=True)]
        each = [sent[kind] / count for kind in ("queries", "switch", "brackets")]
        middle, late, calls = median(times), high(times, 20), bench.basket.calls() / count
        table.add(side.title, middle, late, max(times), calls, *each, messages)
    found.expect(
        "one change alone at 50 ms: commit → Basket has it",
        f"median {middle:.0f} ms, 95% {late:.0f} ms", "median ≤ 110 ms, 95% ≤ 150 ms",
        middle <= 110 and late <= 150,
        f"50 ms are the lookup; {each[0]:.0f} statements and {messages:.0f} messages come besides.",
    )  # fmt: skip
    found.expect(
        "one vouch alone: statements, messages", f"{each[0]:.1f}, {messages:.1f}", "≤ 20, ≤ 3",
        each[0] <= 20 and messages <= 3, "tests/ledger/test_statements.py counts them.",
    )  # fmt: skip


def requests(bench: Bench, found: Findings) -> None:
    """Time requests at each site; then vouches at the app's site while the broker is away."""
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    table = found.table(
        "One save each, in a transaction",
        " | the broker | site | times | statements | ms, median | 99%",
        "Statements with the reading of the member, without BEGIN and COMMIT. With the broker "
        "away, ten a second.",
    )
    for kind, broker, most in REQUESTS:
        statements, late = dict[Side, float](), dict[Side, float]()
        count = 20 if bench.quick else 200 if broker else 600
        for side in (BARE, APP) if broker else (BARE, NAIVE, APP):
            with bench.database(side, "make", count=count) as database:
                bench.postgres.clear_counts()
                if broker == "hangs":
                    bench.broker.pause()
                try:
                    times = bench.act(
                        side, database, "timed", kind=kind, first=1, count=count,
                        per_second=10.0 if broker and side is APP else 0.0,
                        broker=nowhere if broker == "refuses" else "",
                    )  # fmt: skip
                finally:
                    bench.broker.resume()
            statements[side] = bench.postgres.statements(WEB)["queries"] / count
            late[side] = high(times)
            table.add(kind, broker, side.title, count, statements[side], median(times), late[side])
        own = statements[APP] - statements[BARE]
        found.expect(
            f"request, {kind}{f' while the broker {broker}' if broker else ''}: statements, 99%",
            f"{own:.1f}, {late[APP]:.1f} ms", f"≤ {most}, ≤ 15 ms",
            round(own) <= most and late[APP] <= 15,
            f"{late[BARE]:.1f} ms at the site without newsletters.",
        )  # fmt: skip
