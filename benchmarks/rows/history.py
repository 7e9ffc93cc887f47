"""Pages over a long history."""

from benchmarks.bench import Bench
from benchmarks.carrying import WrongOutcome
from benchmarks.report import Findings
from benchmarks.sides import APP

#: The pages that the goal is about; others are measured beside them.
HISTORY = ("a member", "a contact", "the history")


def run(bench: Bench) -> Findings:
    """The admin's pages by Django's test client, with the database behind them."""
    found = Findings("Pages over a long history")
    members, events = (2_000 * 5, 200_000) if bench.options.quick else (1_000_000, 10_000_000)
    with bench.large(members) as database:
        bench.act(APP, database, "large.make_events", timeout=900, count=events, members=members)
        pages = bench.act(APP, database, "pages.times", rounds=5)
        # An event is made for every three seconds, so a tenth of them is as many days old.
        days = int(events * 0.9 * 3 / 86400)
        pruned = bench.act(APP, database, "upkeep.prune", days=days)
    table = found.table(
        f"{members:,} members, {events:,} events",
        "page", "ms, median", "ms, the first", "statements",
    )  # fmt: skip
    for name, page in pages.items():
        table.add(name, page["ms"], page["first"], page["statements"])
    if not events * 0.08 < pruned["deleted"] < events * 0.3:
        raise WrongOutcome(f"{pruned['deleted']} of {events} events were deleted")
    retention = found.table(f"basket_prune --days {days}", "events", "deleted", "seconds")
    retention.add(events, pruned["deleted"], pruned["seconds"])
    slowest = max(pages, key=lambda name: pages[name]["ms"] if name.startswith(HISTORY) else 0)
    found.expect(
        f"history: the slowest of member, contact and history pages, {events:,} events",
        f"{pages[slowest]['ms']:.0f} ms ({slowest})",
        "< 200 ms",
        pages[slowest]["ms"] < 200,
    )
    return found
