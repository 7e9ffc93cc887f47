"""The periodic tasks, for a site to add to its own beat schedule."""

from typing import Any


def basket_beat_schedule(*, sweep_every: float = 5.0) -> dict[str, dict[str, Any]]:
    """
    Entries for Celery's ``beat_schedule``.

    :param sweep_every: seconds between two sweeps. A sweep that nobody took by
        then is dropped, so that none pile up while no worker runs.
    """
    return {
        "mozillians_basket.sweep": {
            "task": "mozillians_basket.tasks.sweep",
            "schedule": sweep_every,
            "options": {"expires": sweep_every},
        }
    }
