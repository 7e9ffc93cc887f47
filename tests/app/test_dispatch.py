"""A thread sends messages: no request waits for the broker, in any state of it."""

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from celery import Celery, Task, current_app, signals
from django.db import transaction

from mozillians_basket import dispatch
from mozillians_basket.dispatch import LOOKUP, SWEEP
from tests.brokers import Broker, Commit


@pytest.fixture
def hanging(broker: Broker) -> Broker:
    """A broker that was given the touch 0 and does not answer until it is running."""
    broker.running.clear()
    dispatch.send(LOOKUP, 0)
    while not broker.asked:
        time.sleep(0.001)
    return broker


def test_message_names_task_and_arguments(broker: Broker) -> None:
    dispatch.send(LOOKUP, 1)

    assert broker.messages == [("lookup_users_task", 1)]


def test_sender_does_not_wait_for_hanging_broker(hanging: Broker) -> None:
    dispatch.send(SWEEP)

    assert not dispatch.flush(0)
    assert hanging.taken == []
    hanging.running.set()
    assert hanging.messages == [("lookup_users_task", 0), ("sweep",)]


def test_waiting_messages_are_bounded(hanging: Broker) -> None:
    for _ in range(dispatch.LIMIT + 50):
        dispatch.send(LOOKUP)
    hanging.running.set()

    assert len(hanging.messages) == 1 + dispatch.LIMIT


def test_touches_of_many_transactions_are_one_message_with_the_oldest(hanging: Broker) -> None:
    for oldest in (5, 3, 4):
        dispatch.send(LOOKUP, oldest)
    hanging.running.set()

    assert hanging.messages == [("lookup_users_task", 0), ("lookup_users_task", 3)]


def test_touches_wait_for_others_after_a_message_and_a_lookup_does_not(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "GATHER", 3600)
    dispatch.send(LOOKUP, 1)
    dispatch.send(LOOKUP)
    assert broker.messages == [("lookup_users_task", 1), ("lookup_users_task",)]

    dispatch.send(LOOKUP, 3)
    assert not dispatch.flush(0.2)
    dispatch.send(LOOKUP, 2)
    dispatch.send(LOOKUP)

    assert broker.messages[2:] == [("lookup_users_task", 2), ("lookup_users_task",)]


def test_equal_messages_of_one_moment_are_one(hanging: Broker) -> None:
    for _ in range(3):
        dispatch.send(SWEEP)
    hanging.running.set()

    assert hanging.messages[1:] == [("sweep",)]


def test_every_lookup_is_a_message_because_each_takes_a_share(hanging: Broker) -> None:
    for _ in range(3):
        dispatch.send(LOOKUP)
    hanging.running.set()

    assert hanging.messages[1:] == [("lookup_users_task",)] * 3


