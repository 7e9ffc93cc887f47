"""The periodic tasks, for a site to add to its own beat schedule."""

from typing import Any

from celery import Celery


def basket_beat_schedule(
    *,
    sweep_every: float = 5.0,
    reconcile_every: float = 3600.0,
    verify_every: float = 60.0,
    count_every: float = 600.0,
    prune_every: float = 24 * 3600.0,
) -> dict[str, dict[str, Any]]:
    """
    Entries for Celery's ``beat_schedule``.

    :param sweep_every: seconds between two sweeps. A sweep that no worker took by
        then expires, so that none pile up while no worker runs.
    :param reconcile_every: seconds between two comparisons of policies and ledger.
    :param verify_every: seconds between two verifications. Each looks up
        ``BASKET_VERIFY_PER_MINUTE`` contacts, so with another value than 60 the number
        of contacts a minute differs from the setting.
    :param count_every: seconds between two counts of the events for the overview's charts.
    :param prune_every: seconds between two deletions of what is older than
        ``BASKET_HISTORY_DAYS``.
    """
    every = {
        "sweep": sweep_every,
        "reconcile": reconcile_every,
        "verify": verify_every,
        "count_events": count_every,
        "prune": prune_every,
    }
    # Beat keeps one connection to the broker. Where a site turns ``task_publish_retry`` off for
    # its requests, beat would keep a dead connection for ever.
    return {
        f"mozillians_basket.{name}": {
            "task": f"mozillians_basket.tasks.{name}",
            "schedule": seconds,
            "options": {"expires": seconds, "retry": True},
        }
        for name, seconds in every.items()
    }


def add_periodic_tasks(app: Celery, **every: float) -> None:
    """
    Add the app's periodic tasks to those that beat starts for a site.

    Call it where the Celery app is made: it adds them once the configuration is read.

    :param every: as for :func:`basket_beat_schedule`.
    """
    for name, entry in basket_beat_schedule(**every).items():
        task = app.signature(entry["task"])
        app.add_periodic_task(entry["schedule"], task, name=name, **entry["options"])
