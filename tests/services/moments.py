"""Stops a chain at an exact moment, so that a test can end its worker right there."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db import connection, transaction

from mozillians_basket.models import Contact, Event
from mozillians_basket.sandbox.testing import SandboxServer
from tests.services.processes import wait_until

#: From a change of the site's to a chain that has stopped at the moment, for as long as it is held.
Moment = Callable[[SandboxServer, Callable[[], object]], AbstractContextManager[None]]

#: Seconds that a chain may take to get to its moment.
PATIENCE = 20.0


def has_struck(basket: SandboxServer, fault: int) -> bool:
    """Whether the request for which a fault was set has arrived."""
    return all(each["id"] != fault or each["remaining"] == 0 for each in basket.faults)


def waiting_for_locks() -> int:
    """How many sessions of the database wait for a lock of somebody else's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def unanswered(call: str) -> Moment:
    """The call was made, but Basket has not applied it: all steps before it are written down."""

    @contextmanager
    def moment(basket: SandboxServer, change: Callable[[], object]) -> Iterator[None]:
        fault = basket.fail(call, kind="hang", seconds=10, times=1)
        change()
        wait_until(lambda: has_struck(basket, fault), timeout=PATIENCE, what=call)
        yield

    return moment


def unwritten(call: str) -> Moment:
    """Basket has answered the call, and the worker has not written that down."""

    @contextmanager
    def moment(basket: SandboxServer, change: Callable[[], object]) -> Iterator[None]:
        fault = basket.fail(call, kind="delay", seconds=0.8, times=1)
        change()
        wait_until(lambda: has_struck(basket, fault), timeout=PATIENCE, what=call)
        with transaction.atomic():
            list(Contact.objects.select_for_update())
            wait_until(waiting_for_locks, timeout=PATIENCE, what=f"the end of {call}")
            yield

    return moment


def half_written(call: str) -> Moment:
    """Basket has answered the call; of the transaction that writes that down, half is done."""

    @contextmanager
    def moment(basket: SandboxServer, change: Callable[[], object]) -> Iterator[None]:
        fault = basket.fail(call, kind="delay", seconds=0.8, times=1)
        change()
        wait_until(lambda: has_struck(basket, fault), timeout=PATIENCE, what=call)
        with transaction.atomic():
            with connection.cursor() as cursor:
                # The history is written last.
                table = connection.ops.quote_name(Event._meta.db_table)
                cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
            wait_until(waiting_for_locks, timeout=PATIENCE, what=f"the end of {call}")
            yield

    return moment
