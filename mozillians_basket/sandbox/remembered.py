"""Rows that every request needs, read again only when they may have changed."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import models, transaction
from django.db.models.signals import post_delete, post_save

Rows = TypeVar("Rows")

FRESH_FOR = 1.0
"""Seconds until another process's change is seen; this process's own is seen at once."""


class Remembered(Generic[Rows]):
    """The result of ``read``, read again after each change of the model."""

    def __init__(self, model: type[models.Model], read: Callable[[], Rows]) -> None:
        self._read = read
        self._kept: tuple[float, Rows] | None = None
        self._changes = 0
        self._lock = threading.Lock()
        post_save.connect(self._changed, sender=model, weak=False)
        post_delete.connect(self._changed, sender=model, weak=False)

    def now(self) -> Rows:
        """Return the rows as they are."""
        kept = self._kept
        if kept is not None and time.monotonic() - kept[0] < FRESH_FOR:
            return kept[1]
        started, changes = time.monotonic(), self._changes
        rows = self._read()
        with self._lock:
            # A row that changed during the reading may be missing in it.
            if changes == self._changes:
                self._kept = started, rows
        return rows

    def forget(self) -> None:
        """Drop the rows, so that the next call reads them again."""
        with self._lock:
            self._changes += 1
            self._kept = None

    def _changed(self, **_kwargs: object) -> None:
        self.forget()
        # A thread that reads before the commit keeps the rows from before the change.
        transaction.on_commit(self.forget)
