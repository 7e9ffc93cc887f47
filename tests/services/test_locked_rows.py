"""What a statement of PostgreSQL's reads when it had to wait for a row that somebody changed."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connection, transaction
from django.db.models import F

from mozillians_basket import ledger
from mozillians_basket.exceptions import LeaseLost
from mozillians_basket.ledger import Lease, Sheet
from mozillians_basket.ledger.touches import Drained
from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.states import State
from project.people.models import Vouch
from tests.services.moments import waiting_for_locks
from tests.services.processes import wait_until
from tests.services.servers import Broker
from tests.services.site import member, vouch

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

Result = TypeVar("Result")
Elsewhere = Callable[[Callable[[], Result]], "Future[Result]"]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere[Result]]:
    """Do something in another thread, with a connection of its own."""
    with ThreadPoolExecutor() as pool:

        def begin(work: Callable[[], Result]) -> "Future[Result]":
            def done() -> Result:
                try:
                    return work()
                finally:
                    connection.close()

            return pool.submit(done)

        yield begin


@pytest.fixture
def lease(broker: Broker, basket: SandboxServer) -> Lease:
    """Of a member who is to be subscribed, while no worker runs."""
    vouch(member())
    (lease,) = ledger.drain(claim=True).leases
    return lease


def wait_for_locks() -> None:
    """Until somebody waits for a row."""
    wait_until(waiting_for_locks, timeout=20, what="somebody who waits")


def test_a_step_reads_what_was_committed_while_it_waited(
    lease: Lease, elsewhere: Elsewhere[Sheet]
) -> None:
    with transaction.atomic():
        Contact.objects.update(revision=F("revision") + 1, cause="meanwhile")
        Subscription.objects.update(wanted=False)
        taken = elsewhere(Sheet(lease).take)
        wait_for_locks()

    sheet = taken.result(20)

    assert sheet.lease == lease.prolonged
    assert sheet.contact.cause == "meanwhile"
    assert [line.wanted for line in sheet.lines.values()] == [False]


def test_a_write_that_waited_for_another_s_is_made_again_on_what_that_one_left(
    lease: Lease, elsewhere: Elsewhere[None]
) -> None:
    sheet = Sheet(lease).take()
    seen = []

    def work() -> None:
        (line,) = sheet.lines.values()
        seen.append(line.wanted)
        line.state = State.REFUSED
        sheet.note(Event.Kind.REFUSED)

    with transaction.atomic():
        Contact.objects.update(revision=F("revision") + 1)
        Subscription.objects.update(wanted=False)
        changed = elsewhere(lambda: sheet.change(work))
        wait_for_locks()
    changed.result(20)

    line = Subscription.objects.get()
    assert seen == [True, False]
    assert (line.wanted, line.state) == (False, State.REFUSED)
    assert line.contact.events.count() == 1


def test_nothing_of_a_write_stays_when_the_lease_was_lost_while_it_waited(
    lease: Lease, elsewhere: Elsewhere[None]
) -> None:
    sheet = Sheet(lease).take()

    def work() -> None:
        (line,) = sheet.lines.values()
        line.state = State.REFUSED
        sheet.note(Event.Kind.REFUSED)

    with transaction.atomic():
        Contact.objects.update(lease=F("lease") + 1)
        changed = elsewhere(lambda: sheet.change(work))
        wait_for_locks()

    with pytest.raises(LeaseLost):
        changed.result(20)
    assert Subscription.objects.get().state == State.UNKNOWN
    assert not Contact.objects.get().events.exists()


def test_draining_sees_the_lines_that_were_written_while_it_waited(
    lease: Lease, elsewhere: Elsewhere[Drained]
) -> None:
    vouch(Vouch.objects.get().vouchee)

    with transaction.atomic():
        Contact.objects.update(cause="meanwhile", leased_until=None)
        Subscription.objects.update(state=State.SUBSCRIBED)
        drained = elsewhere(ledger.drain)
        wait_for_locks()

    assert drained.result(20).contact_ids == []
    assert Subscription.objects.get().state == State.SUBSCRIBED
    assert Contact.objects.get().cause == "meanwhile"
