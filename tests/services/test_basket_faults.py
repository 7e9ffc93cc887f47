"""Basket fails in each of its ways: its contents are right in the end, and nobody opted out."""

import json
import time
from pathlib import Path

import pytest

from mozillians_basket.models import Contact, Event, Problem, Status
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Beat, Worker, wait_until
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory
from tests.services.conftest import StartWorker
from tests.services.moments import ANSWER_AFTER, PATIENT, has_struck
from tests.services.people import NDA, PHONE
from tests.services.site import assert_all_is_well, settle
from tests.services.test_killed_workers import NEW, OLD, member, move

pytestmark = [
    pytest.mark.services,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
]

CALLS = ("lookup", "subscribe", "unsubscribe")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "drop"}, id="applied but not answered"),
        pytest.param({"kind": "hang", "seconds": 4}, id="hanging"),
        pytest.param({"kind": "delay", "seconds": 4}, id="applied long after the caller gave up"),
        pytest.param({"kind": "malformed"}, id="applied but answered in pieces"),
    ],
)
def test_a_change_of_address_gets_through_when_each_call_fails_once(
    fault: dict[str, object], worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    profile = member()
    settle()
    faults = [basket.fail(call, times=1, **fault) for call in CALLS]

    move(profile)

    assert_all_is_well(basket, {NEW: {PHONE, NDA}})
    assert all(has_struck(basket, each) for each in faults)


def test_a_removal_that_is_carried_out_after_a_newer_subscribe_is_made_good(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    profile = member()
    settle()
    basket.fail("unsubscribe", kind="ignore", times=1)

    profile.memberships.all().delete()
    wait_until(
        Event.objects.filter(kind=Event.Kind.UNSUBSCRIBED).exists, timeout=60, what="the removal"
    )
    MembershipFactory.create(profile=profile, group=GroupFactory.create(slug="nda"))
    time.sleep(0.5)
    basket.put_person(OLD, remove=[NDA])

    assert_all_is_well(basket, {OLD: {PHONE, NDA}})


def test_a_subscribe_that_is_carried_out_after_the_member_lost_it_is_taken_back(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    profile = UserProfileFactory.create(user__email=OLD)
    late = basket.fail("subscribe", kind="delay", seconds=6, times=1)

    VouchFactory.create(vouchee=profile, voucher=None)
    wait_until(lambda: has_struck(basket, late), timeout=60, what="the subscribe")
    profile.vouches_received.all().delete()
    wait_until(lambda: OLD in basket.people, timeout=60, what="the late subscribe")

    assert_all_is_well(basket, {OLD: set()})


def test_a_worker_that_comes_back_after_its_lease_ran_out_writes_nothing(
    site: dict[str, str], start_worker: StartWorker, beat: Beat, basket: SandboxServer
) -> None:
    site |= PATIENT
    slow = start_worker()
    profile = UserProfileFactory.create(user__email=OLD)
    subscribe = basket.fail("subscribe", kind="delay", seconds=ANSWER_AFTER, times=1)

    VouchFactory.create(vouchee=profile, voucher=None)
    wait_until(lambda: has_struck(basket, subscribe), timeout=60, what="the subscribe")
    slow.pause()
    profile.vouches_received.all().delete()
    unsubscribe = basket.fail("unsubscribe", kind="delay", seconds=ANSWER_AFTER, times=1)
    start_worker()
    wait_until(lambda: has_struck(basket, unsubscribe), timeout=60, what="the other worker's call")
    slow.resume()

    assert_all_is_well(basket, {OLD: set()})
    assert list(Event.objects.values_list("kind", flat=True)) == [Event.Kind.UNSUBSCRIBED]


def test_change_during_maintenance_is_carried_when_it_is_over(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    stays = member()
    leaves = member("leaves@example.com")
    settle()
    basket.maintenance = True

    leaves.memberships.all().delete()
    move(stays)
    wait_until(
        Contact.objects.filter(problem=Problem.UNAVAILABLE).exists,
        timeout=60,
        what="the maintenance",
    )
    basket.maintenance = False

    assert_all_is_well(basket, {NEW: {PHONE, NDA}, "leaves@example.com": {PHONE}})


def test_a_wrong_key_stops_everything_and_loses_nothing(
    site: dict[str, str], start_worker: StartWorker, beat: Beat, basket: SandboxServer
) -> None:
    right = site["BASKET_API_KEY"]
    site["BASKET_API_KEY"] = "wrong"
    worker = start_worker()
    profiles = [VouchFactory.create(voucher=None).vouchee for _ in range(30)]
    stopped = Status.objects.filter(opened_at__isnull=False, reason=Problem.MISCONFIGURED)
    wait_until(stopped.exists, timeout=60, what="the breaker")
    time.sleep(1)  # the calls of the shares under way end
    asked = len(basket.requests)
    time.sleep(1)
    probes = len(basket.requests) - asked

    worker.kill()
    site["BASKET_API_KEY"] = right
    start_worker()

    assert_all_is_well(basket, {each.user.email: {PHONE} for each in profiles})
    assert asked <= len(profiles) + 10  # none was asked about twice, but for the probes
    assert probes < 10


def test_a_newsletter_that_basket_does_not_know_pauses_alone_until_it_does(
    site: dict[str, str],
    start_worker: StartWorker,
    beat: Beat,
    basket: SandboxServer,
    tmp_path: Path,
) -> None:
    file = tmp_path / "newsletters.json"
    file.write_text(json.dumps({"newsletters": {PHONE: {"title": "Phone"}}}))
    with SandboxServer(newsletters=str(file), api_key=basket.api_key) as other:
        site["BASKET_URL"] = other.url
        start_worker()

        member()
        wait_until(lambda: Status.read().unknown, timeout=60, what="the pause")
        wait_until(lambda: OLD in other.people, timeout=60, what="the other newsletter")
        meanwhile = set(other.people[OLD].newsletters)
        other.load_newsletters({NDA: {"title": "NDA"}})

        assert_all_is_well(other, {OLD: {PHONE, NDA}})
        assert meanwhile == {PHONE}
        assert not Status.objects.filter(opened_at__isnull=False).exists()
