"""The app's share of a site's Celery: periodic tasks and a queue, and nothing global."""

import pytest
from celery import Celery

from mozillians_basket import dispatch, tasks
from mozillians_basket.beat import add_periodic_tasks, basket_beat_schedule
from project.celery import app

OUR_TASKS = sorted(name for name in app.tasks if name.startswith("mozillians_basket."))


def test_beat_replaces_a_dead_connection_though_the_site_does_not_try_again_to_send():
    assert app.conf.task_publish_retry is False
    assert all(entry["options"]["retry"] for entry in basket_beat_schedule().values())


def test_an_expired_task_of_beat_s_is_not_written_to_the_database_by_the_worker_s_main_thread():
    names = {entry["task"] for entry in basket_beat_schedule().values()}

    assert names
    for name in names:
        task = getattr(tasks, name.rpartition(".")[2])
        assert task.ignore_result
        assert not task.store_errors_even_if_ignored


@pytest.fixture
def site_app():
    """A site's own Celery app."""
    own = Celery("own", set_as_current=False)
    own.conf.beat_schedule = {"own": {"task": "own.task", "schedule": 7.0}}
    yield own
    app.set_current()


def test_periodic_tasks_are_added_to_the_site_s_own(site_app):
    add_periodic_tasks(site_app, sweep_every=2.0)

    schedule = site_app.conf.beat_schedule
    assert set(schedule) == {"own", *basket_beat_schedule()}
    assert schedule["mozillians_basket.sweep"]["schedule"] == 2.0
    for name, entry in basket_beat_schedule(sweep_every=2.0).items():
        assert entry.items() <= schedule[name].items()


def test_late_acknowledgement_is_set_for_the_app_s_own_tasks_only(site_app):
    @site_app.task
    def own():
        """Do nothing."""

    assert site_app.conf.task_acks_late is False
    assert not own.acks_late
    assert OUR_TASKS
    for name in OUR_TASKS:
        task = site_app.tasks[name]
        is_announcement = name == dispatch.ANNOUNCE
        assert task.acks_late is not is_announcement
        assert task.reject_on_worker_lost


@pytest.mark.parametrize("queue", ["newsletters", ""])
def test_all_tasks_go_to_the_queue_of_the_setting(broker, settings, queue):
    settings.BASKET_QUEUE = queue

    for entry in basket_beat_schedule().values():
        getattr(tasks, entry["task"].rpartition(".")[2]).apply_async()
    tasks.subscribe_user_to_basket.delay(1, ["mozilla-phone"])
    tasks.subscribe_users_task.s("a lease", last=True).apply_async()
    for name in (dispatch.LOOKUP, dispatch.SWEEP):
        dispatch.send(name)

    assert len(broker.messages) == len(basket_beat_schedule()) + 4
    assert set(broker.queues) == {queue or "celery"}
