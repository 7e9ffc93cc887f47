"""Tell the worker, once per transaction and after its commit, that there is something to do."""

import logging
import time
from typing import Any

from celery import Task
from django.db import router, transaction

from mozillians_basket import tasks
from mozillians_basket.conf import conf
from mozillians_basket.models import Touch

logger = logging.getLogger("mozillians_basket")

#: Seconds without a message after one could not be handed over: a request must
#: not wait for a dead broker again and again, and the sweeper finds the work anyway.
BROKER_PAUSE = 10.0

_quiet_until = 0.0


class Hint:
    """The touches of one transaction, for one message. Losing it costs time, not data."""

    def __init__(self) -> None:
        self.touch_ids: list[int] = []
        self.sent = False

    def send(self) -> None:
        """Hand the message over, once; never fail, and never wait long."""
        if self.sent:
            return
        self.sent = True
        if len(self.touch_ids) > conf.HINT_SIZE:
            publish(tasks.sweep)
        else:
            publish(tasks.sync_touched, self.touch_ids)


def hint(touch_id: int) -> None:
    """Have the worker told of a touch when the transaction around it is committed."""
    using = router.db_for_write(Touch)
    waiting = _waiting_hint(using) or Hint()
    waiting.touch_ids.append(touch_id)
    # Registered for each touch, as a savepoint that is rolled back takes its callbacks along.
    transaction.on_commit(waiting.send, using=using)


def hint_sweep() -> None:
    """Have the sweeper run when the transaction around this is committed."""
    transaction.on_commit(lambda: publish(tasks.sweep), using=router.db_for_write(Touch))


def hint_contacts(contact_ids: list[int]) -> None:
    """Have these contacts synced, where due, when the transaction around this is committed."""
    using = router.db_for_write(Touch)
    transaction.on_commit(lambda: publish(tasks.sync_contacts, contact_ids), using=using)


def _waiting_hint(using: str) -> Hint | None:
    """The hint that an earlier touch of the same transaction made, if it is still to be sent."""
    for _savepoints, callback, *_robust in reversed(
        transaction.get_connection(using).run_on_commit
    ):
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, Hint):
            return None if owner.sent else owner
    return None


def publish(task: "Task[Any, Any]", *args: object) -> None:
    """Send a message without waiting for a broker that is away."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        task.apply_async(args, retry=False)
    except Exception as error:
        if task.app.conf.task_always_eager:
            raise  # not the broker's: the task ran right here
        _quiet_until = time.monotonic() + BROKER_PAUSE
        logger.warning(
            "The broker took no message (%s); the sweeper will find the work.",
            type(error).__qualname__,
        )
