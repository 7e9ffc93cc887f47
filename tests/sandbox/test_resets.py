"""No request has an effect beyond the next reset."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests

from mozillians_basket.sandbox.resets import Resets
from project.processes import wait_until
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"
SLOW = 50.0
"""A number of seconds that no test really waits."""


@contextmanager
def straggling(caller: Caller) -> Iterator[Future[requests.Response]]:
    """Subscribe a person by a request that is still under way in the block, struck by a fault."""
    with ThreadPoolExecutor(1) as pool:
        slow = Caller(caller.sandbox)
        under_way = pool.submit(slow.subscribe, "late@example.com", "mozilla-phone")
        wait_until(lambda: caller.sandbox.faults[0]["remaining"] == 0, timeout=30, what="the fault")
        assert under_way.running()
        yield under_way


@pytest.mark.parametrize("kind", ["delay", "hang", "store_gone"])
def test_reset_leaves_requests_under_way_unanswered(caller: Caller, kind: str) -> None:
    caller.sandbox.fail("subscribe", kind=kind, seconds=SLOW, times=1)
    started = time.monotonic()

    with straggling(caller) as under_way:
        caller.sandbox.reset()
        with pytest.raises(requests.ConnectionError):
            under_way.result()

    assert time.monotonic() - started < SLOW / 2
    assert caller.sandbox.requests == []
    assert caller.sandbox.people == {}
    assert caller.sandbox.messages == []


def test_request_from_before_a_reset_uses_up_no_later_fault(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="delay", seconds=SLOW, times=1)

    with straggling(caller) as under_way:
        caller.sandbox.reset()
        caller.sandbox.fail("subscribe", status=503, times=1)
        with pytest.raises(requests.ConnectionError):
            under_way.result()

    assert [fault["remaining"] for fault in caller.sandbox.faults] == [1]
    assert caller.subscribe("ada@example.com", "mozilla-phone").status_code == 503


def test_request_is_outdated_by_a_reset_after_its_arrival() -> None:
    resets = Resets()
    received_after = resets.count
    resets.begin()

    with resets.request(received_after):
        assert resets.is_outdated()
    with resets.request():
        assert not resets.is_outdated()


def test_reset_waits_for_requests_that_are_nearly_done() -> None:
    resets = Resets()
    done = threading.Event()

    def work() -> None:
        with resets.request():
            begun.set()
            time.sleep(0.2)
            done.set()

    begun = threading.Event()
    threading.Thread(target=work).start()
    begun.wait()
    resets.begin()

    assert done.is_set()


def test_reset_is_fast(caller: Caller) -> None:
    taken = []
    for _ in range(5):  # the machine may be busy with something else in between
        caller.subscribe(EMAIL, "mozilla-phone")
        started = time.monotonic()
        caller.sandbox.reset()
        taken.append(time.monotonic() - started)

    assert min(taken) < 0.1
    assert caller.sandbox.people == {}
    assert caller.sandbox.requests == []
