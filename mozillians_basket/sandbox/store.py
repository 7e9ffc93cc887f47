"""The store of contacts behind Basket, and the trouble that it can be in."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mozillians_basket.sandbox.models import Fault

FOR_READING = {Fault.Kind.STORE_FAILS, Fault.Kind.STORE_REFUSES, Fault.Kind.STORE_GONE}
FOR_WRITING = {*FOR_READING, Fault.Kind.STORE_READ_ONLY}

_trouble: ContextVar[Fault | None] = ContextVar("trouble", default=None)


class StoreTroubleError(Exception):
    """The store could not do what was asked of it. ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


@contextmanager
def in_trouble(fault: Fault | None) -> Iterator[None]:
    """Let the store be in this trouble for a while, or in none."""
    before = _trouble.set(fault)
    try:
        yield
    finally:
        _trouble.reset(before)


def is_read() -> None:
    """Raise StoreTroubleError if the store cannot be read."""
    _raise_for(FOR_READING)


def is_written() -> None:
    """Raise StoreTroubleError if the store cannot be written."""
    _raise_for(FOR_WRITING)


def _raise_for(kinds: set[Fault.Kind]) -> None:
    fault = _trouble.get()
    if fault is not None and fault.kind in kinds:
        raise StoreTroubleError(fault)
