"""The broker dies in the middle of chains and comes back empty: they begin again."""

import time

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.factories import UserProfileFactory, VouchFactory
from tests.services.conftest import StartWorker
from tests.services.moments import has_struck
from tests.services.outcome import NDA, PHONE, assert_all_is_well
from tests.services.processes import wait_until
from tests.services.servers import Redis
from tests.services.site import settle
from tests.services.test_killed_workers import NEW, member, move
from tests.services.worker import Beat, Worker

pytestmark = [
    pytest.mark.services,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
]


@pytest.fixture
def site(site: dict[str, str]) -> dict[str, str]:
    return {**site, "BASKET_WAIT_FACTOR": "0.05"}


def test_a_broker_that_is_gone_between_two_steps_stops_only_what_has_not_begun(
    worker: Worker, start_worker: StartWorker, beat: Beat, broker: Redis, basket: SandboxServer
) -> None:
    moving = member()
    others = UserProfileFactory.create_batch(20)
    settle()
    lookup = basket.fail("lookup", kind="delay", seconds=1, times=1)

    move(moving)
    wait_until(lambda: has_struck(basket, lookup), timeout=20, what="the lookup")
    broker.kill()
    for profile in others:
        VouchFactory.create(vouchee=profile, voucher=None)
    wait_until(lambda: NEW in basket.people, timeout=20, what="the next step")
    time.sleep(1)
    between = set(basket.people)
    broker.start()
    # A worker that had messages of a Redis which is gone may end; a supervisor starts the next.
    start_worker()

    assert between.isdisjoint(profile.user.email for profile in others)
    expected = {profile.user.email: {PHONE} for profile in others}
    assert_all_is_well(basket, {NEW: {PHONE, NDA}, **expected})
