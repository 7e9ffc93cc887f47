"""Nothing is lost or doubled when workers die, and messages come twice, late or never."""

import pytest
from waffle.testutils import override_switch

from mozillians_basket import bulk, sync, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import queue
from mozillians_basket.models import BulkItem, BulkRequest, Contact
from project.celery import app
from project.groups.models import Membership
from tests.app.steps import (
    before_transaction,
    contact_of,
    drain_everything,
    expire_leases,
    held,
    opt_outs,
    run,
    settle_everything,
    syncing,
)
from tests.factories import GroupFactory, MembershipFactory, VouchFactory

MOVED = "moved@example.com"
THIRD = "third@example.com"
#: The steps in the sync of a move, and the transactions after the claim: one for the lookups,
#: then one before and one after each call.
STEPS, TRANSACTIONS = 3, 5
AT_TRANSACTION = [pytest.param(n, id=f"transaction {n}") for n in range(TRANSACTIONS)]
UP_TO = [pytest.param(number, id=f"{number} steps") for number in range(STEPS + 1)]


@pytest.fixture
def moving(basket, vouched):
    """A vouched member who has changed their address and joined the NDA group; no message came."""
    MembershipFactory(
        profile=vouched, group=GroupFactory(slug="nda"), status=Membership.Status.MEMBER
    )
    vouched.user.email = MOVED
    vouched.user.save()
    drain_everything()
    basket.clear_requests()
    return vouched


@pytest.fixture
def old(vouched):
    return vouched.user.email


def change_email(profile, email):
    profile.user.email = email
    profile.user.save()
    drain_everything()


@pytest.mark.parametrize("number", UP_TO)
def test_a_worker_may_die_after_any_step(basket, old, moving, number):
    run(syncing(), number)

    expire_leases()
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}


@pytest.mark.parametrize("number", UP_TO)
def test_the_switch_may_go_off_after_any_step(basket, old, moving, number):
    worker = syncing()
    run(worker, number)
    basket.clear_requests()

    with override_switch(SWITCH, active=False):
        run(worker)
        expire_leases()
        tasks.sweep()
        while_off = basket.requests
    settle_everything()

    assert while_off == []
    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}


@pytest.mark.parametrize("number", UP_TO)
def test_a_member_may_be_unvouched_after_any_step(basket, old, moving, number):
    worker = syncing()
    run(worker, number)
    moving.vouches_received.all().delete()
    drain_everything()

    run(worker)
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozillians-nda"}}


@pytest.mark.parametrize("number", UP_TO)
@pytest.mark.parametrize("back", [True, False], ids=["back", "third"])
def test_the_address_may_change_again_after_any_step(basket, old, moving, number, back):
    last = old if back else THIRD
    worker = syncing()
    run(worker, number)
    change_email(moving, last)

    run(worker)
    settle_everything()

    assert held(basket, last) == {last: {"mozilla-phone", "mozillians-nda"}}
    assert {email for email, person in basket.people.items() if person.newsletters} == {last}
    assert opt_outs() == []


@pytest.mark.parametrize("number", UP_TO)
def test_a_member_may_be_deleted_after_any_step(basket, old, moving, number):
    worker = syncing()
    run(worker, number)
    moving.user.delete()
    drain_everything()

    run(worker)
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: set()}


@pytest.mark.parametrize("number", UP_TO)
def test_a_first_vouch_may_be_overtaken_by_its_end_after_any_step(basket, commit, number):
    profile = VouchFactory().vouchee
    drain_everything()
    worker = syncing()
    run(worker, number)
    profile.vouches_received.all().delete()
    drain_everything()

    run(worker)
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: set()}


def test_a_step_delivered_twice_is_done_once(basket, moving):
    outcome = sync.look_up()

    tasks.subscribe_users_task.delay(outcome.lease, last=False)
    tasks.subscribe_users_task.delay(outcome.lease, last=False)

    calls = [request.endpoint for request in basket.requests]
    assert calls.count("subscribe") == 1


@pytest.mark.parametrize("call", ["subscribe", "unsubscribe"])
def test_a_step_delivered_again_during_its_call_does_nothing(
    basket, old, moving, monkeypatch, call
):
    outcome, leases, original = sync.look_up(), [], getattr(sync.calls, call)

    def delivered_again(*args):
        monkeypatch.setattr(sync.calls, call, original)
        sync.make_calls(sync.Step(call), leases[-1], last=call == "unsubscribe")
        return original(*args)

    monkeypatch.setattr(sync.calls, call, delivered_again)
    leases.append(outcome.lease)
    leases.append(sync.make_calls(sync.Step.SUBSCRIBE, outcome.lease, last=False).lease)
    sync.make_calls(sync.Step.UNSUBSCRIBE, leases[-1], last=True)

    requests = [request.endpoint for request in basket.requests]
    assert requests == ["lookup", "lookup", "subscribe", "unsubscribe"]
    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}
    assert contact_of(moving).token
    assert contact_of(moving).touched_at is None


