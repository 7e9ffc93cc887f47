"""Work touches into the ledger and start what they led to, many at a time under load."""

import threading
from collections.abc import Callable, Collection, Iterable
from itertools import islice

from mozillians_basket import breaker, ledger
from mozillians_basket.ledger import Lease

#: How many of the touches that this process has drained it knows by their keys.
REMEMBERED = 20_000

_busy = threading.Lock()
_waiting: set[int] = set()
_drained_here: dict[int, None] = {}


def news(touch_ids: Iterable[int]) -> list[int]:
    """
    Those of the touches that this process did not drain lately.

    Each drains the oldest, so most messages of a burst come too late. A key is
    never given to another touch, unless a database is put back in time: then
    the sweeper finds what is passed over here.
    """
    return [key for key in touch_ids if key not in _drained_here]


def drain(touch_ids: Collection[int], start: Callable[[Iterable[Lease]], None]) -> None:
    """
    Drain touches, claim the contacts that they led to, and start these.

    One thread of a process drains at a time; what messages tell the others of
    meanwhile is left to it. So a burst of messages costs one transaction for
    many members, not one for each.
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
    remember(drained.touch_ids)
    if not drained.held_back:
        return drained.leases
    probe = breaker.next_probe(ledger.most_urgent())
    return ledger.claim([probe]) if probe is not None else []


def remember(touch_ids: Iterable[int]) -> None:
    """These are drained: :func:`news` leaves them out. For the one thread that drains."""
    _drained_here.update(dict.fromkeys(touch_ids))
    for key in list(islice(_drained_here, max(len(_drained_here) - REMEMBERED, 0))):
        del _drained_here[key]
