"""A step on PostgreSQL reads the newest rows after it waited for another transaction's lock."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mozillians_basket import sync
from mozillians_basket.ledger import decisions, touches
from mozillians_basket.models import Contact, Decision, Event, Member, Subscription, Touch
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import Vouch
from project.processes import wait_until
from tests.factories import MembershipFactory
from tests.services.moments import ANSWER_AFTER, waiting_for_locks
from tests.services.servers import Broker
from tests.services.site import member, newsletters_of, vouch

pytestmark = [
    pytest.mark.services,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
]

Result = TypeVar("Result")
Elsewhere = Callable[[Callable[[], Result]], "Future[Result]"]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere[Result]]:
    """Run a function in another thread, with a connection of its own."""
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
def lease(broker: Broker, basket: SandboxServer) -> str:
    """The lease of a looked-up member who should be subscribed, while no worker runs."""
    vouch(member())
    touches.drain()
    lease = sync.look_up().lease
    assert lease
    return lease


def wait_for_locks() -> None:
    """Wait until a transaction waits for a row."""
    wait_until(waiting_for_locks, timeout=60, what="somebody who waits")


def subscribes(basket: SandboxServer) -> int:
    """Return the number of subscribe calls at Basket."""
    return [request.endpoint for request in basket.requests].count("subscribe")


def test_a_step_reads_what_was_committed_while_it_waited(
    lease: str, elsewhere: Elsewhere[object], basket: SandboxServer
) -> None:
    with transaction.atomic():
        list(Member.objects.select_for_update())  # as all writers of decisions do
        list(Contact.objects.select_for_update())
        Decision.objects.update(wanted=False)
        step = elsewhere(lambda: sync.make_calls(sync.Step.SUBSCRIBE, lease, last=True))
        wait_for_locks()
    step.result(60)

    assert subscribes(basket) == 0
    assert Contact.objects.get().touched_at is None


def test_a_step_that_lost_its_lease_while_it_waited_calls_nobody_and_writes_nothing(
    lease: str, elsewhere: Elsewhere[object], basket: SandboxServer
) -> None:
    with transaction.atomic():
        Contact.objects.update(lease="another-1")
        step = elsewhere(lambda: sync.make_calls(sync.Step.SUBSCRIBE, lease, last=True))
        wait_for_locks()
    step.result(60)

    assert subscribes(basket) == 0
    assert Contact.objects.get().lease == "another-1"
    assert not Subscription.objects.exists()


def test_an_answer_is_not_written_down_under_a_lease_that_was_lost_during_the_call(
    lease: str, elsewhere: Elsewhere[object], basket: SandboxServer
) -> None:
    basket.fail("subscribe", kind="delay", seconds=ANSWER_AFTER, times=1)
    step = elsewhere(lambda: sync.make_calls(sync.Step.SUBSCRIBE, lease, last=True))
    begun = Subscription.objects.filter(requested_at__isnull=False)
    wait_until(begun.exists, timeout=60, what="the call")

    with transaction.atomic():
        Contact.objects.update(lease="another-1")
        wait_for_locks()
    step.result(60)

    assert subscribes(basket) == 1
    row = Subscription.objects.get(newsletter="mozilla-phone")
    assert (row.state, row.confirmed_at) == (State.UNKNOWN, None)
    assert not Event.objects.filter(kind=Event.Kind.SUBSCRIBED).exists()


def test_draining_keeps_what_was_committed_while_it_waited(
    lease: str, elsewhere: Elsewhere[int]
) -> None:
    Vouch.objects.get().delete()

    with transaction.atomic():
        list(Member.objects.select_for_update())
        Decision.objects.update(opted_out_at=timezone.now())
        drained = elsewhere(touches.drain)
        wait_for_locks()
    drained.result(60)

    decision = Decision.objects.get(newsletter="mozilla-phone")
    assert (decision.entitled, decision.wanted) == (False, False)
    assert decision.opted_out_at is not None


def test_a_member_who_is_deleted_while_their_arrival_is_drained_is_gone(
    broker: Broker, basket: SandboxServer, elsewhere: Elsewhere[object]
) -> None:
    profile = member()

    with transaction.atomic():
        touches.drain()
        elsewhere(lambda: (vouch(profile), profile.user.delete())).result(60)
        drained = elsewhere(touches.drain)
        wait_for_locks()
    drained.result(60)

    assert not Member.objects.exists()
    assert not Touch.objects.exists()


def test_a_drain_that_another_one_overtook_sees_what_that_one_saw(
    broker: Broker, basket: SandboxServer, elsewhere: Elsewhere[object]
) -> None:
    profile = member()

    def vouched_meanwhile(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and Member._meta.db_table in sql:
            elsewhere(lambda: (vouch(profile), touches.drain())).result(60)
        return execute(sql, *arguments)

    with connection.execute_wrapper(vouched_meanwhile):
        touches.drain()

    assert Decision.objects.get(newsletter="mozilla-phone").wanted


def test_a_share_that_waited_for_an_arrival_waits_for_the_address_that_it_came_from(
    broker: Broker, basket: SandboxServer, elsewhere: Elsewhere[object]
) -> None:
    mover, other = member(), member()
    MembershipFactory.create(profile=mover, group__slug="nda")
    touches.drain()
    while (outcome := sync.look_up()).lease:
        sync.make_calls(sync.Step.SUBSCRIBE, outcome.lease, last=True)
    basket.opt_out(mover.user.email, "mozillians-nda")  # no lookup has seen it
    vouch(other)
    touches.drain()
    lease = sync.look_up().lease

    with transaction.atomic():
        mover.user.email = other.user.email
        mover.user.save()
        touches.drain()
        step = elsewhere(lambda: sync.make_calls(sync.Step.SUBSCRIBE, lease, last=True))
        wait_for_locks()
    step.result(60)

    assert newsletters_of(basket, other) == {"mozilla-phone"}


def test_a_call_does_not_wait_for_an_address_outside_of_its_share(
    broker: Broker, basket: SandboxServer, elsewhere: Elsewhere[object]
) -> None:
    mover = member()
    vouch(mover)
    touches.drain()
    sync.make_calls(sync.Step.SUBSCRIBE, sync.look_up().lease, last=True)
    mover.user.email = "new@example.com"
    mover.user.save()
    touches.drain()
    source = Contact.objects.exclude(key="new@example.com")
    source.update(touched_at=None, looked_up_at=timezone.now())  # another share has been there
    lease = sync.look_up().lease

    with transaction.atomic():
        list(source.select_for_update())
        step = elsewhere(lambda: sync.make_calls(sync.Step.SUBSCRIBE, lease, last=False))
        wait_until(lambda: bool(newsletters_of(basket, mover)), timeout=20, what="the call")
    step.result(20)

    assert newsletters_of(basket, mover) == {"mozilla-phone"}
    assert subscribes(basket) == 2


def test_an_address_that_is_erased_while_a_member_arrives_is_made_again(
    broker: Broker, basket: SandboxServer, elsewhere: Elsewhere[object]
) -> None:
    profile = member()
    touches.drain()
    Contact.objects.create(key="new@example.com", email="new@example.com", clear=True)
    profile.user.email = "new@example.com"
    profile.user.save()

    with transaction.atomic():
        Contact.objects.filter(key="new@example.com").delete()
        drained = elsewhere(touches.drain)
        wait_for_locks()
    drained.result(60)

    assert Contact.objects.get(members__site_member=profile.pk).key == "new@example.com"


def test_an_address_that_is_erased_while_an_order_names_it_is_made_again(
    broker: Broker, basket: SandboxServer, elsewhere: Elsewhere[object]
) -> None:
    Contact.objects.create(key="bare@example.com", email="bare@example.com", clear=True)

    with transaction.atomic():
        Contact.objects.filter(key="bare@example.com").delete()
        ordered = elsewhere(
            lambda: decisions.unsubscribe_address("bare@example.com", ["mozilla-phone"])
        )
        wait_for_locks()
    ordered.result(60)

    assert Decision.objects.get(member__contact__key="bare@example.com").wanted is False
