"""Several workers, or workers that are killed or stopped: each change is made, and only once."""

import time
from collections import Counter
from functools import partial

import pytest

from mozillians_basket import dispatch
from mozillians_basket.models import Contact
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Beat, wait_until
from tests.services.conftest import StartBeat, StartWorker
from tests.services.moments import ANSWER_AFTER, PATIENT, has_struck
from tests.services.servers import Broker
from tests.services.site import calls_about, member, members, newsletters_of, settle, vouch

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("step", ["lookup", "subscribe"])
def test_a_second_worker_takes_over_when_the_first_is_killed_during_a_call(
    step: str,
    site: dict[str, str],
    start_worker: StartWorker,
    beat: Beat,
    broker: Broker,
    basket: SandboxServer,
) -> None:
    site |= PATIENT
    first = start_worker()
    profile = member()
    slow = basket.fail(step, kind="delay", seconds=ANSWER_AFTER, times=1)
    vouch(profile)
    wait_until(lambda: has_struck(basket, slow), timeout=60, what=step)

    first.kill()
    left = Contact.objects.get(email=profile.user.email).leased_until
    start_worker()
    settle()

    assert left is not None, "the chain was over before the worker was killed"
    assert newsletters_of(basket, profile) == {"mozilla-phone"}


def test_many_chains_outlive_the_workers_that_ran_them(
    start_worker: StartWorker, beat: Beat, broker: Broker, basket: SandboxServer
) -> None:
    profiles = members(40)
    basket.latency = 0.05
    worker = start_worker()
    for profile in profiles:
        vouch(profile)

    def at_least(share: int) -> bool:
        return len(basket.people) >= share

    for share in (5, 15, 25):
        wait_until(partial(at_least, share), timeout=60, what=f"{share} people")
        worker.kill()
        worker = start_worker()
    settle(120)

    assert all(newsletters_of(basket, each) == {"mozilla-phone"} for each in profiles)


@pytest.mark.usefixtures("patient")
def test_a_worker_that_is_told_to_stop_finishes_its_calls(
    start_worker: StartWorker, beat: Beat, broker: Broker, basket: SandboxServer
) -> None:
    worker = start_worker()
    profile = member()
    basket.latency = 1.0
    vouch(profile)
    wait_until(lambda: calls_about(basket, profile), timeout=60, what="a call")

    worker.terminate()
    start_worker()
    settle()

    assert newsletters_of(basket, profile) == {"mozilla-phone"}
    assert calls_about(basket, profile) == ["lookup", "subscribe"]


@pytest.mark.usefixtures("patient")
def test_two_workers_and_two_sweepers_subscribe_each_member_once(
    start_worker: StartWorker, start_beat: StartBeat, broker: Broker, basket: SandboxServer
) -> None:
    profiles = members(200)
    for profile in profiles:
        vouch(profile)

    start_beat()
    start_beat()
    for worker in [start_worker(wait=False) for _ in range(2)]:
        worker.wait_ready()
    for _ in range(20):
        dispatch.send(dispatch.SWEEP)
        time.sleep(0.05)
    settle(120)

    assert all(newsletters_of(basket, each) == {"mozilla-phone"} for each in profiles)
    subscribed = Counter(each.email for each in basket.requests if each.endpoint == "subscribe")
    assert subscribed == Counter(profile.user.email for profile in profiles)
