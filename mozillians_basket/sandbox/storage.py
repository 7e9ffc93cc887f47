"""Reading and writing the tables while many requests are served at once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Generic, TypeVar

from django.db import connection, models, transaction
from django.db.models.signals import post_delete, post_save

Rows = TypeVar("Rows")

FRESH_FOR = 1.0
"""Seconds until another process's change is seen; this process's own is seen at once."""

_turn = threading.Lock()


class CachedRows(Generic[Rows]):
    """The result of ``read``, read again after each change of the model."""

    def __init__(self, model: type[models.Model], read: Callable[[], Rows]) -> None:
        self._read = read
        self._cached: tuple[float, Rows] | None = None
        self._changes = 0
        self._lock = threading.Lock()
        post_save.connect(self._model_changed, sender=model, weak=False)
        post_delete.connect(self._model_changed, sender=model, weak=False)

    def get(self) -> Rows:
        """Return the rows as they are."""
        cached = self._cached
        if cached is not None and time.monotonic() - cached[0] < FRESH_FOR:
            return cached[1]
        started, changes = time.monotonic(), self._changes
        rows = self._read()
        with self._lock:
            # A row that changed during the reading may be missing in it.
            if changes == self._changes:
                self._cached = started, rows
        return rows

    def clear(self) -> None:
        """Drop the rows, so that the next call reads them again."""
        with self._lock:
            self._changes += 1
            self._cached = None

    def _model_changed(self, **_kwargs: object) -> None:
        self.clear()
        # A thread that reads before the commit caches the rows from before the change.
        transaction.on_commit(self.clear)


@contextmanager
def write_transaction() -> Iterator[None]:
    """
    Open a transaction, in turn with those of other threads.

    SQLite lets one write at a time, and the others look again after up to a tenth of a second.
    A block within a transaction does not wait for its turn: that would be a deadlock.
    """
    with nullcontext() if connection.in_atomic_block else _turn, transaction.atomic():
        yield
