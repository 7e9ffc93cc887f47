"""Resets: no request has an effect beyond the next reset."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PATIENCE = 5.0
"""Seconds that a reset waits for the requests that are still under way."""

_began_after: ContextVar[int | None] = ContextVar("began_after", default=None)


class Resets:
    """Counts the resets, and knows the requests that began before the last one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        # Separate, so that the end of a request does not wake all requests that a fault delays.
        self._done = threading.Condition(self._lock)
        self._under_way: Counter[int] = Counter()
        self._is_stopping = False
        self.count = 0

    @contextmanager
    def request(self, received_after: int | None = None) -> Iterator[None]:
        """
        Mark a request as under way in the block.

        ``received_after`` is the number of resets before it was received; by default, all so far.
        """
        with self._lock:
            before = self.count if received_after is None else received_after
            self._under_way[before] += 1
        token = _began_after.set(before)
        try:
            yield
        finally:
            _began_after.reset(token)
            with self._lock:
                self._under_way -= Counter({before: 1})
                self._done.notify_all()

    def is_outdated(self) -> bool:
        """Tell whether a reset came since the request under way was received."""
        before = _began_after.get()
        return before is not None and before != self.count

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the next reset or the end of the server."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or self.is_outdated(), seconds)

    def begin(self) -> None:
        """Begin a reset; wait up to ``PATIENCE`` seconds for the requests from before it."""
        with self._changed:
            self.count += 1
            self._changed.notify_all()
            self._done.wait_for(self._is_alone, PATIENCE)

    def stop(self) -> None:
        """End the waits of all requests, as the server ends."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def _is_alone(self) -> bool:
        return not any(before < self.count for before in self._under_way)


resets = Resets()
