"""Celery tasks: thin wrappers; what they do is in ``sync`` and ``ledger``."""

from collections.abc import Callable, Iterable
from typing import Any

from celery import Task, chain, shared_task
from celery.result import allow_join_result
from django.db import InterfaceError, OperationalError

from mozillians_basket import breaker, draining, ledger, sync, verification
from mozillians_basket import reconcile as reconciliation
from mozillians_basket.conf import conf
from mozillians_basket.ledger import Lease, Sheet
from mozillians_basket.periodic import PeriodicTask
from mozillians_basket.redaction import redacted
from mozillians_basket.switch import switch_is_on
from mozillians_basket.sync import Step
from mozillians_basket.upkeep import carry_out_release, prune, tally, wake_releases

__all__ = [
    "carry_out_release",
    "lookup_user_task",
    "prune",
    "reconcile",
    "subscribe_user_task",
    "subscribe_user_to_basket",
    "sweep",
    "sync_touched",
    "tally",
    "unsubscribe_from_basket_task",
    "unsubscribe_user_task",
    "update_email_in_basket",
    "verify",
]


class MaskedTask(Task):  # type: ignore[type-arg]
    """
    A task whose arguments may hold addresses: its repr, in results too, shows none.

    Until it has written into the ledger, its message is all there is of the
    request: so it is tried again for as long as the database is away.
    """

    autoretry_for = (OperationalError, InterfaceError)
    retry_backoff = True
    max_retries = None

    def apply_async(
        self,
        args: Any = None,
        kwargs: Any = None,
        *more: Any,
        **options: Any,
    ) -> Any:
        """Send the task with a masked representation of its arguments."""
        options.setdefault("argsrepr", redacted(repr(tuple(args or ()))))
        options.setdefault("kwargsrepr", redacted(repr(dict(kwargs or {}))))
        return super().apply_async(args, kwargs, *more, **options)

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Mask what the result back end will store, also of a task that was sent by name."""
        self.request.update(
            argsrepr=redacted(repr(tuple(args))), kwargsrepr=redacted(repr(dict(kwargs)))
        )


@shared_task(
    name="mozillians_basket.tasks.subscribe_user_to_basket", base=MaskedTask, ignore_result=False
)
def subscribe_user_to_basket(instance_id: Any, newsletters: list[str]) -> dict[str, Any]:
    """
    Subscribe a member to those of the named newsletters that they lack.

    The decision is written into the ledger and stands until the policies'
    answer for this member changes. Opt-outs are respected.

    :param instance_id: the member's primary key.
    :return: the keys of the contacts that are being synced.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    return _follow_up(ledger.subscribe_member(instance_id, newsletters))


