"""A worker dies at an exact moment of a chain: another worker finishes the chain correctly."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from django.db import transaction

from mozillians_basket import bulk
from mozillians_basket.models import BulkItem, BulkRequest, Contact
from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import UserProfile
from project.processes import Beat, Worker, wait_until
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory
from tests.services.conftest import ON_RABBITMQ, StartWorker
from tests.services.moments import (
    PATIENT,
    Moment,
    half_written,
    has_struck,
    unanswered,
    unwritten,
)
from tests.services.people import NDA, PHONE
from tests.services.site import assert_all_is_well, settle

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

on_redis = pytest.mark.parametrize("broker", ["redis"], indirect=True)

StartBeat = Callable[[], Beat]

OLD, NEW = "old@example.com", "new@example.com"


@pytest.fixture
def site(site: dict[str, str]) -> dict[str, str]:
    return {**site, **PATIENT}


MOMENTS = [
    pytest.param(unanswered("lookup"), id="before the lookup is answered"),
    pytest.param(unwritten("lookup"), id="before the lookup is written down"),
    pytest.param(unanswered("subscribe"), id="after the lookup"),
    pytest.param(unwritten("subscribe"), id="before the subscribe is written down"),
    pytest.param(unanswered("unsubscribe"), id="between the two halves"),
    pytest.param(unwritten("unsubscribe"), id="before the unsubscribe is written down"),
    pytest.param(half_written("unsubscribe"), id="while it is written down and settled"),
]


def member(email: str = OLD) -> UserProfile:
    """Create a vouched member of the NDA group."""
    profile = UserProfileFactory.create(user__email=email)
    VouchFactory.create(vouchee=profile, voucher=None)
    MembershipFactory.create(profile=profile, group=GroupFactory.create(slug="nda"))
    return profile


def move(profile: UserProfile) -> None:
    profile.user.email = NEW
    profile.user.save()


@on_redis
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_may_be_killed_at_any_moment_of_a_change_of_address(
    moment: Moment, start_worker: StartWorker, start_beat: StartBeat, basket: SandboxServer
) -> None:
    profile = member()
    worker = start_worker()
    settle()

    with moment(basket, partial(move, profile)):
        assert Contact.objects.filter(leased_until__isnull=False).exists()
        worker.kill()
    start_beat()
    start_worker()

    assert_all_is_well(basket, {NEW: {PHONE, NDA}})
    assert [contact.email for contact in Contact.objects.all()] == [NEW]


@pytest.mark.parametrize("broker", ["redis", ON_RABBITMQ], indirect=True)
def test_call_of_a_killed_worker_is_undone_if_it_is_no_longer_wanted(
    start_worker: StartWorker, start_beat: StartBeat, basket: SandboxServer
) -> None:
    profile = UserProfileFactory.create(user__email=NEW)
    worker = start_worker()

    with unwritten("subscribe")(
        basket, partial(VouchFactory.create, vouchee=profile, voucher=None)
    ):
        worker.kill()
        applied = set(basket.people[NEW].newsletters)
    profile.vouches_received.all().delete()
    start_beat()
    start_worker()

    assert applied == {PHONE}
    assert_all_is_well(basket, {NEW: set()})


@on_redis
def test_a_member_may_be_deleted_after_a_worker_was_killed_between_the_two_halves(
    start_worker: StartWorker, start_beat: StartBeat, basket: SandboxServer
) -> None:
    profile = member()
    worker = start_worker()
    settle()

    with unanswered("unsubscribe")(basket, partial(move, profile)):
        worker.kill()
        both = {email for email, person in basket.people.items() if person.newsletters}
    profile.user.delete()
    start_beat()
    start_worker()

    assert both == {OLD, NEW}
    assert_all_is_well(basket, {})
    assert not Contact.objects.filter(email__in=[OLD, NEW]).exists()


class Died(Exception):
    """Stands for the end of a process during a request."""


def die() -> None:
    raise Died


@on_redis
def test_a_vouch_is_not_lost_when_the_request_s_process_dies_right_after_the_commit(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    profile = UserProfileFactory.create(user__email=OLD)
    settle()

    with suppress(Died), transaction.atomic():
        transaction.on_commit(die)  # before anything else after the commit
        VouchFactory.create(vouchee=profile, voucher=None)
    saved = profile.vouches_received.exists()

    assert saved
    assert_all_is_well(basket, {OLD: {PHONE}})


@on_redis
def test_a_removal_that_a_killed_worker_had_sent_is_no_opt_out(
    start_worker: StartWorker, start_beat: StartBeat, basket: SandboxServer
) -> None:
    profile = member()
    worker = start_worker()
    settle()

    with unwritten("unsubscribe")(basket, profile.memberships.all().delete):
        worker.kill()
        left = set(basket.people[OLD].newsletters)
    MembershipFactory.create(profile=profile, group=GroupFactory.create(slug="nda"))
    start_beat()
    start_worker()

    assert left == {PHONE}
    assert_all_is_well(basket, {OLD: {PHONE, NDA}})


@on_redis
def test_a_bulk_run_outlives_its_workers(
    start_worker: StartWorker, beat: Beat, basket: SandboxServer
) -> None:
    profiles = UserProfileFactory.create_batch(200)
    emails = [profile.user.email for profile in profiles]
    for email in emails[:3]:
        basket.put_person(email, newsletters=[], optout=True)
    basket.latency = 0.02
    worker = start_worker()

    keys = [profile.pk for profile in profiles]
    request = bulk.draft(BulkRequest.Action.SUBSCRIBE, keys, actor=None)
    bulk.confirm(request, [PHONE, NDA])
    for share in (40, 110):
        wait_until(lambda: len(basket.people) >= share, timeout=60, what=f"{share} people")  # noqa: B023
        worker.kill()
        still_to_go = BulkItem.objects.filter(state=BulkItem.State.PENDING).count()
        worker = start_worker()

    assert still_to_go
    assert_all_is_well(
        basket,
        {email: {PHONE, NDA} for email in emails[3:]},
        opted_out={(email, name) for email in emails[:3] for name in (PHONE, NDA)},
    )
    states = list(BulkItem.objects.values_list("state", flat=True))
    assert (states.count("done"), states.count("skipped"), len(states)) == (197, 3, 200)
    # The sweep after the last order's end closes it.
    finished = BulkRequest.objects.filter(pk=request.pk, state=BulkRequest.State.FINISHED)
    wait_until(finished.exists, timeout=60, what="the end of the request")


@on_redis
@pytest.mark.usefixtures("patient")
def test_a_worker_that_is_told_to_stop_finishes_a_change_of_address(
    start_worker: StartWorker, start_beat: StartBeat, basket: SandboxServer
) -> None:
    profile = member()
    worker = start_worker()
    settle()
    basket.clear_requests()

    first_half = basket.fail("subscribe", kind="delay", seconds=1, times=1)
    move(profile)
    wait_until(lambda: has_struck(basket, first_half), timeout=60, what="the first half")
    worker.terminate()
    done = set(basket.people[NEW].newsletters)
    start_beat()
    start_worker()

    assert done == {PHONE, NDA}
    assert_all_is_well(basket, {NEW: {PHONE, NDA}})
    calls = [request.endpoint for request in basket.requests]
    assert calls.count("subscribe") == calls.count("unsubscribe") == 1
