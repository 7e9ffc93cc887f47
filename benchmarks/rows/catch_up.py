"""What is sent after the switch was off for a while."""

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.bench import Bench
from benchmarks.carrying import WrongOutcome
from benchmarks.processes import Pool
from benchmarks.report import Findings
from benchmarks.sides import APP

FLIPS = 10


def run(bench: Bench) -> Findings:
    """Members flip while the switch is off; some of them end up elsewhere than they began."""
    found = Findings("Catching up after the switch was off")
    members = 200 if bench.options.quick else 10_000
    changed = members // 10
    basket = bench.basket
    basket.reset()
    bench.broker.clear()
    basket.latency = 0.01
    with bench.large(members, subscribed=False) as database, bench.workers(APP, database, Pool()):
        bench.act(APP, database, "members.turn", on=False)
        time.sleep(1)
        basket.clear_counts()
        began = time.perf_counter()
        half = members // 2
        with ThreadPoolExecutor(2) as two:
            saves = sum(
                two.map(
                    lambda first: bench.act(
                        APP, database, "changes.flip",
                        first=first, members=half, times=FLIPS, once_more=changed,
                    ),
                    (1, half + 1),
                )
            )  # fmt: skip
        flipped = time.perf_counter() - began
        off = dict(basket.counts)
        began = time.perf_counter()
        bench.act(APP, database, "members.turn", on=True)
        bench.wait(lambda: basket.counts.get("subscribe", 0) >= changed, 300, "the changed members")
        bench.wait(lambda: not untaken(bench, database), 300, "the touches")
        bench.wait(bench.broker.is_quiet, 60, "the end of all tasks")
        seconds = time.perf_counter() - began
        time.sleep(6)  # a sweep more, in case it would send something
        calls = basket.counts
        left = bench.act(APP, database, "members.unsettled")
    held = {address for address, person in basket.people.items() if person.newsletters}
    if left or held != {f"member{number}@example.com" for number in range(1, changed + 1)}:
        raise WrongOutcome(f"Basket holds {len(held)}, not {changed}; left: {left[:3]}")
    sent = calls.get("lookup", 0) + calls.get("subscribe", 0) + calls.get("unsubscribe", 0)
    table = found.table(
        f"{members:,} members flip {FLIPS} times each, {changed:,} of them once more",
        "saves", "seconds of saving", "calls while off", "calls after", "a changed member",
        "seconds from switching on to done",
    )  # fmt: skip
    table.add(saves, flipped, total(off), sent, sent / changed, seconds)
    found.expect(
        "catch-up: calls per member that really changed",
        f"{sent / changed:.2f}",
        "≤ 2, 0 for the others",
        sent <= 2 * changed,
    )
    found.expect("catch-up: calls while the switch is off", total(off), "0", total(off) == 0)
    return found


def total(counts: dict[str, int]) -> int:
    """All calls, of whatever kind."""
    return sum(number for name, number in counts.items() if name != "connections")


def untaken(bench: Bench, database: str) -> bool:
    """Whether touches wait to be worked through."""
    rows = bench.postgres.execute("SELECT EXISTS (SELECT FROM mozillians_basket_touch)", database)
    return bool(rows[0][0])
