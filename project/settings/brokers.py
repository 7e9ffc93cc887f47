"""What kombu must be told of each kind of broker."""

from pathlib import Path
from typing import Any


def scheme(url: str) -> str:
    """The kind of broker that a URL names: ``redis`` for ``redis+socket://``, for example."""
    return url.partition(":")[0].partition("+")[0]


def transport_options(url: str, *, folder: Path) -> dict[str, Any]:
    """
    ``broker_transport_options`` for the broker at ``url``.

    :param folder: where the broker made of files has its files.
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
                "socket_connect_timeout": 2,
                "socket_timeout": 10,
                "socket_keepalive": True,
            }
        case "amqp" | "amqps" | "pyamqp":
            options |= {"confirm_publish": True}
    return options
