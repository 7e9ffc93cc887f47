"""The periodic tasks, for a site to add to its own beat schedule."""

from typing import Any

from celery import Celery

#: Beat keeps one connection to the broker. Where a site turns ``task_publish_retry`` off for its
#: requests, beat would keep a dead connection for ever.
_SENDING = {"retry": True}


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
    return {
        "mozillians_basket.sweep": {
            "task": "mozillians_basket.tasks.sweep",
            "schedule": sweep_every,
            "options": {"expires": sweep_every, **_SENDING},
        },
        "mozillians_basket.reconcile": {
            "task": "mozillians_basket.tasks.reconcile",
            "schedule": reconcile_every,
            "options": {"expires": reconcile_every, **_SENDING},
        },
        "mozillians_basket.verify": {
            "task": "mozillians_basket.tasks.verify",
            "schedule": verify_every,
            "options": {"expires": verify_every, **_SENDING},
        },
        "mozillians_basket.count_events": {
            "task": "mozillians_basket.tasks.count_events",
            "schedule": count_every,
            "options": {"expires": count_every, **_SENDING},
        },
        "mozillians_basket.prune": {
            "task": "mozillians_basket.tasks.prune",
            "schedule": prune_every,
            "options": {"expires": prune_every, **_SENDING},
        },
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
