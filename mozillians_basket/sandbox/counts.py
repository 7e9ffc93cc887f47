"""How many requests and connections there were: counted for all processes of the server."""

import multiprocessing
from typing import Any

CONNECTIONS = "connections"
#: What is counted: each endpoint's answered or unanswered requests, and connections.
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

    Other than the journal they forget nothing, and count when no journal is kept.
    """

    def __init__(self) -> None:
        self._numbers: Any = multiprocessing.Array("Q", len(NAMES))

    def note(self, endpoint: str, *, is_new_connection: bool) -> None:
        """Count a request, and its connection if it is the first one on it."""
        with self._numbers.get_lock():
            self._numbers[NAMES.index(endpoint)] += 1
            if is_new_connection:
                self._numbers[NAMES.index(CONNECTIONS)] += 1

    def now(self) -> dict[str, int]:
        """The numbers by name; endpoints that nobody called are left out."""
        with self._numbers.get_lock():
            numbers = list(self._numbers)
        return {
            name: number
            for name, number in zip(NAMES, numbers, strict=True)
            if number or name == CONNECTIONS
        }

    def clear(self) -> None:
        """Begin anew."""
        with self._numbers.get_lock():
            self._numbers[:] = [0] * len(NAMES)


counts = Counts()
