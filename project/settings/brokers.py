"""What kombu must be told of each kind of broker."""

from pathlib import Path
from typing import Any


def scheme(url: str) -> str:
    """The kind of broker that a URL names: ``redis`` for ``redis+socket://``, for example."""
    return url.partition(":")[0].partition("+")[0]


def transport_options(url: str, *, folder: Path, timeout: float) -> dict[str, Any]:
    """
    ``broker_transport_options`` for the broker at ``url``.

    :param folder: where the broker made of files has its files.
    :param timeout: how many seconds to wait for a broker that took the connection and hangs.
    """
    # kombu tries again to connect, below the level at which Celery tries again to publish.
    options: dict[str, Any] = {"max_retries": 0}
    match scheme(url):
        case "filesystem":
            options |= {
                "data_folder_in": str(folder / "messages"),
                "data_folder_out": str(folder / "messages"),
                "control_folder": str(folder / "control"),
                "polling_interval": 0.05,
            }
        case "redis" | "rediss" | "sentinel":
            options |= {
                # Longer than the longest task, or a running one is given out again.
                "visibility_timeout": 3600,
                # As many as tasks that end at the same time, where each acknowledges its own
                # message, as with gevent. kombu's 10 let acknowledgements fail.
                "max_connections": 200,
                "socket_connect_timeout": timeout,
                "socket_timeout": timeout,
                "socket_keepalive": True,
            }
        case "amqp" | "amqps" | "pyamqp":
            options |= {
                # Without it a message that the broker refuses or loses is lost in silence.
                "confirm_publish": True,
                # Of the socket, not of the publishing call: after that has timed out, closing
                # channel and connection would wait for a hung broker without an end.
                "read_timeout": timeout,
                "write_timeout": timeout,
            }
    return options
