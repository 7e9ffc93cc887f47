"""Help for the tests of a site: the sandbox Basket, the switch on, and a worker on demand."""

import os
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar

from django.test import TestCase, override_settings
from django.utils import timezone
from waffle import get_waffle_switch_model

from mozillians_basket import dispatch, tasks
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import queue
from mozillians_basket.models import Contact, Status, alias
from mozillians_basket.sandbox.testing import SandboxServer

__all__ = ["BasketMixin", "basket_ready", "basket_settled"]

#: The number of times that Basket is looked up again about calls it has just carried out.
ROUNDS = 3

#: More messages than this mean that the work has no end.
MOST_MESSAGES = 10_000


class _Test:
    """The work that one test has left: messages, and callbacks that wait for a commit."""

    def __init__(self, messages: list[tuple[str, tuple[Any, ...]]]) -> None:
        self.messages = messages
        self._open_block()

    def _open_block(self) -> None:
        self._block = TestCase.captureOnCommitCallbacks(using=alias())
        self._callbacks = self._block.__enter__()

    def commit(self) -> None:
        """Run the callbacks that wait for the commit of a transaction around the test."""
        while True:
            self._block.__exit__(None, None, None)
            callbacks = self._callbacks
            self._open_block()
            if not callbacks:
                return
            for callback in callbacks:
                callback()

    def work(self) -> None:
        """Carry out all messages, and the messages that these send."""
        for _ in range(MOST_MESSAGES):
            self.commit()
            if not self.messages:
                return
            name, args = self.messages.pop(0)
            task = getattr(tasks, name.rpartition(".")[2])
            task.apply(args, throw=True)
        raise AssertionError("The worker does not come to an end.")


_test: _Test | None = None


@contextmanager
def basket_ready(basket: SandboxServer) -> Iterator[None]:
    """
    Let a test talk to a sandbox Basket, with the switch on and messages kept for it.

    The test must have access to the database: the switch is a row.
    """
    global _test
    switch = get_waffle_switch_model()
    found = {"BASKET_URL": basket.url, "BASKET_API_KEY": basket.api_key}
    with override_settings(**found), dispatch.captured() as messages:
        row, _ = switch.objects.update_or_create(name=SWITCH, defaults={"active": True})
        row.flush()  # waffle's own waits for a commit, which a test's transaction never has
        before, _test = _test, _Test(messages)
        try:
            yield
        finally:
            _test = before
            row.flush()  # the row goes with the test, waffle's cache would not


def basket_settled() -> None:
    """
    Do the work of the worker and beat, until nothing is left to send.

    It also stands for the commit of the test's transaction: it runs the callbacks that
    wait for it. Each call ends the waits after failures. With the switch off, nothing is
    sent.

    :raises RuntimeError: outside of a test that is ready for it.
    """
    if _test is None:
        raise RuntimeError("This test has no Basket: use basket_site, or BasketMixin.")
    _test.work()
    probes = Status.objects.filter(next_probe_at__isnull=False)
    probes.update(next_probe_at=timezone.now())
    contacts = Contact.objects.filter(touched_at__isnull=False)
    contacts.update(not_before=None)
    for _ in range(ROUNDS):
        tasks.sweep.apply(throw=True)
        _test.work()
        # Basket is looked up again about calls it has just carried out, so later calls need not.
        unseen = contacts.filter(attempts=0, parked=False, clear=False)
        if not (queue.due().exists() or unseen.update(not_before=None)) or not switch_is_on():
            return


class BasketMixin(unittest.TestCase):
    """Gives Django's ``TestCase`` or ``TransactionTestCase`` the sandbox as ``self.basket``."""

    basket: ClassVar[SandboxServer]

    @classmethod
    def setUpClass(cls) -> None:
        """Start the sandbox Basket that all tests of this process share."""
        super().setUpClass()
        cls.basket = _server(os.getpid())

    def setUp(self) -> None:
        """Empty the sandbox, and make the site ready."""
        super().setUp()
        self.basket.reset()
        self.enterContext(basket_ready(self.basket))


@lru_cache
def _server(process: int) -> SandboxServer:
    return SandboxServer().start()
