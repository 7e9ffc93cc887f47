"""The server's connections: counted, and dropped when a fault asks for it."""

from collections.abc import Callable, Iterable
from typing import Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import WSGITask

from mozillians_basket.sandbox.resets import resets

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Connection:
    """The connection on which a request came."""

    def __init__(self, *, is_new: bool, received_after: int) -> None:
        self.is_new = is_new
        self.received_after = received_after
        self.is_dropped = False

    def drop(self) -> None:
        """Close the connection without an answer."""
        self.is_dropped = True


class CountingTask(WSGITask):  # type: ignore[misc]
    """Tells the application whether its request is the first one on its connection."""

    def get_environment(self) -> dict[str, Any]:
        """Return the environment, with the connection in it."""
        environ: dict[str, Any] = super().get_environment()
        if "basket_sandbox.connection" not in environ:
            environ["basket_sandbox.connection"] = Connection(
                is_new=not self.channel.is_used, received_after=self.channel.received_after
            )
            self.channel.is_used = True
        return environ


class SandboxChannel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows if it is used, and how many resets came before its last data."""

    task_class = CountingTask
    is_used = False
    received_after = 0

    def received(self, data: bytes) -> bool:
        """Take the arrived data, and note the resets so far: a thread may serve it much later."""
        self.received_after = resets.count
        taken: bool = super().received(data)
        return taken


def droppable(application: Application) -> Application:
    """Let an application leave a request unanswered, and answer HEAD without a body."""

    def served(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = application(environ, start_response)
        is_dropped = environ["basket_sandbox.connection"].is_dropped
        if not is_dropped and environ["REQUEST_METHOD"] != "HEAD":
            return body
        if hasattr(body, "close"):
            body.close()
        if is_dropped:
            raise ClientDisconnected
        # Waitress would send the body, and the next request would read it as its answer.
        return []

    return served
