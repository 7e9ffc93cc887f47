"""The journal of received requests, without their secrets, and counters of them."""

import multiprocessing
import re
from typing import Any

from django.http import HttpRequest

from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import Fault, ReceivedRequest

CONNECTIONS = "connections"
TOKEN_IN_PATH = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
PRUNE_EVERY = 100


class Counters:
    """
    Counters in memory that forked processes share, so that counting costs no query.

    Unlike the journal, they count every request, also when no journal is kept.
    """

    def __init__(self) -> None:
        self._names = [*Fault.Endpoint.values, CONNECTIONS]
        self._numbers: Any = multiprocessing.Array("Q", len(self._names))

    def add(self, endpoint: str, *, is_new_connection: bool) -> None:
        """Count a request. Count its connection too, if this is the first request on it."""
        with self._numbers.get_lock():
            self._numbers[self._names.index(endpoint)] += 1
            if is_new_connection:
                self._numbers[self._names.index(CONNECTIONS)] += 1

    def get(self) -> dict[str, int]:
        """Return the numbers by name, without endpoints that nobody called."""
        with self._numbers.get_lock():
            numbers = list(self._numbers)
        return {
            name: number
            for name, number in zip(self._names, numbers, strict=True)
            if number or name == CONNECTIONS
        }

    def clear(self) -> None:
        """Set all counters to zero."""
        with self._numbers.get_lock():
            self._numbers[:] = [0] * len(self._names)


counters = Counters()


def record(
    request: HttpRequest,
    endpoint: str,
    email: str,
    *,
    status: int | None,
    code: int | None,
    seconds: float,
) -> None:
    """Count a request, and write down its answer; ``status`` is None if there was no answer."""
    connection = request.META.get("basket_sandbox.connection")
    counters.add(endpoint, is_new_connection=connection is not None and connection.is_new)
    if not sandbox_settings.JOURNAL:
        return
    entry = ReceivedRequest.objects.create(
        method=_storable(request.method or "", 8),
        path=_storable(TOKEN_IN_PATH.sub("<token>", request.path), 255),
        endpoint=endpoint,
        email=_storable(email, 320),
        newsletters=_storable(request.POST.get("newsletters", ""), 1024),
        status=status,
        code=code,
        new_connection=None if connection is None else connection.is_new,
        seconds=round(seconds, 6),
    )
    if entry.pk % PRUNE_EVERY == 0:
        oldest = entry.pk - sandbox_settings.JOURNAL
        ReceivedRequest.objects.filter(pk__lte=oldest).delete()


def entries() -> list[dict[str, Any]]:
    """Return the journal, oldest first."""
    return [
        {
            "received": entry.received.isoformat(),
            "method": entry.method,
            "path": entry.path,
            "endpoint": entry.endpoint,
            "email": entry.email,
            "newsletters": sorted(filter(None, entry.newsletters.split(","))),
            "status": entry.status,
            "code": entry.code,
            "new_connection": entry.new_connection,
            "seconds": entry.seconds,
        }
        for entry in ReceivedRequest.objects.order_by("pk")
    ]


def _storable(text: str, longest: int) -> str:
    # PostgreSQL refuses a text that is too long, or has a null character in it.
    return text.replace("\0", "")[:longest]