def test_broker_is_left_alone_for_a_while_after_a_failure(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.error = ConnectionRefusedError("amqp://user:secret@broker")

    for number in range(2):
        dispatch.send(LOOKUP, number)
        assert dispatch.flush(10)

    assert broker.asked == 1
    assert "ConnectionRefusedError" in caplog.text
    assert "secret" not in caplog.text


def test_broker_is_asked_again_after_the_pause(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "BROKER_PAUSE", 0.0)
    broker.error = ConnectionRefusedError()
    dispatch.send(LOOKUP, 1)
    assert dispatch.flush(10)
    broker.error = None

    dispatch.send(LOOKUP, 2)

    assert broker.messages == [("lookup_users_task", 2)]


def test_sending_does_not_fail_without_a_usable_configuration(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    Celery("broken", config_source="tests.core.no_such_module").set_current()

    dispatch.send(SWEEP)

    assert "A message could not be sent" in caplog.text


@pytest.fixture
def eager_touches(broker: Broker) -> list[int]:
    """The arguments of the calls of the eager task ``lookup_users_task``; it fails for touch 0."""
    ran = []

    class Recorded(Task):  # type: ignore[type-arg]
        name = LOOKUP

        def run(self, oldest: int) -> None:
            ran.append(oldest)
            assert oldest != 0

    current_app.conf.update(task_always_eager=True, task_eager_propagates=True)
    current_app.tasks.pop(LOOKUP, None)
    current_app.register_task(Recorded())
    return ran


def test_eager_task_runs_at_once(broker: Broker, eager_touches: list[int]) -> None:
    dispatch.send(LOOKUP, 1)

    assert eager_touches == [1]
    assert broker.messages == []


@pytest.mark.django_db
def test_touches_of_one_transaction_are_one_eager_task(
    eager_touches: list[int], commit: Commit
) -> None:
    with commit():
        for touch_id in (1, 2):
            dispatch.after_commit(touch_id)

    assert eager_touches == [1]


@pytest.mark.django_db
def test_error_of_an_eager_task_reaches_the_caller(
    eager_touches: list[int], commit: Commit
) -> None:
    with pytest.raises(AssertionError, match="0 != 0"), commit():
        dispatch.after_commit(0)


@pytest.mark.django_db
def test_touches_of_one_transaction_are_one_message(broker: Broker, commit: Commit) -> None:
    with commit():
        for touch_id in (3, 1, 2):
            dispatch.after_commit(touch_id)
        before = list(broker.messages)

    assert before == []
    assert broker.messages == [("lookup_users_task", 1)]


@pytest.mark.django_db
def test_error_after_the_commit_does_not_reach_the_caller(
    broker: Broker, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "LOOKUP", object())

    with commit():
        dispatch.after_commit(1)

    assert broker.messages == []


@pytest.mark.django_db(transaction=True)
def test_rolled_back_savepoint_takes_its_touches_along(broker: Broker) -> None:
    with transaction.atomic():
        with transaction.atomic():
            dispatch.after_commit(1)
            transaction.set_rollback(True)
        dispatch.after_commit(2)

    assert broker.messages == [("lookup_users_task", 2)]


@pytest.mark.django_db(transaction=True)
def test_rolled_back_transaction_leaves_nothing_to_the_next(broker: Broker) -> None:
    with transaction.atomic():
        dispatch.after_commit(1)
        transaction.set_rollback(True)

    with transaction.atomic():
        dispatch.after_commit(2)

    assert broker.messages == [("lookup_users_task", 2)]


@pytest.mark.django_db(transaction=True)
def test_touch_outside_of_a_transaction_is_sent_at_once(broker: Broker) -> None:
    dispatch.after_commit(1)

    assert broker.messages == [("lookup_users_task", 1)]


@pytest.mark.django_db(transaction=True)
def test_caller_who_commits_by_hand_is_not_disturbed(broker: Broker) -> None:
    transaction.set_autocommit(False)
    try:
        dispatch.after_commit(1)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    assert broker.messages == []


@pytest.mark.django_db
def test_sweeper_is_woken_after_commit(broker: Broker, commit: Commit) -> None:
    with commit():
        dispatch.wake_sweeper()
        before = list(broker.messages)

    assert before == []
    assert broker.messages == [("sweep",)]


def test_child_of_the_prefork_pool_sends_its_last_messages(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "LAST_WAIT", 30)
    dispatch.send(SWEEP)

    signals.worker_process_shutdown.send(sender=None, pid=1, exitcode=0)

    assert broker.taken == [("sweep",)]


PROCESS = """
import os, sys
import django
from celery import Celery

django.setup()
app = Celery("process", broker="filesystem://", fixups=[])
folders = dict.fromkeys(["data_folder_in", "data_folder_out", "control_folder"], sys.argv[1])
app.conf.broker_transport_options = folders

from mozillians_basket import dispatch

dispatch.LAST_WAIT = 30  # for a busy machine
dispatch.send(dispatch.LOOKUP, "parent")
if "fork" in sys.argv:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    else:
        dispatch.send(dispatch.LOOKUP, "child")
"""


def keys_after_a_process(folder: Path, *arguments: str) -> list[str]:
    """Run the process above to its end, and return the keys in its messages."""
    command = [sys.executable, "-W", "ignore", "-c", PROCESS, str(folder), *arguments]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "project.settings.test"}
    subprocess.run(command, check=True, timeout=60, env=environment)
    messages = [json.loads(path.read_bytes()) for path in folder.glob("*.msg")]
    bodies = [json.loads(base64.b64decode(message["body"])) for message in messages]
    return sorted(key for (key,), *_rest in bodies)


def test_process_that_ends_sends_its_last_messages(tmp_path: Path) -> None:
    assert keys_after_a_process(tmp_path) == ["parent"]


def test_forked_child_sends_its_own_messages_only(tmp_path: Path) -> None:
    assert keys_after_a_process(tmp_path, "fork") == ["child", "parent"]
