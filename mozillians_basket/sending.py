"""Hand messages to the broker from a thread of its own, so that no request waits for a broker."""

import atexit
import logging
import os
import queue
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeAlias

from celery import Task

from mozillians_basket.conf import conf

logger = logging.getLogger("mozillians_basket")

Message: TypeAlias = "tuple[Task[Any, Any], tuple[object, ...]]"
"""A task to be started, and its arguments."""

#: Seconds without a message after one could not be handed over; the sweeper finds the work anyway.
BROKER_PAUSE = 10.0

#: Seconds for which the thread gathers what other transactions of this process lead to.
GATHER = 0.01

#: How many messages may wait for the thread; more are dropped, and the sweeper finds the work.
LIMIT = 1000

#: Seconds that a process which ends waits for its last messages to leave.
LAST_WAIT = 2.0

_quiet_until = 0.0


def send(task: "Task[Any, Any]", *args: object) -> None:
    """
    Have a message sent soon; return at once and never fail.

    Losing it costs time, not data. With eager tasks the task runs here and now.
    """
    if task.app.conf.task_always_eager:
        task.apply_async(args)
    else:
        _sender.put(task, args)


def flush(timeout: float) -> bool:
    """Wait until all messages are sent or given up, for so many seconds; tell whether they are."""
    return _sender.flush(timeout)


class _Sender:
    """A queue, and a thread that is started with the first message."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Message] = queue.Queue(LIMIT)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, task: "Task[Any, Any]", args: tuple[object, ...]) -> None:
        try:
            self._waiting.put_nowait((task, args))
        except queue.Full:
            return
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._send_all, name="basket-hints", daemon=True
                    )
                    self._thread.start()

    def flush(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self._waiting.unfinished_tasks

    def _send_all(self) -> None:
        while True:
            messages = [self._waiting.get()]
            time.sleep(GATHER)
            with suppress(queue.Empty):
                while True:
                    messages.append(self._waiting.get_nowait())
            try:
                for task, args in joined(messages):
                    _send(task, args)
            finally:
                for _message in messages:
                    self._waiting.task_done()


def joined(messages: Iterable[Message]) -> list[Message]:
    """
    As few messages as say the same: one for many lists of keys, up to ``BASKET_HINT_SIZE``.

    What is said twice without keys, "sweep" that is, is said once.
    """
    result: list[Message] = []
    lists: dict[Task[Any, Any], list[Any]] = {}
    for task, args in messages:
        match args:
            case ([*keys],):
                if task not in lists or len(lists[task]) + len(keys) > conf.HINT_SIZE:
                    lists[task] = []
                    result.append((task, (lists[task],)))
                lists[task] += keys
            case _:
                if (task, args) not in result:
                    result.append((task, args))
    return result


def _send(task: "Task[Any, Any]", args: tuple[object, ...]) -> None:
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        task.apply_async(args, retry=False)
    except Exception as error:  # noqa: BLE001 - whatever kind of broker it is
        _quiet_until = time.monotonic() + BROKER_PAUSE
        logger.warning(
            "The broker took no message (%s); the sweeper will find the work.",
            type(error).__qualname__,
        )


_sender = _Sender()


def _begin_anew() -> None:
    """A forked child has its parent's queue, but no thread and perhaps a lock that was held."""
    global _sender
    _sender = _Sender()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(lambda: flush(LAST_WAIT))
