"""Nothing is lost or doubled when workers die, and messages come twice, late or never."""

import pytest
from waffle.testutils import override_switch

from mozillians_basket import ledger, sync, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import LeaseLost
from mozillians_basket.ledger import create_batch, work_off_batches
from mozillians_basket.models import BatchItem
from project.groups.models import Membership
from tests.app.steps import (
    before_write,
    claimed,
    contact_of,
    drain_everything,
    expire_leases,
    held,
    opt_outs,
    run,
    settle_everything,
)
from tests.factories import GroupFactory, MembershipFactory, VouchFactory

MOVED = "moved@example.com"
THIRD = "third@example.com"
STEPS = (sync.look_up, sync.subscribe, sync.unsubscribe)
#: How often a worker writes while it carries a move: after the lookups, then before and after
#: each call.
WRITES = 5
AT_WRITE = [pytest.param(number, id=f"write {number}") for number in range(WRITES)]
UP_TO = [pytest.param(number, id=f"{number} steps") for number in range(len(STEPS) + 1)]


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
    run(claimed(moving), *STEPS[:number])

    expire_leases()
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}


@pytest.mark.parametrize("number", UP_TO)
def test_the_switch_may_go_off_after_any_step(basket, old, moving, number):
    sheet = run(claimed(moving), *STEPS[:number])
    basket.clear_requests()

    with override_switch(SWITCH, active=False):
        for step in STEPS[number:]:
            with sync.guarded(sheet):
                step(sheet)
        expire_leases()
        tasks.sweep()
        while_off = basket.requests
    settle_everything()

    assert while_off == []
    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}


@pytest.mark.parametrize("number", UP_TO)
def test_a_member_may_be_unvouched_after_any_step(basket, old, moving, number):
    sheet = run(claimed(moving), *STEPS[:number])
    moving.vouches_received.all().delete()
    drain_everything()

    for step in STEPS[number:]:
        with sync.guarded(sheet):
            step(sheet)
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozillians-nda"}}


@pytest.mark.parametrize("number", UP_TO)
@pytest.mark.parametrize("back", [True, False], ids=["back", "third"])
def test_the_address_may_change_again_after_any_step(basket, old, moving, number, back):
    last = old if back else THIRD
    sheet = run(claimed(moving), *STEPS[:number])
    change_email(moving, last)

    for step in STEPS[number:]:
        with sync.guarded(sheet):
            step(sheet)
    settle_everything()

    assert held(basket, last) == {last: {"mozilla-phone", "mozillians-nda"}}
    assert {email for email, person in basket.people.items() if person.newsletters} == {last}
    assert opt_outs() == []


@pytest.mark.parametrize("number", UP_TO)
def test_a_member_may_be_deleted_after_any_step(basket, old, moving, number):
    sheet = run(claimed(moving), *STEPS[:number])
    moving.user.delete()
    drain_everything()

    for step in STEPS[number:]:
        with sync.guarded(sheet):
            step(sheet)
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: set()}


@pytest.mark.parametrize("number", UP_TO)
def test_a_first_vouch_may_be_overtaken_by_its_end_after_any_step(basket, commit, number):
    profile = VouchFactory().vouchee
    drain_everything()
    sheet = run(claimed(profile), *STEPS[:number])
    profile.vouches_received.all().delete()
    drain_everything()

    for step in STEPS[number:]:
        with sync.guarded(sheet):
            step(sheet)
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: set()}


def test_a_step_delivered_twice_is_done_once(basket, moving):
    sheet = run(claimed(moving), sync.look_up)

    tasks.subscribe_user_task.delay(sheet.as_argument)
    tasks.subscribe_user_task.delay(sheet.as_argument)

    calls = [request.endpoint for request in basket.requests]
    assert calls.count("subscribe") == 1


def test_a_first_step_delivered_twice_is_one_sync(basket, moving):
    lease = claimed(moving)

    tasks.lookup_user_task.delay(lease.as_argument)
    tasks.lookup_user_task.delay(lease.as_argument)

    calls = [request.endpoint for request in basket.requests]
    assert calls == ["lookup", "lookup", "subscribe", "unsubscribe"]


def test_messages_in_reverse_order_end_in_what_is_wanted_now(basket, vouched):
    basket.clear_requests()
    vouched.vouches_received.all().delete()
    first = ledger.claim([ledger.drain().contact_ids[0]])[0]
    VouchFactory(vouchee=vouched)
    expire_leases()
    drain_everything()
    second = claimed(vouched)

    tasks.lookup_user_task.delay(second.as_argument)
    tasks.lookup_user_task.delay(first.as_argument)

    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozilla-phone"}}


def test_the_last_step_before_the_others_takes_nothing_away(basket, old, moving):
    lease = claimed(moving)

    tasks.unsubscribe_user_task.delay(lease.as_argument)

    assert held(basket, old) == {old: {"mozilla-phone"}}


@pytest.mark.parametrize("step", [*STEPS, ledger.settle], ids=lambda step: step.__name__)
def test_who_lost_the_lease_calls_nobody_and_writes_nothing(basket, moving, step):
    lost = run(claimed(moving), sync.look_up)
    expire_leases()
    taken = claimed(moving)
    basket.clear_requests()
    before = contact_of(moving).lease

    with pytest.raises(LeaseLost):
        step(lost)

    assert basket.requests == []
    assert contact_of(moving).lease == before == taken.serial


class Killed(BaseException):
    """What no code of the app's catches."""


def kill():
    raise Killed


@pytest.mark.parametrize("number", AT_WRITE)
def test_a_worker_may_die_before_any_write(basket, old, moving, monkeypatch, number):
    with monkeypatch.context() as patch:
        before_write(patch, number, kill)
        with pytest.raises(Killed):
            run(claimed(moving), *STEPS)

    expire_leases()
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozilla-phone", "mozillians-nda"}}
    assert opt_outs() == []


@pytest.mark.parametrize("number", AT_WRITE)
def test_a_member_may_be_unvouched_before_any_write(basket, old, moving, monkeypatch, number):
    def unvouch():
        moving.vouches_received.all().delete()
        drain_everything()

    with monkeypatch.context() as patch:
        before_write(patch, number, unvouch)
        run(claimed(moving), *STEPS)
        assert not contact_of(moving).subscriptions.get(newsletter="mozilla-phone").wanted

    assert ledger.due().filter(member=moving).exists()
    settle_everything()

    assert held(basket, old, MOVED) == {old: set(), MOVED: {"mozillians-nda"}}


@pytest.mark.parametrize("number", AT_WRITE)
def test_the_address_may_change_again_before_any_write(basket, old, moving, monkeypatch, number):
    with monkeypatch.context() as patch:
        before_write(patch, number, lambda: change_email(moving, THIRD))
        run(claimed(moving), *STEPS)

    settle_everything()

    assert {email for email, person in basket.people.items() if person.newsletters} == {THIRD}
    assert opt_outs() == []


def test_a_bulk_request_during_the_last_call_is_carried_too(
    basket, vouched, monkeypatch, admin_user
):
    def order():
        create_batch("subscribe", ["mozillians-nda"], [vouched.pk], actor=admin_user)
        work_off_batches()

    vouched.vouches_received.all().delete()
    drain_everything()
    with monkeypatch.context() as patch:
        before_write(patch, 2, order)  # the last: after the unsubscribe
        run(claimed(vouched), sync.look_up, sync.unsubscribe)

    settle_everything()

    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozillians-nda"}}
    assert BatchItem.objects.get().state == BatchItem.State.DONE
