"""What a request pays: statements, milliseconds, bytes to the broker; and with the broker away."""

from collections import defaultdict
from contextlib import ExitStack
from statistics import median

from benchmarks.acts import ActFailed
from benchmarks.bench import Bench
from benchmarks.report import Findings
from benchmarks.sides import APP, BARE, PLAIN, Side
from tests.services.processes import free_port

SIDES = (BARE, PLAIN, APP)
KINDS = ("vouch", "unrelated field", "login")

#: What is done before the broker is away, and how often then: over more than ten seconds, after
#: which the app tries it again.
WITHOUT_BROKER, A_SECOND = 50, 4.0

#: Seconds after which nobody waits any longer for a save without a broker.
PATIENCE = 25.0


def run(bench: Bench) -> Findings:
    """Each way in turns; then both without a broker."""
    found = Findings("What a request pays")
    count, rounds = (30, 1) if bench.options.quick else (200, 3)
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    cpu: dict[tuple[str, str], list[float]] = defaultdict(list)
    statements: dict[tuple[str, str], float] = {}
    sent: dict[tuple[str, str], float] = {}
    with ExitStack() as stack:
        needed = (count + 1) * rounds + 10
        databases = {side: stack.enter_context(bench.members(side, needed)) for side in SIDES}
        for kind in KINDS:
            for turn in range(rounds):
                for side in SIDES:
                    bench.broker.clear_counts()
                    first = 11 + turn * count
                    took = timed(bench, side, databases[side], kind, first, count)
                    times[kind, side.name] += took["clock"]
                    cpu[kind, side.name] += took["cpu"]
                    sent[kind, side.name] = bench.broker.bytes_received() / count
            for side in SIDES:
                counted = bench.act(
                    side, databases[side], "requests.counted", kind=kind, first=1, count=10
                )
                statements[kind, side.name] = counted["statements"]
    table = found.table(
        f"One save each, in a transaction, {count * rounds} times",
        "", "site", "statements", "ms, median", "ms, 95%", "CPU ms", "bytes to the broker",
        note="Statements without BEGIN and COMMIT. CPU: of the site's process alone. Bytes: all "
        "that Redis received, divided by the saves; what the counting itself sends is in all.",
    )  # fmt: skip
    for kind in KINDS:
        for side in SIDES:
            key = (kind, side.name)
            table.add(
                kind, side.title, statements[key], median(times[key]), high(times[key]),
                median(cpu[key]), sent[key],
            )  # fmt: skip
    for kind in KINDS:
        ours, theirs = statements[kind, "app"], statements[kind, "bare"]
        most = 0 if kind == "login" else 1
        found.expect(
            f"{kind}: statements of the app", ours - theirs, f"≤ {most}", ours - theirs <= most
        )
        mine, plain = median(times[kind, "app"]), median(times[kind, "plain"])
        # Two runs of the same differ by so much.
        found.expect(
            f"{kind}: milliseconds, median",
            f"{mine:.2f} ({plain:.2f} the plain way)",
            "never slower than the plain way",
            mine <= plain * 1.05 + 0.05,
        )
    without_broker(bench, found)
    return found


def timed(
    bench: Bench, side: Side, database: str, kind: str, first: int, count: int
) -> dict[str, list[float]]:
    """Milliseconds of each, by the clock and of CPU, but for the first ones, which connect."""
    file = str(bench.folder / "times")
    took: dict[str, list[float]] = bench.act(
        side, database, "requests.timed", kind=kind, first=first, count=count, file=file
    )
    return {name: times[5:] for name, times in took.items()}


def without_broker(bench: Bench, found: Findings) -> None:
    """Save vouches while the broker refuses connections, and while it takes them and hangs."""
    count, patience = (8, 8.0) if bench.options.quick else (WITHOUT_BROKER, PATIENCE)
    table = found.table(
        f"A vouch saved with the broker away, {count} of them, {A_SECOND:.0f} a second",
        "broker", "site", "saved", "ms, the first", "ms, median", "ms, the longest",
        note=f"Given up after {patience:.0f} s.",
    )  # fmt: skip
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    for broker in ("refuses", "hangs"):
        for side in (PLAIN, APP):
            with bench.members(side, count) as database:
                if broker == "hangs":
                    bench.broker.pause()
                try:
                    times = patiently(
                        bench,
                        side,
                        database,
                        count,
                        nowhere if broker == "refuses" else "",
                        patience,
                    )
                finally:
                    bench.broker.resume()
            longest = max(times, default=1000 * patience)
            table.add(
                broker, side.title, len(times), times[0] if times else None,
                median(times) if times else None, longest,
            )  # fmt: skip
            if side is APP:
                found.expect(
                    f"vouch while the broker {broker}: the longest save",
                    f"{longest:.0f} ms (median {median(times):.1f} ms)" if times else "never",
                    "≤ 50 ms",
                    len(times) == count and longest <= 50,
                )


def patiently(
    bench: Bench, side: Side, database: str, count: int, broker: str, patience: float
) -> list[float]:
    """Milliseconds of those that were saved before patience ended."""
    file = bench.folder / "times"
    file.unlink(missing_ok=True)
    more = {"BROKER_URL": broker} if broker else {}
    try:
        bench.act(
            side, database, "requests.timed", timeout=patience, environment=more, kind="vouch",
            first=1, count=count, file=str(file), per_second=A_SECOND,
        )  # fmt: skip
    except ActFailed:
        if not file.exists():
            raise
    return [float(line) for line in file.read_text().split()]


def high(times: list[float]) -> float:
    """What 95% of them do not exceed."""
    return sorted(times)[int(len(times) * 0.95)]
