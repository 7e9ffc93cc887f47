"""Stops a chain at an exact moment, so that a test can kill its worker there."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db import connection, transaction

from mozillians_basket.models import Contact, Event
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import wait_until

#: Makes a change on the site, and holds the chain at the moment during the block.
Moment = Callable[[SandboxServer, Callable[[], object]], AbstractContextManager[None]]

#: Seconds until a chain must reach its moment.
PATIENCE = 60.0

#: Seconds from the moment at which a call has struck until Basket applies it and answers. The
#: test takes its locks in this time.
ANSWER_AFTER = 3.0

#: Settings of a worker that waits for these answers.
PATIENT = {"BASKET_TIMEOUT": "20"}


def has_struck(basket: SandboxServer, fault: int) -> bool:
    """Whether the request with the fault has arrived."""
    return all(each["id"] != fault or each["remaining"] == 0 for each in basket.faults)


def waiting_for_locks() -> int:
    """Return the number of database sessions that wait for a lock of another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def unanswered(call: str) -> Moment:
    """The call was made, but Basket has not applied it. All steps before it are saved."""

    @contextmanager
    def moment(basket: SandboxServer, change: Callable[[], object]) -> Iterator[None]:
        fault = basket.fail(call, kind="hang", seconds=30, times=1)
        change()
        wait_until(lambda: has_struck(basket, fault), timeout=PATIENCE, what=call)
        yield

    return moment


def unwritten(call: str) -> Moment:
    """Basket has answered the call, and the worker has not saved the answer."""

    @contextmanager
    def moment(basket: SandboxServer, change: Callable[[], object]) -> Iterator[None]:
        fault = basket.fail(call, kind="delay", seconds=ANSWER_AFTER, times=1)
        change()
        wait_until(lambda: has_struck(basket, fault), timeout=PATIENCE, what=call)
        with transaction.atomic():
            list(Contact.objects.select_for_update())
            wait_until(waiting_for_locks, timeout=PATIENCE, what=f"the end of {call}")
            yield

    return moment


def half_written(call: str) -> Moment:
    """Basket has answered the call; the transaction that saves the answer is half done."""

    @contextmanager
    def moment(basket: SandboxServer, change: Callable[[], object]) -> Iterator[None]:
        fault = basket.fail(call, kind="delay", seconds=ANSWER_AFTER, times=1)
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
