"""The schedule that the app gives to beat."""

from mozillians_basket import tasks
from mozillians_basket.beat import basket_beat_schedule
from project.celery import app


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
