"""A broker in the test's process, and blocks that end with a commit."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest
from celery import Celery
from kombu.transport import memory

from mozillians_basket import dispatch
from project.celery import app as site_app

Commit = Callable[[], AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Any) -> Commit:
    """Open a block whose end is a commit; with eager tasks, the worker has then done its work."""

    def block() -> AbstractContextManager[list[Callable[[], Any]]]:
        return django_capture_on_commit_callbacks(execute=True)  # type: ignore[no-any-return]

    return block


@dataclass
class Broker:
    """A broker in this process: it keeps its messages, and can fail or hang."""

    taken: list[tuple[Any, ...]] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    """The queue of each message."""
    asked: int = 0
    """The number of attempts to send, including failed ones."""
    error: Exception | None = None
    running: Event = field(default_factory=Event)

    def take(self, queue: str, message: dict[str, Any]) -> None:
        """Keep a message as its task's last name and arguments."""
        self.asked += 1
        self.running.wait(30)
        if self.error:
            raise self.error
        arguments, _keywords, _embedded = json.loads(base64.b64decode(message["body"]))
        self.queues.append(queue)
        self.taken.append((message["headers"]["task"].rpartition(".")[2], *arguments))

    @property
    def messages(self) -> list[tuple[Any, ...]]:
        """The messages, after the last one has been sent."""
        assert dispatch.flush(30)
        return self.taken


class Channel(memory.Channel):
    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        client: Any = self.connection.client
        client.transport_options["broker"].take(queue, message)


class Transport(memory.Transport):
    Channel = Channel


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker of the test's own, which receives this thread's messages."""
    broker = Broker()
    broker.running.set()
    app = Celery("tests", broker="memory://localhost", fixups=[])
    app.conf.update(
        broker_transport=f"{__name__}:Transport",
        broker_transport_options={"broker": broker},
    )
    app.set_current()
    yield broker
    broker.running.set()
    assert dispatch.flush(30)
    site_app.set_current()
