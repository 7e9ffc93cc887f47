"""A worker's threads keep their database connections, as long as these are good."""

from types import SimpleNamespace

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import ConnectionHandler

from mozillians_basket import connections, tasks
from project.celery import app


@pytest.fixture
def own(tmp_path, db):
    """A connection of this test's own."""
    file = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "own.sqlite3")}
    own = ConnectionHandler({"default": file})["default"]
    yield own
    own.close()


@pytest.fixture
def worker(own, monkeypatch):
    """What the site's worker does around each task, to this connection only."""
    (fixup,) = app._fixups
    worker = fixup.worker_fixup
    monkeypatch.setattr(worker, "_open", lambda: [own] if own.connection is not None else [])
    return worker


def run(worker, own, work=lambda: None):
    worker.on_task_prerun(tasks.sweep)
    own.ensure_connection()
    work()
    worker.on_task_postrun(tasks.sweep)


def test_the_site_s_worker_keeps_connections(worker):
    assert isinstance(worker, connections.KeptConnections)


def test_the_next_task_has_the_connection_of_the_last(worker, own):
    run(worker, own)
    before = own.connection

    run(worker, own)

    assert own.connection is before is not None


def test_one_that_has_rested_is_parted_with(worker, own, monkeypatch):
    run(worker, own)
    monkeypatch.setattr(connections, "RESTED", -1.0)

    worker.on_task_prerun(tasks.sweep)

    assert own.connection is None


def test_one_of_unknown_age_is_parted_with(worker, own):
    own.ensure_connection()

    worker.on_task_prerun(tasks.sweep)

    assert own.connection is None


def test_one_that_failed_is_parted_with(worker, own):
    run(worker, own)

    def fail():
        with pytest.raises(DatabaseError), own.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    run(worker, own, fail)

    assert own.connection is None


def test_a_task_that_runs_within_a_request_leaves_its_connection_alone(db):
    with transaction.atomic():
        tasks.sweep.apply()

        assert connection.connection is not None


@pytest.mark.parametrize("pool", ["celery.concurrency.gevent:TaskPool", "eventlet"])
def test_green_threads_which_end_with_their_task_keep_nothing(worker, own, monkeypatch, pool):
    monkeypatch.setattr(worker, "worker", SimpleNamespace(pool_cls=pool), raising=False)
    parted = []
    monkeypatch.setattr(worker, "close_database", lambda: parted.append(own))

    run(worker, own)

    assert parted == [own, own]  # before the task and after it, as Celery does
