"""PostgreSQL goes away and returns, and transactions collide or are rolled back."""

import pytest
from django.db import connection, transaction

from mozillians_basket.models import Contact, Subscription, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Beat, Worker, wait_until
from tests.factories import VouchFactory
from tests.services.conftest import StartBeat, StartWorker
from tests.services.moments import ANSWER_AFTER, PATIENT, has_struck, waiting_for_locks
from tests.services.people import PHONE
from tests.services.servers import Broker, PostgreSQL
from tests.services.site import (
    assert_all_is_well,
    calls_about,
    member,
    members,
    newsletters_of,
    settle,
    vouch,
)

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def deadlocks() -> int:
    """Return the number of deadlocks that the server has found in this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_postgresql_restarted_mid_run_costs_time_only(
    worker: Worker, beat: Beat, postgres: PostgreSQL, broker: Broker, basket: SandboxServer
) -> None:
    profiles = members(30)
    basket.latency = 0.5
    for profile in profiles:
        vouch(profile)
    wait_until(lambda: basket.people, timeout=60, what="the first call")
    before = len(basket.people)
    connection.close()

    postgres.restart()
    basket.latency = 0.1
    settle(120)

    assert before < len(profiles), "the run was over before PostgreSQL went down"
    assert all(newsletters_of(basket, each) == {"mozilla-phone"} for each in profiles)


def test_a_rolled_back_vouch_never_reaches_basket(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    never, later = members(2)

    with transaction.atomic():
        VouchFactory.create(vouchee=never)
        transaction.set_rollback(True)
    vouch(later)
    settle()

    assert set(basket.people) == {later.user.email}


def test_a_change_waits_for_its_commit_before_basket_hears_of_it(
    worker: Worker, beat: Beat, basket: SandboxServer
) -> None:
    profile = member()
    settle()

    with transaction.atomic():
        vouch(profile)
        hidden = Touch.objects.count()
        with pytest.raises(TimeoutError):
            wait_until(
                lambda: calls_about(basket, profile), timeout=2, what="a call before the commit"
            )
    settle()

    assert hidden == 1
    assert newsletters_of(basket, profile) == {"mozilla-phone"}


def test_a_step_that_is_the_victim_of_a_deadlock_is_carried_out_later(
    site: dict[str, str], start_worker: StartWorker, start_beat: StartBeat, basket: SandboxServer
) -> None:
    site |= PATIENT
    start_worker()
    start_beat()
    profile = member()
    settle()
    before = deadlocks()
    fault = basket.fail("subscribe", kind="delay", seconds=ANSWER_AFTER, times=1)
    vouch(profile)
    wait_until(lambda: has_struck(basket, fault), timeout=60, what="the subscribe")

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '60s'")  # so that the worker finds it
        list(Subscription.objects.select_for_update())
        wait_until(waiting_for_locks, timeout=60, what="the worker, with the contact locked")
        list(Contact.objects.select_for_update())

    wait_until(lambda: deadlocks() > before, timeout=60, what="the deadlock, in the statistics")
    assert_all_is_well(basket, {profile.user.email: {PHONE}})
