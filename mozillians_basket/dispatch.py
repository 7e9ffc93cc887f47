"""Hand messages to the broker from a thread, so that no request waits for the broker."""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias
from weakref import WeakSet

from celery import Celery, signals
from celery.app import app_or_default
from django.core import mail
from django.db import transaction
from django.db.transaction import TransactionManagementError

from mozillians_basket.conf import conf
from mozillians_basket.models import alias

logger = logging.getLogger("mozillians_basket")

#: Names of the tasks that messages start.
LOOKUP = "mozillians_basket.tasks.lookup_users_task"
SWEEP = "mozillians_basket.tasks.sweep"
ANNOUNCE = "mozillians_basket.tasks.announce"

#: Seconds for which no message is sent after the broker took none; the sweeper finds the work.
BROKER_PAUSE = 10.0

#: Shortest time in seconds from a message about touches to the next one of the same process.
#: With 0.02, bulk takes more than twice the messages (0.22 and 0.09 per change, measured).
GATHER = 0.1

#: The messages that may wait for the thread; more are dropped, and the sweeper finds the work.
LIMIT = 1000

#: Seconds for which a process that ends waits for its last messages to be sent.
LAST_WAIT = 2.0

Message: TypeAlias = tuple[Celery, str, tuple[Any, ...]]
"""The app through which it is sent, the task's name and the task's arguments."""


def send(name: str, *args: Any) -> None:
    """
    Have a task started soon; return at once and never fail.

    A lost message costs time, not data. With eager tasks the task runs here and
    now, and ``task_eager_propagates`` decides whether its errors are raised.
    """
    if _captured is not None:
        _captured.append((name, args))
        return
    try:
        # The thread has no current app: a site's may be known to the caller's thread only.
        app = app_or_default()
        if not app.conf.task_always_eager:
            # Django's tests have an outbox for mail. None of their messages reaches a real broker.
            url = str(app.conf.broker_write_url) if hasattr(mail, "outbox") else "memory:"
            if url.startswith("memory:"):
                _sender.put((app, name, args))
            return
    except Exception as error:  # noqa: BLE001 - a broken configuration, or no thread to be had
        _warn("A message could not be sent", error)
        return
    if name not in app.tasks:  # a process that is no worker may not have imported them yet
        app.loader.import_default_modules()
    app.tasks[name].apply_async(args)


@contextmanager
def captured() -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """Keep the messages of this process in a list, and send none: for tests."""
    global _captured
    before, _captured = _captured, []
    try:
        yield _captured
    finally:
        _captured = before


def after_commit(touch_id: int) -> None:
    """
    Have a worker told of a touch once the transaction around it is committed.

    The touches of one transaction are one message, also with eager tasks, which
    the thread never sees.
    """
    _on_commit(_Touched(touch_id).tell)


def send_after_commit(name: str, *args: Any) -> None:
    """Have a task started once the transaction around this is committed."""
    _on_commit(lambda: send(name, *args))


def wake_sweeper() -> None:
    """Have the sweeper run once the transaction around this is committed."""
    send_after_commit(SWEEP)


def flush(timeout: float) -> bool:
    """Wait up to ``timeout`` seconds until no message is left to send; tell whether that is so."""
    return _sender.flush(timeout)


def _on_commit(callback: Callable[[], None]) -> None:
    # The errors of an eager task are the caller's: Django would log them and go on.
    robust = not app_or_default().conf.task_always_eager
    # Django cannot say when a caller commits by hand; the sweeper finds the work.
    with suppress(TransactionManagementError):
        transaction.on_commit(callback, using=alias(), robust=robust)


class _Touched:
    """
    A touch in an open transaction.

    Only Django's list of callbacks refers to it. So a rollback of the transaction
    or of a savepoint removes it from ``_of_thread`` too.
    """

    def __init__(self, touch_id: int) -> None:
        self.touch_id = touch_id
        _of_thread.touched.add(self)

    def tell(self) -> None:
        """Send one message for all touches of the transaction; the first of them does it."""
        touched = _of_thread.touched
        if self in touched:
            oldest = min(each.touch_id for each in touched)
            touched.clear()
            send(LOOKUP, oldest)


class _OfThread(threading.local):
    """The touches in the transaction that a thread has open."""

    def __init__(self) -> None:
        self.touched: WeakSet[_Touched] = WeakSet()


_of_thread = _OfThread()


def joined(messages: Iterable[Message]) -> list[Message]:
    """
    Merge queued messages: equal ones, and those about touches into one with the oldest.

    Other lookups stay as many as they are, because each takes a share of its own.
    """
    result: list[Message] = []
    oldest: dict[Celery, tuple[int]] = {}
    for message in messages:
        app, name, args = message
        if _is_about_touches(message):
            oldest[app] = min(oldest.get(app, args), args)
        elif name == LOOKUP or message not in result:
            result.append(message)
    return [*((app, LOOKUP, args) for app, args in oldest.items()), *result]


def _is_about_touches(message: Message) -> bool:
    _app, name, args = message
    return name == LOOKUP and bool(args)


class _Sender:
    """The messages that wait, and a thread that is started with the first."""

    def __init__(self) -> None:
        # Its lock is reentrant: a signal handler may send while its own thread holds it.
        self._changed = threading.Condition()
        self._waiting: list[Message] = []
        self._sending = False
        self._thread: threading.Thread | None = None
        self._quiet_until: dict[Celery, float] = {}

    def put(self, message: Message) -> None:
        """Add a message, if there is room."""
        with self._changed:
            if len(self._waiting) >= LIMIT:
                return
            self._waiting.append(message)
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="basket-messages", daemon=True)
                thread.start()
                self._thread = thread
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait for the thread to have nothing left to send."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._sending), timeout)

    def _run(self) -> None:
        told_at = float("-inf")
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                pause = max(told_at + GATHER - time.monotonic(), 0)
                # A message that is not about touches is not held up.
                self._changed.wait_for(
                    lambda: not all(map(_is_about_touches, self._waiting)), pause
                )
                messages, self._waiting, self._sending = self._waiting, [], True
            if any(map(_is_about_touches, messages)):
                told_at = time.monotonic()
            try:
                for message in joined(messages):
                    self._hand_over(*message)
            finally:
                with self._changed:
                    self._sending = False
                    self._changed.notify_all()

    def _hand_over(self, app: Celery, name: str, args: tuple[Any, ...]) -> None:
        if time.monotonic() < self._quiet_until.get(app, 0.0):
            return
        try:
            queue = conf.QUEUE or None
            app.send_task(name, args, retry=False, ignore_result=True, queue=queue)
        except Exception as error:  # noqa: BLE001 - of any kind of broker
            self._quiet_until[app] = time.monotonic() + BROKER_PAUSE
            _warn("The broker took no message", error)


def _warn(what: str, error: Exception) -> None:
    # Only the class is logged: the text may contain the broker's password.
    logger.warning("%s (%s); the sweeper will find the work.", what, type(error).__qualname__)


def _last_wait(**kwargs: Any) -> None:
    flush(LAST_WAIT)


def _begin_process() -> None:
    """Start without the parent's messages: a fork copies no thread, and may copy a held lock."""
    global _sender
    _sender = _Sender()


_sender = _Sender()
_captured: list[tuple[str, tuple[Any, ...]]] | None = None

os.register_at_fork(after_in_child=_begin_process)
atexit.register(_last_wait)
# A child of the prefork pool ends without Python's exit handlers.
signals.worker_process_shutdown.connect(
    _last_wait, weak=False, dispatch_uid="mozillians_basket.last_wait"
)
