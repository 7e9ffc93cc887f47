"""Keep the database connections of a worker's threads open from one task to the next."""

import time
from typing import Any

from celery import Celery, Task
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup  # type: ignore[attr-defined]
from django.db.backends.base.base import BaseDatabaseWrapper

#: Seconds without a task after which a connection is closed, or given back to its pool: it may
#: be dead by then, and a pool that checks its connections would see it.
RESTED = 1.0

_USED_AT = "_mozillians_basket_used_at"


def fixup(app: Celery) -> DjangoFixup:
    """
    Celery's own fixup for Django, but for what it does to connections at each task.

    It closes them before and after, so that each task connects anew, or checks
    a connection out of a pool anew. For the site's Celery app::

        app = Celery("community", fixups=["mozillians_basket.connections:fixup"])

    A thread then keeps its connection while it is busy. After an error, or
    without a task for a second, it gets another one. Green threads live no
    longer than their task: with gevent and eventlet all is as Celery has it.
    """
    found = Fixup(app)
    found.install()
    return found


class Fixup(DjangoFixup):
    """The part for all processes; at the start of a worker it makes that for workers."""

    _kept: DjangoWorkerFixup | None = None

    @property
    def worker_fixup(self) -> DjangoWorkerFixup:
        """Made when it is asked for: before, the app is not configured."""
        if self._kept is None:
            self._kept = KeptConnections(self.app)
        return self._kept


class KeptConnections(DjangoWorkerFixup):  # type: ignore[misc]
    """What happens to this thread's connections around a task."""

    def on_task_prerun(self, sender: "Task[Any, Any]", **kwargs: Any) -> None:
        """Part with what has rested for too long."""
        if not self._threads_last:
            super().on_task_prerun(sender, **kwargs)
        elif not sender.request.is_eager:
            for connection in self._open():
                if time.monotonic() - getattr(connection, _USED_AT, float("-inf")) > RESTED:
                    connection.close()

    def on_task_postrun(self, sender: "Task[Any, Any]", **kwargs: Any) -> None:
        """Part with what failed."""
        if not self._threads_last:
            super().on_task_postrun(sender, **kwargs)
            return
        if sender.request.is_eager:
            return
        for connection in self._open():
            if connection.errors_occurred:
                connection.close()
            else:
                setattr(connection, _USED_AT, time.monotonic())
        self.close_cache()

    @property
    def _threads_last(self) -> bool:
        """Whether tasks run in threads that outlive them."""
        pool = self.worker.pool_cls if self.worker is not None else ""
        name = pool if isinstance(pool, str) else pool.__module__
        return not any(green in name for green in ("gevent", "eventlet"))

    def _open(self) -> list[BaseDatabaseWrapper]:
        found = self._db.connections.all(initialized_only=True)
        return [each for each in found if each.connection is not None]
