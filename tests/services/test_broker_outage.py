"""The broker dies in the middle of chains and returns empty: the chains begin again."""

import time

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import wait_until
from tests.factories import UserProfileFactory, VouchFactory
from tests.services.conftest import StartBeat, StartWorker
from tests.services.moments import ANSWER_AFTER, PATIENT, has_struck
from tests.services.people import NDA, PHONE
from tests.services.servers import Redis
from tests.services.site import assert_all_is_well, settle
from tests.services.test_killed_workers import NEW, OLD, member, move

pytestmark = [
    pytest.mark.services,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
]


def test_a_broker_that_is_gone_between_two_steps_and_comes_back_empty_costs_time_only(
    site: dict[str, str],
    start_worker: StartWorker,
    start_beat: StartBeat,
    broker: Redis,
    basket: SandboxServer,
) -> None:
    site |= PATIENT
    start_worker()
    start_beat()
    moving = member()
    others = UserProfileFactory.create_batch(20)
    settle()
    lookup = basket.fail("lookup", kind="delay", seconds=ANSWER_AFTER, times=1)

    move(moving)
    wait_until(lambda: has_struck(basket, lookup), timeout=60, what="the lookup")
    broker.kill()
    for profile in others:
        VouchFactory.create(vouchee=profile, voucher=None)
    time.sleep(ANSWER_AFTER + 1)
    between = set(basket.people)
    broker.start()
    # A worker with messages of a Redis that is gone may end; a supervisor starts the next one.
    start_worker()

    assert between == {OLD}
    expected = {profile.user.email: {PHONE} for profile in others}
    assert_all_is_well(basket, {NEW: {PHONE, NDA}, **expected})
