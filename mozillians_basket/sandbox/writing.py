"""Transactions that write."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from django.db import connection, transaction

_turn = threading.Lock()


@contextmanager
def writing() -> Iterator[None]:
    """
    A transaction, in turn with those of other threads.

    SQLite lets one write at a time, and the others look again after up to a tenth of a second.
    A block within a transaction does not wait for its turn: that would be a deadlock.
    """
    with nullcontext() if connection.in_atomic_block else _turn, transaction.atomic():
        yield
