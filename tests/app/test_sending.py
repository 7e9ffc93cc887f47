"""Messages leave by a thread: whatever the broker does, nobody waits for it."""

import time
from threading import Event

import pytest

from mozillians_basket import sending, tasks
from mozillians_basket.models import Touch
from project.celery import app
from tests.factories import UserProfileFactory, VouchFactory


@pytest.fixture
def hanging(monkeypatch):
    """A broker that takes the first message and does not answer until it is told to."""
    let_go, taken = Event(), []

    def hang(*args, **kwargs):
        taken.append(args)
        let_go.wait(30)

    monkeypatch.setattr(sending, "_quiet_until", 0.0)
    monkeypatch.setattr(app.amqp, "send_task_message", hang)
    yield let_go, taken
    let_go.set()
    assert sending.flush(30)


def test_a_save_does_not_wait_for_a_broker_that_hangs(db, hanging, commit):
    let_go, taken = hanging

    with commit():
        VouchFactory(vouchee=UserProfileFactory())

    assert not sending.flush(0)  # the save is through, the message is not
    assert Touch.objects.exists()
    let_go.set()
    assert sending.flush(30)
    assert taken


def keys_of(message):
    """What a message to the broker names."""
    _producer, _name, task_message = message
    ((keys,), *_rest) = task_message.body
    return keys


def test_what_waits_for_the_broker_is_bounded(hanging, monkeypatch):
    let_go, taken = hanging
    sender = sending._Sender()
    monkeypatch.setattr(sending, "_sender", sender)
    sending.send(tasks.sync_touched, [0])
    while not taken:
        time.sleep(0.01)

    for number in range(1, sending.LIMIT + 50):
        sending.send(tasks.sync_touched, [number])
    let_go.set()

    assert sending.flush(30)
    kept = [key for message in taken for key in keys_of(message)]
    assert kept == list(range(sending.LIMIT + 1))


def test_what_many_transactions_lead_to_is_few_messages(hanging, settings):
    let_go, taken = hanging
    settings.BASKET_HINT_SIZE = 4
    sending.send(tasks.sync_touched, [0])
    while not taken:
        time.sleep(0.01)

    for number in range(1, 7):
        sending.send(tasks.sync_touched, [number])
    let_go.set()

    assert sending.flush(30)
    assert [keys_of(message) for message in taken] == [[0], [1, 2, 3, 4], [5, 6]]


def test_messages_are_joined_by_task_and_said_once():
    joined = sending.joined(
        [
            (tasks.sweep, ()),
            (tasks.sync_touched, ([1, 2],)),
            (tasks.sync_contacts, ([7],)),
            (tasks.sweep, ()),
            (tasks.sync_touched, ([3],)),
        ]
    )

    assert joined == [
        (tasks.sweep, ()),
        (tasks.sync_touched, ([1, 2, 3],)),
        (tasks.sync_contacts, ([7],)),
    ]
