"""Celery tasks: thin wrappers around ``sync``, ``ledger``, ``bulk`` and ``upkeep``."""

from typing import Any

from celery import Task, chain, shared_task
from celery.canvas import Signature
from celery.result import allow_join_result
from django.db import InterfaceError, OperationalError

from mozillians_basket import bulk, sync
from mozillians_basket.client import breaker
from mozillians_basket.client.transport import switch_is_on, tell_receivers, unexpected
from mozillians_basket.conf import conf
from mozillians_basket.dispatch import ANNOUNCE, LOOKUP, send
from mozillians_basket.ledger import decisions, queue, touches
from mozillians_basket.models import Status
from mozillians_basket.redaction import redacted
from mozillians_basket.signals import SIGNALS, Announcement
from mozillians_basket.site import get_site
from mozillians_basket.sync import Step
from mozillians_basket.upkeep import approvals, doctor, retention, statistics, verification
from mozillians_basket.upkeep import reconcile as reconciliation

NAME = "mozillians_basket.tasks"


class BasketTask(Task):  # type: ignore[type-arg]
    """A task of this app. Another worker takes its message over from one that died."""

    acks_late = True
    reject_on_worker_lost = True

    @property
    def queue(self) -> str | None:
        """The queue of ``BASKET_QUEUE``; without that setting Celery's routes decide."""
        return conf.QUEUE or None


class MaskedTask(BasketTask):
    """
    A task whose arguments may hold addresses: its repr, in results too, shows none.

    Until the task has written into the ledger, its message is the only record of
    the request. So it is retried for as long as the database is away.
    """

    autoretry_for = (OperationalError, InterfaceError)
    retry_backoff = True
    max_retries = None

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        """Send the task with a masked representation of its arguments."""
        return super().apply_async(args, kwargs, *more, **_masked(args, kwargs) | options)

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Mask the arguments in the stored result, also of a task that was sent by name."""
        self.request.update(_masked(args, kwargs))


def _masked(args: Any, kwargs: Any) -> dict[str, str]:
    return {
        "argsrepr": redacted(repr(tuple(args or ()))),
        "kwargsrepr": redacted(repr(dict(kwargs or {}))),
    }


class PeriodicTask(BasketTask):
    """
    A task that beat sends. It may expire, and no result is stored of that.

    A worker would store it from its main thread, over a database connection that
    nobody renews, and end with an error after a restart of the database.
    """

    store_errors_even_if_ignored = False


@shared_task(name=f"{NAME}.subscribe_user_to_basket", base=MaskedTask, ignore_result=False)
def subscribe_user_to_basket(instance_id: Any, newsletters: list[str]) -> dict[str, str]:
    """
    Subscribe a member to newsletters, as an admin would order it. Opt-outs are respected.

    :param instance_id: the member's primary key.
    :return: for each newsletter ``decided``, or ``refused`` because of an opt-out, or
        ``left`` because the member does not exist.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    results = decisions.order([instance_id], newsletters, subscribe=True)
    send(LOOKUP)
    found = next(iter(results.values()), {})
    return {name: str(found.get(name, "left")) for name in get_site().chosen(newsletters)}


@shared_task(name=f"{NAME}.unsubscribe_from_basket_task", base=MaskedTask, ignore_result=False)
def unsubscribe_from_basket_task(email: str, newsletters: list[str]) -> dict[str, str]:
    """
    Unsubscribe an address, and all members who have it, from newsletters.

    :return: for each newsletter ``decided``.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    :raises ValueError: when Basket could not take the address.
    """
    results = decisions.unsubscribe_address(email, newsletters)
    send(LOOKUP)
    return {name: str(result) for name, result in results.items()}


@shared_task(name=f"{NAME}.update_email_in_basket", base=MaskedTask, ignore_result=False)
def update_email_in_basket(old_email: str, new_email: str) -> dict[str, str]:
    """
    Give a new address those of our newsletters that the old one has, then clear the old one.

    :return: for each newsletter ``decided``, or ``left`` where a member of the site has
        the address: then the site's own data about that member counts.
    :raises ValueError: when Basket could not take one of the addresses.
    """
    results = decisions.move_address(old_email, new_email)
    send(LOOKUP)
    return {name: str(result) for name, result in results.items()}


