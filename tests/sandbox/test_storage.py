"""Cached rows are never older than an answered change."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.contrib.contenttypes.models import ContentType

from mozillians_basket.sandbox.storage import CachedRows
from tests.sandbox.conftest import Caller


def test_first_requests_of_all_know_the_key(caller: Caller) -> None:
    caller.sandbox.put_person("ada@example.com")

    def lookup(_number: int) -> int:
        query = {"email": "ada@example.com"}
        return (
            Caller(caller.sandbox)
            .get("/api/v1/users/lookup/", params=query, headers=caller.key)
            .status_code
        )

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lookup, range(200))) == {200}


def test_fault_comes_and_goes_at_once_under_load(caller: Caller) -> None:
    def lookup(_number: int) -> int:
        return Caller(caller.sandbox).get("/news/newsletters/").status_code

    with ThreadPoolExecutor(4) as pool:
        load = [pool.submit(lookup, number) for number in range(120)]
        for _ in range(20):
            caller.sandbox.fail("newsletters", status=503)
            assert caller.get("/news/newsletters/").status_code == 503
            caller.sandbox.heal()
            assert caller.get("/news/newsletters/").status_code == 200
        assert {future.result() for future in load} <= {200, 503}


class Interrupted(CachedRows[int]):
    """A change at the worst moment: just before a reading is kept."""

    changing: threading.Thread | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_cached" and value is not None and self.changing is None:
            self.changing = threading.Thread(target=self.clear)
            self.changing.start()
            self.changing.join(0.2)
        super().__setattr__(name, value)


def test_rows_from_before_a_change_are_not_cached() -> None:
    readings = iter([1, 2])
    cached = Interrupted(ContentType, lambda: next(readings))

    assert cached.get() == 1
    assert cached.changing is not None
    cached.changing.join()

    assert cached.get() == 2
