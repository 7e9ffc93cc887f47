"""One measured run: members are vouched for, and workers carry it to Basket."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from benchmarks.bench import Bench
from benchmarks.processes import Pool, Worker, cpu_seconds, machine_busy
from benchmarks.servers import Statements
from benchmarks.sides import Side

PHONE = "mozilla-phone"

#: Seconds that a worker gets to write down the end of its last task.
SETTLING = 0.5


class WrongOutcome(Exception):
    """Basket does not hold what it should, so the figures of the run count for nothing."""


@dataclass(frozen=True)
class Case:
    """What is to be measured."""

    side: Side
    pool: Pool = field(default_factory=Pool)
    members: int = 2_000
    latency: float = 0.05
    """Seconds that Basket takes for each answer, besides its own work."""
    streaming: bool = False
    """Whether the members are vouched for while the workers run, rather than before."""
    per_second: float | None = None
    """How many are vouched for in a second, while streaming; ``None`` for as many as possible."""
    known: bool = False
    """Whether Basket has them subscribed already."""

    @property
    def expected(self) -> float:
        """How many changes a second waiting for Basket allows."""
        calls = 1 if self.known else 2
        at_once = self.pool.at_once * self.side.calls_at_once
        return at_once / (calls * self.latency)


@dataclass(frozen=True)
class Measured:
    """What came of it; times are milliseconds of CPU for each change."""

    case: Case
    seconds: float
    rate: float
    worker: float
    beat: float
    web: float
    postgres: float
    redis: float
    basket: float
    busy: float
    """How much of the machine was in use, whoever used it; 1 is all cores."""
    calls: float
    connections: float
    messages: float
    statements: dict[str, Statements]

    def per_change(self, role: str, *, brackets: bool = False) -> float:
        """Statements of a role for each change, with or without those around transactions."""
        counted = self.statements[role]
        number = counted.queries + (counted.brackets if brackets else 0)
        return number / self.case.members

    @property
    def own(self) -> float:
        """How much of the machine was in use by what is measured; 1 is all cores."""
        web = self.web if self.case.streaming else 0.0
        sites = self.worker + self.beat + web
        total = sites + self.postgres + self.redis + self.basket
        return total * self.rate / 1000 / (os.cpu_count() or 1)

    @property
    def share(self) -> float:
        """How much of what waiting for Basket allows was reached."""
        return self.rate / self.case.expected


def measure(
    bench: Bench,
    case: Case,
    timeout: float = 300,
    watch: Callable[[list[Worker]], AbstractContextManager[object]] = nullcontext,
) -> Measured:
    """
    Run a case on a database, a broker and a Basket that are fresh.

    :param watch: what goes on around the work, given the workers.
    :raises WrongOutcome: when Basket does not hold in the end what it should.
    :raises TimeoutError: when it takes longer than ``timeout`` seconds.
    """
    basket, broker, postgres = bench.basket, bench.broker, bench.postgres
    addresses = addresses_of(case.members)
    basket.reset()
    broker.clear()
    with (
        bench.members(case.side, case.members) as database,
        bench.workers(case.side, database, case.pool) as (workers, beats),
    ):
        for address in addresses if case.known else ():
            basket.put_person(address, newsletters=[PHONE])
        basket.latency = case.latency
        postgres.clear_counts()
        broker.clear_counts()
        basket.clear_counts()

        def usage() -> list[float]:
            return [
                sum(cpu_seconds(worker.pid) for worker in workers),
                sum(cpu_seconds(beat.pid) for beat in beats),
                *(cpu_seconds(server.pid) for server in (postgres, broker, basket)),
                *machine_busy(),
            ]

        before = usage()
        with vouching(bench, case, database, workers) as start, watch(workers):
            if not case.streaming:
                before = usage()
            last = "lookup" if case.known else "subscribe"
            bench.wait(
                lambda: basket.counts.get(last, 0) >= case.members, timeout, f"{last} of all"
            )
            ended = time.time()
            bench.wait(broker.is_quiet, timeout, "the end of all tasks")
        time.sleep(SETTLING)
        after = usage()
        counts, messages, statements = basket.counts, broker.messages(), postgres.statements()
        assert_carried(bench, case, database)
    seconds = ended - start["began"]
    used = [1000 * (b - a) / case.members for a, b in zip(before, after, strict=True)]
    calls = sum(number for name, number in counts.items() if name != "connections")
    print(f"  {case.side.title}, {case.pool}: {case.members / seconds:.1f}/s", file=sys.stderr)
    return Measured(
        case=case,
        seconds=seconds,
        rate=case.members / seconds,
        worker=used[0],
        beat=used[1],
        web=1000 * start["cpu"] / case.members,
        postgres=used[2],
        redis=used[3],
        basket=used[4],
        busy=used[5] / used[6],
        calls=calls / case.members,
        connections=counts["connections"] / case.members,
        messages=messages / case.members,
        statements=statements,
    )


@contextmanager
def vouching(
    bench: Bench, case: Case, database: str, workers: list[Worker]
) -> Iterator[dict[str, float]]:
    """
    Have the members vouched for; the body runs while the workers carry it.

    Before, with the workers halted meanwhile: then they have the machine to themselves. Or
    streaming, by a process beside them. What is yielded has when it ``began``, and the ``cpu``
    seconds of vouching once the body has ended.
    """
    start: dict[str, float] = {}

    def vouch() -> None:
        start.update(
            bench.act(
                case.side,
                database,
                "changes.vouch",
                first=1,
                count=case.members,
                per_second=case.per_second,
            )
        )

    if case.streaming:
        with ThreadPoolExecutor(1) as beside:
            done = beside.submit(vouch)
            yield start
            done.result()
        return
    for worker in workers:
        worker.pause()
    try:
        vouch()
    finally:
        for worker in workers:
            worker.resume()
    start["began"] = time.time()
    yield start


def addresses_of(count: int) -> list[str]:
    """The members' addresses."""
    return [f"member{number}@example.com" for number in range(1, count + 1)]


def assert_carried(bench: Bench, case: Case, database: str) -> None:
    """
    Compare what Basket holds with what it should, and ask the site whether it is done.

    :raises WrongOutcome: when something is missing, too much, or left to do.
    """
    held = {address: set(person.newsletters) for address, person in bench.basket.people.items()}
    expected = {address: {PHONE} for address in addresses_of(case.members)}
    wrong = [address for address in held | expected if held.get(address) != expected.get(address)]
    if wrong:
        raise WrongOutcome(f"{len(wrong)} of {case.members} members: Basket holds something else")
    left = bench.act(case.side, database, "members.unsettled")
    if left:
        raise WrongOutcome(f"the site is not done: {left[:3]}")
