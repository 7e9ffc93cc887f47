"""Tell the worker, once per transaction and after its commit, that there is something to do."""

from django.db import router, transaction

from mozillians_basket import tasks
from mozillians_basket.conf import conf
from mozillians_basket.models import Touch
from mozillians_basket.sending import send


class Hint:
    """The touches of one transaction, for one message. Losing it costs time, not data."""

    def __init__(self) -> None:
        self.touch_ids: list[int] = []
        self.sent = False

    def send(self) -> None:
        """Hand the message over, once."""
        if self.sent:
            return
        self.sent = True
        if len(self.touch_ids) > conf.HINT_SIZE:
            send(tasks.sweep)
        else:
            send(tasks.sync_touched, self.touch_ids)


def hint(touch_id: int) -> None:
    """Have the worker told of a touch when the transaction around it is committed."""
    using = router.db_for_write(Touch)
    waiting = _waiting_hint(using) or Hint()
    waiting.touch_ids.append(touch_id)
    # Registered for each touch, as a savepoint that is rolled back takes its callbacks along.
    transaction.on_commit(waiting.send, using=using)


def hint_sweep() -> None:
    """Have the sweeper run when the transaction around this is committed."""
    transaction.on_commit(lambda: send(tasks.sweep), using=router.db_for_write(Touch))


def hint_contacts(contact_ids: list[int]) -> None:
    """Have these contacts synced, where due, when the transaction around this is committed."""
    using = router.db_for_write(Touch)
    transaction.on_commit(lambda: send(tasks.sync_contacts, contact_ids), using=using)


def _waiting_hint(using: str) -> Hint | None:
    """The hint that an earlier touch of the same transaction made, if it is still to be sent."""
    for _savepoints, callback, *_robust in reversed(
        transaction.get_connection(using).run_on_commit
    ):
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, Hint):
            return None if owner.sent else owner
    return None
