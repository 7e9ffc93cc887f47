"""The benchmark measures all sites, and figures of a failed run do not count."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import requests

from benchmarks import __main__ as command
from benchmarks.bench import APP, NAIVE, Bench, NotMeasured, Pool, Side, Worker
from benchmarks.bulk import Case, measure
from benchmarks.results import Findings

pytestmark = [pytest.mark.services, pytest.mark.slow]

#: Rows that take only a few seconds in their quick form.
CHEAP = ("reconcile", "bulk-request", "memory", "history")
MEMBERS = 6


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(quick=True, members=MEMBERS) as started:
        yield started


def case(side: Side) -> Case:
    return Case(side, Pool("threads", 2), MEMBERS, latency=0.01)


@pytest.mark.parametrize("side", [APP, NAIVE], ids=lambda side: side.title)
def test_sites_carry_all_members(bench: Bench, side: Side) -> None:
    measured = measure(bench, case(side))

    addresses = [f"member{number}@example.com" for number in range(1, MEMBERS + 1)]
    assert bench.basket.ask("people") == {address: ["mozilla-phone"] for address in addresses}
    assert measured.calls == 2
    assert measured.messages > 0
    assert measured.queries >= 1
    assert measured.worker > 0
    assert measured.rate < measured.case.limit


@pytest.mark.parametrize("name", CHEAP)
def test_cheap_rows_are_measured(bench: Bench, name: str) -> None:
    title, measure_row = command.ROWS[name]
    found = Findings(title)

    measure_row(bench, found)

    assert found.goals
    assert all(table.rows for table in found.tables)


def afterwards(
    act: Callable[[], object],
) -> Callable[[list[Worker]], AbstractContextManager[None]]:
    @contextmanager
    def watch(_workers: list[Worker]) -> Iterator[None]:
        yield
        act()

    return watch


def test_basket_that_lost_somebody_spoils_the_run(bench: Bench) -> None:
    def lose() -> None:
        bench.basket.ask("forget", email="member3@example.com")

    with pytest.raises(NotMeasured, match="1 of 6 members"):
        measure(bench, case(NAIVE), afterwards(lose))


def test_somebody_who_should_not_be_there_spoils_the_run(bench: Bench) -> None:
    def add() -> None:
        fields = {"email": "stranger@example.com", "newsletters": "mozilla-phone"}
        requests.post(f"{bench.basket.url}/news/subscribe/", data=fields, timeout=5)

    with pytest.raises(NotMeasured, match="1 of 6 members"):
        measure(bench, case(NAIVE), afterwards(add))


def test_site_that_is_not_done_spoils_the_run(bench: Bench) -> None:
    bench.fresh(0.0)

    with (
        bench.database(APP, "make_touched", count=2) as database,
        pytest.raises(NotMeasured, match=r"this app is not done: .*Touch 1"),
    ):
        bench.assert_carried(APP, database, 0)


def test_earlier_core_that_cannot_be_made_says_why(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.bench.EARLIER", "no-such-commit")

    with pytest.raises(NotMeasured, match=r"cannot be made: .*no-such-commit"):
        _ = bench.earlier


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (NotMeasured("no such thing"), 1)], ids=["measured", "not"]
)
def test_row_that_cannot_be_measured_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, error: Exception | None, code: int
) -> None:
    title, sweep = command.ROWS["sweep"]

    def row(bench: Bench, found: Findings) -> None:
        if error:
            raise error
        sweep(bench, found)

    monkeypatch.setitem(command.ROWS, "sweep", (title, row))

    assert command.main("--quick", "--only", "sweep") == code
    assert ("could not be measured: sweep" in capsys.readouterr().err) == bool(error)