def test_a_first_step_delivered_twice_is_one_sync(basket, moving):
    tasks.lookup_users_task.delay()
    tasks.lookup_users_task.delay()

    calls = [request.endpoint for request in basket.requests]
    assert calls == ["lookup", "lookup", "subscribe", "unsubscribe"]


def test_the_last_step_before_the_others_takes_nothing_away(basket, moving):
    lease, *_others = queue.claim(10)

    tasks.unsubscribe_users_task.delay(lease)

    calls = [request.endpoint for request in basket.requests if request.method == "POST"]
    assert calls == ["subscribe", "unsubscribe"]


def test_a_worker_that_lost_its_lease_calls_nobody_and_writes_nothing(basket, moving):
    lost = sync.look_up()
    expire_leases()
    leases = {queue.claim(10)[0]}
    basket.clear_requests()

    sync.make_calls(sync.Step.SUBSCRIBE, lost.lease, last=False)
    sync.make_calls(sync.Step.UNSUBSCRIBE, lost.lease, last=True)

    assert basket.requests == []
    assert set(Contact.objects.exclude(lease="").values_list("lease", flat=True)) == leases


class Killed(BaseException):
    """An error that no code of the app catches."""


def kill():
    raise Killed


@pytest.mark.parametrize("number", AT_TRANSACTION)
def test_a_worker_may_die_before_any_transaction(basket, old, moving, monkeypatch, number):
    with monkeypatch.context() as patch:
        before_transaction(patch, number, kill)
        with pytest.raises(Killed):
            run(syncing())

    expire_leases()
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}
    assert opt_outs() == []


@pytest.mark.parametrize("number", AT_TRANSACTION)
def test_a_member_may_be_unvouched_before_any_transaction(basket, old, moving, monkeypatch, number):
    def unvouch():
        moving.vouches_received.all().delete()
        drain_everything()

    with monkeypatch.context() as patch:
        before_transaction(patch, number, unvouch)
        run(syncing())

    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozillians-nda"}}


@pytest.mark.parametrize("number", AT_TRANSACTION)
def test_the_address_may_change_again_before_any_transaction(
    basket, old, moving, monkeypatch, number
):
    with monkeypatch.context() as patch:
        before_transaction(patch, number, lambda: change_email(moving, THIRD))
        run(syncing())

    settle_everything()

    assert {email for email, person in basket.people.items() if person.newsletters} == {THIRD}
    assert opt_outs() == []


def test_a_bulk_request_during_the_last_call_is_carried_too(
    basket, vouched, monkeypatch, admin_user
):
    def order():
        request = bulk.draft(BulkRequest.Action.SUBSCRIBE, [vouched.pk], actor=admin_user)
        bulk.confirm(request, ["mozillians-nda"])
        bulk.advance()

    vouched.vouches_received.all().delete()
    drain_everything()
    with monkeypatch.context() as patch:
        before_transaction(patch, 2, order)  # the last: after the unsubscribe
        run(syncing())

    settle_everything()

    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozillians-nda"}}
    assert BulkItem.objects.get().state == BulkItem.State.DONE


def test_a_contact_that_breaks_its_share_is_parked_and_the_others_go_on(
    basket, vouched, commit, monkeypatch, settings
):
    settings.BASKET_MAX_ATTEMPTS = 3
    # As in a worker: an error ends its own task, not the one that sent it.
    app.conf.update(task_eager_propagates=False)
    others = [VouchFactory().vouchee for _ in range(3)]
    vouched.vouches_received.all().delete()
    drain_everything()
    poison, read = contact_of(vouched).pk, sync.locked_share

    def broken(*arguments, **options):
        rows, ids = read(*arguments, **options)
        if poison in ids:
            raise ZeroDivisionError("somebody@example.com")
        return rows, ids

    monkeypatch.setattr(sync, "locked_share", broken)
    for _ in range(6):
        Contact.objects.update(not_before=None)
        tasks.lookup_users_task.apply()

    assert contact_of(vouched).parked
    assert contact_of(vouched).problem == "unexpected"
    for other in others:
        assert held(basket, other.user.email) == {other.user.email: {"mozilla-phone"}}