@shared_task(bind=True, name=LOOKUP, base=BasketTask, ignore_result=True)
def lookup_users_task(self: "Task[Any, Any]", oldest_touch: int | None = None) -> None:
    """
    Look up a share of the contacts that are due, and send the chain of the steps it needs.

    A message about touches names the oldest: it, those after it and earlier deletions of
    members are drained first. If the message is lost, the sweeper finds the touches.
    """
    if not switch_is_on():
        return
    if oldest_touch is not None:
        number = touches.drain(since=oldest_touch)
        if number >= conf.DRAIN_SIZE:
            send(LOOKUP, oldest_touch)
        if not number:  # another message's task has drained them
            return
    outcome = sync.look_up(self.request.id or "")
    _go_on(outcome)
    steps: Signature[Any]
    match outcome.steps:
        case ():
            return
        case (Step.SUBSCRIBE, Step.UNSUBSCRIBE):
            steps = chain(
                subscribe_users_task.s(outcome.lease, last=False), unsubscribe_users_task.s()
            )
        case (Step.SUBSCRIBE,):
            steps = subscribe_users_task.s(outcome.lease, last=True)
        case _:
            steps = unsubscribe_users_task.s(outcome.lease)
    if self.request.is_eager:
        with allow_join_result():
            steps.apply(throw=True)
    else:  # not by ``self.replace()``: Celery copies its traceback, 2 to 7 ms per share
        steps.apply_async()


def _go_on(outcome: sync.Outcome) -> None:
    """
    Start one lookup if contacts are due, or if a bulk request has room for more orders.

    One, and no sweep: a sweep starts several lookups, and messages that each
    send more than one grow into a queue in which the steps outlast their leases.
    """
    if outcome.more or (outcome.made_room and bulk.advance()):
        send(LOOKUP)


@shared_task(bind=True, name=f"{NAME}.subscribe_users_task", base=BasketTask, ignore_result=True)
def subscribe_users_task(self: "Task[Any, Any]", lease: str, *, last: bool) -> str:
    """
    Subscribe the contacts of a share to what they lack; return the lease for the next step.

    Reads what is wanted now, not what was wanted at the lookup. Does nothing if
    another worker has taken the share over.
    """
    with sync.guarded(lease):
        outcome = sync.make_calls(Step.SUBSCRIBE, lease, last=last, task_id=self.request.id or "")
    _go_on(outcome)
    return outcome.lease


@shared_task(bind=True, name=f"{NAME}.unsubscribe_users_task", base=BasketTask, ignore_result=True)
def unsubscribe_users_task(self: "Task[Any, Any]", lease: str) -> None:
    """Unsubscribe the contacts of a share from what they should not have, and settle them."""
    if not lease:  # no contact of the share got this far
        return
    with sync.guarded(lease):
        outcome = sync.make_calls(Step.UNSUBSCRIBE, lease, last=True, task_id=self.request.id or "")
    _go_on(outcome)


@shared_task(name=f"{NAME}.sweep", base=PeriodicTask, ignore_result=True)
def sweep() -> None:
    """Find all work that is due, and start it. Two sweeps at once are harmless."""
    Status.note("swept_at")
    doctor.note_settings()
    approvals.tell_admins_of_questions()
    if not switch_is_on():
        return
    for part in (
        breaker.look_for_newsletters,
        touches.drain_all,
        bulk.advance,
        verification.conclude,
    ):
        try:
            part()
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - one part does not hold up the others
            unexpected(error)
    for _ in range(queue.shares_to_start()):
        send(LOOKUP)


@shared_task(name=f"{NAME}.reconcile", base=PeriodicTask, ignore_result=True)
def reconcile() -> None:
    """Find changes that no signal saw, and evaluate their members."""
    if switch_is_on():
        reconciliation.apply()


@shared_task(name=f"{NAME}.count_events", base=PeriodicTask, ignore_result=True)
def count_events() -> None:
    """Count the events of past hours for the overview's charts."""
    statistics.count_past_hours()


@shared_task(name=f"{NAME}.prune", base=PeriodicTask, ignore_result=True)
def prune() -> None:
    """Delete history older than ``BASKET_HISTORY_DAYS``, up to a limit per run."""
    before = retention.horizon()
    if before is not None:
        retention.prune(before)


@shared_task(name=f"{NAME}.verify", base=PeriodicTask, ignore_result=True)
def verify() -> None:
    """
    Have contacts looked up to verify them, and conclude on missing subscriptions.

    Also closes brakes that hold nothing back, and resumes answers whose worker died.
    """
    if not switch_is_on():
        return
    verification.verify(conf.VERIFY_PER_MINUTE)
    if verification.conclude():
        send(LOOKUP)
    approvals.count_held_back()
    for approval_id in approvals.unfinished():
        send(approvals.CARRY_OUT, approval_id)


@shared_task(name=approvals.CARRY_OUT, base=BasketTask, ignore_result=True)
def carry_out_answer(approval_id: int) -> None:
    """Carry out an admin's answer to a question. The task may be killed and started again."""
    approvals.carry_out(approval_id)


@shared_task(name=ANNOUNCE, base=BasketTask, acks_late=False, ignore_result=True)
def announce(announcements: list[list[str]]) -> None:
    """Send the site's signals. It is not started again after a receiver that kills its worker."""
    for each in announcements:
        told = Announcement(*each)._asdict()
        tell_receivers(SIGNALS[told.pop("signal")], get_site().member_model, **told)
