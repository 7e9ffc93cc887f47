"""Rounds: the time from one reset to the next. No request has an effect beyond its round."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PATIENCE = 5.0
"""Seconds that a reset waits for the requests that are still under way."""

_own: ContextVar[int | None] = ContextVar("own_round", default=None)


class Rounds:
    """Counts the resets, and knows the requests that began before the last one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        # Separate, so that the end of a request does not wake all requests that a fault delays.
        self._done = threading.Condition(self._lock)
        self._under_way: Counter[int] = Counter()
        self._is_stopping = False
        self.number = 0

    @contextmanager
    def request(self, received_in: int | None = None) -> Iterator[None]:
        """Mark a request as under way, in the round in which it was received or in this one."""
        with self._lock:
            number = self.number if received_in is None else received_in
            self._under_way[number] += 1
        token = _own.set(number)
        try:
            yield
        finally:
            _own.reset(token)
            with self._lock:
                self._under_way -= Counter({number: 1})
                self._done.notify_all()

    def is_over(self) -> bool:
        """Tell whether the round of the request under way is over; then it leaves no trace."""
        own = _own.get()
        return own is not None and own != self.number

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the round or of the server."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or self.is_over(), seconds)

    def end(self) -> None:
        """Begin another round; wait up to ``PATIENCE`` seconds for the requests of earlier ones."""
        with self._changed:
            self.number += 1
            self._changed.notify_all()
            self._done.wait_for(self._is_alone, PATIENCE)

    def stop(self) -> None:
        """End the waits of all requests, as the server ends."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def _is_alone(self) -> bool:
        return not any(number < self.number for number in self._under_way)


rounds = Rounds()
