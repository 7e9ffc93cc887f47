"""Transactions that write."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

_turn = threading.RLock()


@contextmanager
def writing() -> Iterator[None]:
    """
    A transaction, in turn with those of other threads.

    SQLite lets one write at a time, and the others look again after up to a tenth of a second.
    """
    with _turn, transaction.atomic():
        yield
