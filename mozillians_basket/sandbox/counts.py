"""Counters of requests and connections, for all processes of the server."""

import multiprocessing
from typing import Any

CONNECTIONS = "connections"
#: The counters: answered and unanswered requests of each endpoint, and connections.
NAMES = (
    "subscribe",
    "unsubscribe",
    "user",
    "lookup",
    "newsletters",
    "confirm",
    "recover",
    "user-meta",
    "custom-unsub-reason",
    CONNECTIONS,
)


class Counts:
    """
    Counters in memory that forked processes share, so that counting costs no query.

    Unlike the journal, they count every request, also when no journal is kept.
    """

    def __init__(self) -> None:
        self._numbers: Any = multiprocessing.Array("Q", len(NAMES))

    def note(self, endpoint: str, *, is_new_connection: bool) -> None:
        """Count a request. Count its connection too, if this is the first request on it."""
        with self._numbers.get_lock():
            self._numbers[NAMES.index(endpoint)] += 1
            if is_new_connection:
                self._numbers[NAMES.index(CONNECTIONS)] += 1

    def now(self) -> dict[str, int]:
        """Return the numbers by name, without endpoints that nobody called."""
        with self._numbers.get_lock():
            numbers = list(self._numbers)
        return {
            name: number
            for name, number in zip(NAMES, numbers, strict=True)
            if number or name == CONNECTIONS
        }

    def clear(self) -> None:
        """Set all counters to zero."""
        with self._numbers.get_lock():
            self._numbers[:] = [0] * len(NAMES)


counts = Counts()
