"""The benchmark measures both ways, and no figure counts of a run that went wrong."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from benchmarks.bench import Bench, Options
from benchmarks.carrying import PHONE, Case, WrongOutcome, addresses_of, measure
from benchmarks.processes import Pool, Worker
from benchmarks.servers import WORKER
from benchmarks.sides import APP, PLAIN, Side

pytestmark = pytest.mark.services

MEMBERS = 6


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(Options(quick=True)) as started:
        yield started


def case(side: Side, *, known: bool = False) -> Case:
    return Case(side, Pool("threads", 2), MEMBERS, latency=0.01, known=known)


@pytest.mark.parametrize("side", [APP, PLAIN], ids=lambda side: side.name)
def test_both_ways_carry_all_members(bench: Bench, side: Side) -> None:
    measured = measure(bench, case(side))

    held = {address: person.newsletters for address, person in bench.basket.people.items()}
    assert held == dict.fromkeys(addresses_of(MEMBERS), frozenset({PHONE}))
    assert measured.calls == 2
    assert measured.messages > 0
    assert measured.statements[WORKER].queries >= MEMBERS
    assert measured.worker > 0
    assert measured.rate < measured.case.expected


@pytest.mark.parametrize("side", [APP, PLAIN], ids=lambda side: side.name)
def test_whom_basket_has_already_is_looked_up_and_no_more(bench: Bench, side: Side) -> None:
    assert measure(bench, case(side, known=True)).calls == 1


def meanwhile(
    act: Callable[[], object],
) -> Callable[[list[Worker]], AbstractContextManager[None]]:
    @contextmanager
    def watch(_workers: list[Worker]) -> Iterator[None]:
        act()
        yield

    return watch


def test_a_basket_that_lost_somebody_spoils_the_run(bench: Bench) -> None:
    lost = meanwhile(lambda: bench.basket.fail("subscribe", kind="ignore", times=1))

    with pytest.raises(WrongOutcome, match="1 of 6 members"):
        measure(bench, case(PLAIN), watch=lost)


def test_somebody_who_should_not_be_there_spoils_the_run(bench: Bench) -> None:
    stranger = meanwhile(
        lambda: bench.basket.put_person("stranger@example.com", newsletters=[PHONE])
    )

    with pytest.raises(WrongOutcome, match="1 of 6 members"):
        measure(bench, case(PLAIN), watch=stranger)