@shared_task(
    name="mozillians_basket.tasks.unsubscribe_from_basket_task",
    base=MaskedTask,
    ignore_result=False,
)
def unsubscribe_from_basket_task(email: str, newsletters: list[str]) -> dict[str, Any]:
    """
    Unsubscribe an address from those of the named newsletters that it has.

    The decision is written into the ledger and stands until the policies'
    answer for this member changes.

    :return: the keys of the contacts that are being synced.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    return _follow_up(ledger.unsubscribe_address(email, newsletters))


@shared_task(
    name="mozillians_basket.tasks.update_email_in_basket", base=MaskedTask, ignore_result=False
)
def update_email_in_basket(old_email: str, new_email: str) -> dict[str, Any]:
    """
    Give a new address the newsletters of ours that the old one really has, then clear the old.

    :return: the keys of the contacts that are being synced.
    """
    return _follow_up(ledger.move_address(old_email, new_email))


def _follow_up(contact_ids: list[int]) -> dict[str, Any]:
    if switch_is_on():
        _start(_claim(contact_ids))
    return {"contacts": contact_ids}


@shared_task(bind=True, name="mozillians_basket.tasks.sync_touched", ignore_result=True)
def sync_touched(self: "Task[Any, Any]", touch_ids: list[int]) -> None:
    """Carry what these touches led to. A lost message costs time only: the sweeper finds them."""
    # A test that is rolled back gives its touches' keys to those of the next one.
    new = touch_ids if self.request.is_eager else draining.news(touch_ids)
    if new and switch_is_on():
        draining.drain(new, _start)


@shared_task(name="mozillians_basket.tasks.sync_contacts", ignore_result=True)
def sync_contacts(contact_ids: list[int]) -> None:
    """Start the syncs of these contacts, if they are due. A lost message costs time only."""
    if switch_is_on():
        _start(_claim(contact_ids))


@shared_task(name="mozillians_basket.tasks.sweep", base=PeriodicTask, ignore_result=True)
def sweep() -> None:
    """
    Find all work that is due, however it came about, and start it.

    Needs no message from a signal; running it twice at once is harmless.
    """
    breaker.note_sweep()
    ledger.work_off_repairs()
    if not switch_is_on():
        return
    while _do_a_portion():
        _start(_claim())
    _start(_claim())
    wake_releases()


def _do_a_portion() -> bool:
    """Work the oldest touches into the ledger; once there are none, some of the bulk requests."""
    return bool(ledger.drain().touch_ids) or ledger.advance_batches()


@shared_task(name="mozillians_basket.tasks.reconcile", base=PeriodicTask, ignore_result=True)
def reconcile() -> None:
    """Mend what no signal saw. Stops before removing too much at once."""
    if switch_is_on():
        reconciliation.apply()


@shared_task(name="mozillians_basket.tasks.verify", base=PeriodicTask, ignore_result=True)
def verify() -> None:
    """Look up the longest unverified contacts, and conclude what was found gone before."""
    if switch_is_on() and not breaker.is_open():
        verification.conclude()
        verification.verify(conf.VERIFY_PER_MINUTE)


@shared_task(name="mozillians_basket.tasks.lookup_user_task", ignore_result=True)
def lookup_user_task(lease: list[int]) -> None:
    """
    First step of a sync: look the person up, then do the steps that the plan needs.

    They are a chain that is run here, by the worker that has the lease. A
    message for each would cost as much as the call that it is about, and save
    nothing: after a death it is the lease's end that lets another begin again.
    """
    sheet = Sheet(Lease(*lease))
    steps: list[Step] = []
    with sync.guarded(sheet):
        steps = sync.look_up(sheet)
        if not steps:
            _finish(sheet)
    if steps:
        _run(steps, sheet)


@shared_task(name="mozillians_basket.tasks.subscribe_user_task", ignore_result=True)
def subscribe_user_task(lease: list[int] | None) -> list[int] | None:
    """Second step: subscribe the target address to what it lacks."""
    return _step(lease, sync.subscribe)


@shared_task(name="mozillians_basket.tasks.unsubscribe_user_task", ignore_result=True)
def unsubscribe_user_task(lease: list[int] | None) -> list[int] | None:
    """Last step: unsubscribe the current address from what it is not to have any more."""
    return _step(lease, sync.unsubscribe)


_TASKS = {Step.SUBSCRIBE: subscribe_user_task, Step.UNSUBSCRIBE: unsubscribe_user_task}


def _run(steps: Iterable[Step], sheet: Sheet) -> None:
    """Run the chain of these steps here and now, and begin again where they did not suffice."""
    with allow_join_result():  # nothing is waited for
        left = chain(*(_TASKS[step].s() for step in steps)).apply((sheet.as_argument,)).get()
    if left is not None:
        lease = Lease(*left)
        ledger.release(lease)
        _start(_claim([lease.contact_id]))


def _step(lease: list[int] | None, call: Callable[[Sheet], bool]) -> list[int] | None:
    """Run one step; hand the lease on while there is more to do. The rest of a chain has none."""
    if lease is None:
        return None
    sheet = Sheet(Lease(*lease))
    with sync.guarded(sheet):
        if call(sheet):
            return sheet.as_argument
        _finish(sheet)
    return None


def _finish(sheet: Sheet) -> None:
    contact_id = sheet.lease.contact_id
    if sheet.troubled:
        breaker.note_settled(contact_id)
    if sheet.due_again:
        _start(_claim([contact_id]))


def _claim(contact_ids: list[int] | None = None) -> list[Lease]:
    """Claim these, or whatever is due; while the breaker is open, only its probe."""
    if breaker.is_open():
        probe = breaker.next_probe(ledger.most_urgent())
        return ledger.claim([probe]) if probe is not None else []
    return ledger.claim_next() if contact_ids is None else ledger.claim(contact_ids)


#: How many syncs are begun by one message, where there are many.
SHARE = 50


def _start(leases: Iterable[Lease]) -> None:
    """
    Begin the syncs of claimed contacts: many of them by messages that each begin a share.

    Of many, one in the middle wakes the sweeper, which then claims the next: the
    workers do not stand idle until beat's next sweep.
    """
    started = [lease.as_argument for lease in leases]
    if len(started) <= SHARE:
        for lease in started:
            lookup_user_task.apply_async((lease,))
        return
    shares = [started[place : place + SHARE] for place in range(0, len(started), SHARE)]
    many = len(started) >= conf.MAX_IN_FLIGHT / 4 and not sweep.app.conf.task_always_eager
    for number, share in enumerate(shares):
        start_syncs.apply_async((share, many and number == len(shares) // 2))


@shared_task(name="mozillians_basket.tasks.start_syncs", ignore_result=True)
def start_syncs(leases: list[list[int]], wake: bool) -> None:  # noqa: FBT001 - a message's
    """Begin the syncs of claimed contacts; if asked, the last one wakes the sweeper."""
    for number, lease in enumerate(leases, start=1):
        then = sweep.si() if wake and number == len(leases) else None
        lookup_user_task.apply_async((lease,), link=then)
