"""Messages leave by a thread: whatever the broker does, nobody waits for it."""

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


def test_what_waits_for_the_broker_is_bounded(hanging, monkeypatch):
    let_go, taken = hanging
    sender = sending._Sender()
    monkeypatch.setattr(sending, "_sender", sender)

    for _ in range(sending.LIMIT + 50):
        sending.send(tasks.sweep)
    let_go.set()

    assert sending.flush(30)
    assert sending.LIMIT <= len(taken) <= sending.LIMIT + 1
