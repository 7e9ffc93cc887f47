"""Work touches into the ledger and start what they led to, many at a time under load."""

import threading
from collections.abc import Callable, Collection, Iterable

from mozillians_basket import breaker, ledger
from mozillians_basket.ledger import Lease

_busy = threading.Lock()
_waiting: set[int] = set()


def drain(touch_ids: Collection[int], start: Callable[[Iterable[Lease]], None]) -> None:
    """
    Drain touches, claim the contacts that they led to, and start these.

    One thread of a process drains at a time; what messages tell the others of
    meanwhile is left to it. So a burst of messages costs one transaction for
    many members, not one for each, and a message that comes too late nothing.
    """
    _waiting.update(touch_ids)
    while _waiting and _busy.acquire(blocking=False):
        try:
            named = {_waiting.pop() for _ in range(len(_waiting))}
            start(_drained(named))
        finally:
            _busy.release()


def _drained(named: Collection[int]) -> list[Lease]:
    drained = ledger.drain(named, claim=True)
    if not drained.held_back:
        return drained.leases
    probe = breaker.next_probe(ledger.most_urgent())
    return ledger.claim([probe]) if probe is not None else []
