"""The broker dies, hangs, loses messages, or delivers them twice: all changes still arrive."""

import time
from typing import Any

import pytest

from mozillians_basket import dispatch, sync, tasks
from mozillians_basket.ledger import touches
from mozillians_basket.models import Touch
from mozillians_basket.sandbox.testing import SandboxServer
from project.celery import app
from project.processes import Beat, Worker
from tests.factories import VouchFactory
from tests.services.conftest import StartBeat, StartWorker
from tests.services.servers import Broker
from tests.services.site import calls_about, member, members, newsletters_of, settle, vouch

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

#: Seconds that this process waits for a broker that hangs. A request that waited too would take
#: as long, which no load of the machine explains.
GIVES_UP_AFTER = 30.0


@pytest.fixture
def patient_sender(settings: Any) -> None:
    settings.BROKER_TIMEOUT = GIVES_UP_AFTER


@pytest.mark.usefixtures("patient_sender")
def test_a_vouch_while_the_broker_is_down_is_saved_at_once_and_sent_when_it_is_back(
    worker: Worker,
    start_worker: StartWorker,
    beat: Beat,
    broker: Broker,
    basket: SandboxServer,
) -> None:
    profile = member()
    settle()
    broker.kill()

    began = time.monotonic()
    VouchFactory.create(vouchee=profile)
    took = time.monotonic() - began
    touched = Touch.objects.count()
    broker.start()
    # A worker with messages of a Redis that is gone may end; a supervisor starts the next one.
    start_worker()
    settle()

    assert touched
    assert took < GIVES_UP_AFTER / 2
    assert newsletters_of(basket, profile) == {"mozilla-phone"}


@pytest.mark.usefixtures("patient_sender")
def test_a_broker_that_hangs_holds_no_request(
    worker: Worker, beat: Beat, broker: Broker, basket: SandboxServer
) -> None:
    first, second, third = members(3)
    settle()
    vouch(first)  # so that there is a connection, which still looks sound later
    settle()
    broker.pause()

    began = time.monotonic()
    vouch(second)
    with_connection = time.monotonic() - began
    began = time.monotonic()
    vouch(third)
    right_after = time.monotonic() - began
    broker.resume()
    settle()

    assert with_connection < GIVES_UP_AFTER / 2
    assert right_after < GIVES_UP_AFTER / 2
    assert all(newsletters_of(basket, each) == {"mozilla-phone"} for each in (first, second, third))


def test_a_broker_that_goes_down_mid_run_delays_what_was_under_way(
    worker: Worker,
    start_worker: StartWorker,
    beat: Beat,
    broker: Broker,
    basket: SandboxServer,
) -> None:
    profiles = members(20)
    basket.latency = 0.5
    for profile in profiles:
        vouch(profile)
    before = len(basket.people)

    broker.restart()
    basket.latency = 0.1
    # A worker with messages of a Redis that is gone may end; a supervisor starts the next one.
    start_worker()
    settle(120)

    assert before < len(profiles), "the run was over before the broker went down"
    assert all(newsletters_of(basket, each) == {"mozilla-phone"} for each in profiles)


def test_the_sweeper_goes_on_after_the_broker_was_away(
    worker: Worker,
    start_worker: StartWorker,
    beat: Beat,
    broker: Broker,
    basket: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = member()
    settle()

    broker.kill()
    broker.start()
    # A worker with messages of a Redis that is gone may end; a supervisor starts the next one.
    start_worker()
    monkeypatch.setattr(dispatch, "LIMIT", 0)  # from here on, this process sends nothing
    vouch(profile)
    settle()

    assert newsletters_of(basket, profile) == {"mozilla-phone"}


def test_messages_that_were_purged_are_not_needed(
    site: dict[str, str],
    start_worker: StartWorker,
    start_beat: StartBeat,
    basket: SandboxServer,
) -> None:
    profile = member()
    vouch(profile)
    dispatch.flush(10)

    purged = app.control.purge()
    start_worker()
    start_beat()
    settle()

    assert purged
    assert newsletters_of(basket, profile) == {"mozilla-phone"}


@pytest.mark.usefixtures("patient")
def test_a_message_that_comes_twice_subscribes_once(
    start_worker: StartWorker, broker: Broker, basket: SandboxServer
) -> None:
    profile = member()
    vouch(profile)
    oldest = Touch.objects.values_list("pk", flat=True)[0]

    for _ in range(3):
        dispatch.send(dispatch.LOOKUP, oldest)
        dispatch.flush(10)  # otherwise the messages would be joined
    start_worker()
    start_worker()
    settle()

    assert newsletters_of(basket, profile) == {"mozilla-phone"}
    assert calls_about(basket, profile) == ["lookup", "subscribe"]


@pytest.mark.usefixtures("patient")
def test_a_step_that_is_delivered_twice_is_carried_out_once(
    start_worker: StartWorker, broker: Broker, basket: SandboxServer
) -> None:
    profile = member()
    vouch(profile)
    dispatch.flush(10)
    app.control.purge()
    touches.drain()
    outcome = sync.look_up()

    for _ in range(3):
        tasks.subscribe_users_task.delay(outcome.lease, last=True)
    start_worker()
    start_worker()
    settle()

    assert newsletters_of(basket, profile) == {"mozilla-phone"}
    assert calls_about(basket, profile) == ["lookup", "subscribe"]
