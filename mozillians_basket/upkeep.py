"""Celery tasks beside the way of a change: counting, deleting the old, released brakes."""

from celery import shared_task

from mozillians_basket import letting_go, releases, retention, tallies
from mozillians_basket.periodic import PeriodicTask
from mozillians_basket.releases import Brake
from mozillians_basket.switch import switch_is_on

#: For how long a message about a release is worth something: each sweep sends another.
WAKE_SECONDS = 60


@shared_task(name="mozillians_basket.tasks.tally", base=PeriodicTask, ignore_result=True)
def tally() -> None:
    """Count the events of the hours that are over, for the overview's charts."""
    tallies.fill()


@shared_task(name="mozillians_basket.tasks.prune", base=PeriodicTask, ignore_result=True)
def prune() -> None:
    """Delete what is older than ``BASKET_HISTORY_DAYS``; a part of it, if it is very much."""
    before = retention.horizon()
    if before is not None:
        retention.prune(before)


@shared_task(
    name="mozillians_basket.tasks.carry_out_release", base=PeriodicTask, ignore_result=True
)
def carry_out_release(brake: str) -> None:
    """Do what an admin has released, in its own time: the sweeper must not wait for it."""
    if switch_is_on():
        letting_go.carry_out(Brake(brake))


def wake_releases() -> None:
    """Have released brakes seen to, also those whose message or worker was lost."""
    for brake in releases.waiting():
        carry_out_release.apply_async((str(brake),), expires=WAKE_SECONDS)
