"""The options of kombu for each kind of broker."""

from pathlib import Path
from typing import Any


def scheme(url: str) -> str:
    """Return the kind of broker in a URL: ``redis`` for ``redis+socket://``, for example."""
    return url.partition(":")[0].partition("+")[0]


def transport_options(url: str, *, folder: Path, timeout: float) -> dict[str, Any]:
    """
    Return ``broker_transport_options`` for the broker at ``url``.

    :param folder: the folder of the broker made of files.
    :param timeout: seconds to wait for a broker that took the connection and hangs.
    """
    # kombu retries connecting on a lower level than Celery retries publishing.
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
                # Longer than the longest task: otherwise a running task is delivered again.
                "visibility_timeout": 3600,
                # The number of tasks that may end at the same time and acknowledge their messages,
                # as with gevent. With kombu's 10, acknowledgements fail.
                "max_connections": 200,
                "socket_connect_timeout": timeout,
                "socket_timeout": timeout,
                "socket_keepalive": True,
            }
        case "amqp" | "amqps" | "pyamqp":
            options |= {
                # Without it, a message that the broker refuses or loses is lost silently.
                "confirm_publish": True,
                # Of the socket, not of the publishing call: after a timeout of that call, closing
                # channel and connection would wait for a hung broker for ever.
                "read_timeout": timeout,
                "write_timeout": timeout,
            }
    return options
