"""Mailboxes that are left, handed over, shared and spelled in two ways, on real processes."""

import time

import pytest

from mozillians_basket import tasks
from mozillians_basket.models import Contact, Member, Subscription, Suppression
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile, verification
from project.processes import wait_until
from tests.services.moments import has_struck
from tests.services.people import NDA, PHONE, Somebody
from tests.services.site import assert_all_is_well, settle

pytestmark = [
    pytest.mark.services,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
    pytest.mark.usefixtures("worker", "beat"),
]

OLD, NEW = "old@example.com", "new@example.com"
ASCII, UNICODE = "ana@xn--mller-kva.example", "ana@müller.example"


def arrived(email: str, *, vouched: bool = False, joined: bool = False) -> Somebody:
    """Create a person that the ledger knows."""
    person = Somebody(email, vouched, joined)
    person.arrive()
    settle()
    return person


def opts_out_at_basket(basket: SandboxServer, email: str, newsletter: str) -> None:
    """Let the person at an address opt out, and a lookup find the opt-out."""
    verification.verify(None)
    settle()
    basket.put_person(email, remove=[newsletter])
    verification.verify(None)
    found = Subscription.objects.filter(state=State.OPTED_OUT, newsletter=newsletter)
    wait_until(found.exists, timeout=60, what="the opt-out")


def test_entitlement_that_ends_after_a_lost_answer_leaves_the_new_address(
    basket: SandboxServer,
) -> None:
    ana = arrived(OLD, vouched=True, joined=True)
    lost = basket.fail("subscribe", kind="drop", times=1)

    ana.move(NEW)
    wait_until(lambda: has_struck(basket, lost), timeout=60, what="the lost answer")
    ana.leave()

    assert_all_is_well(basket, {NEW: {PHONE}})


def test_removal_of_a_former_owner_does_not_strike_the_next_one(basket: SandboxServer) -> None:
    ana = arrived(OLD, vouched=True, joined=True)
    ben = arrived("ben@example.com", vouched=True)
    late = basket.fail("unsubscribe", kind="delay", seconds=1.5, times=1, email=OLD)

    ana.move(NEW)
    wait_until(lambda: has_struck(basket, late), timeout=60, what="the removal")
    ben.move(OLD)

    assert_all_is_well(basket, {NEW: {PHONE, NDA}, OLD: {PHONE}})


def test_mailbox_is_handed_over_a_second_later(basket: SandboxServer) -> None:
    ana = arrived(OLD, vouched=True, joined=True)
    ben = arrived("ben@example.com", vouched=True)

    ana.move(NEW)
    time.sleep(1)
    ben.move(OLD)

    assert_all_is_well(basket, {NEW: {PHONE, NDA}, OLD: {PHONE}})


def test_opt_out_of_a_mailbox_holds_for_another_member_there(basket: SandboxServer) -> None:
    arrived(OLD, vouched=True)
    ben = arrived(OLD)
    opts_out_at_basket(basket, OLD, PHONE)

    ben.vouch()

    assert_all_is_well(basket, {OLD: set()}, opted_out={(OLD, PHONE)})


def test_opt_out_of_a_mailbox_holds_for_a_member_who_moves_there(basket: SandboxServer) -> None:
    arrived(OLD, vouched=True)
    ben = arrived("ben@example.com", vouched=True, joined=True)
    opts_out_at_basket(basket, OLD, PHONE)

    ben.move(OLD)

    assert_all_is_well(basket, {OLD: {NDA}}, opted_out={(OLD, PHONE)})


def test_opt_out_of_a_mailbox_holds_for_an_account_that_is_made_again(
    basket: SandboxServer,
) -> None:
    ana = arrived(OLD, vouched=True)
    opts_out_at_basket(basket, OLD, PHONE)
    ana.delete()
    settle()
    erased = not Contact.objects.exists() and Suppression.objects.count() == 1

    arrived(OLD, vouched=True, joined=True)

    assert erased
    assert_all_is_well(basket, {OLD: {NDA}}, opted_out={(OLD, PHONE)})


def test_member_who_turned_everything_off_gets_nothing_at_a_new_address(
    basket: SandboxServer,
) -> None:
    ana = arrived(OLD, vouched=True)
    verification.verify(None)
    settle()
    basket.put_person(OLD, newsletters=[], optout=True)

    ana.move(NEW)
    ana.join()

    assert_all_is_well(basket, {}, opted_out={(NEW, PHONE), (NEW, NDA)})


def test_two_spellings_of_one_mailbox_are_one(basket: SandboxServer) -> None:
    ana = arrived(UNICODE, vouched=True)
    arrived(ASCII, vouched=True, joined=True)

    ana.unvouch()

    assert_all_is_well(basket, {ASCII: {PHONE, NDA}})
    assert Contact.objects.count() == 1


@pytest.mark.parametrize("space", ["\t", "\xa0", "\n"], ids=["tab", "no-break space", "newline"])
def test_white_space_around_an_address_makes_no_difference(
    space: str, basket: SandboxServer
) -> None:
    arrived(f"ana@example.com{space}", vouched=True)

    assert_all_is_well(basket, {"ana@example.com": {PHONE}})
    assert reconcile.find().differences == 0


def test_order_for_an_address_without_a_member_leaves_nothing_behind(
    basket: SandboxServer,
) -> None:
    ana = arrived(OLD, vouched=True, joined=True)
    ana.delete()
    settle()
    basket.put_person(OLD, newsletters=[PHONE, NDA, "app-dev"])

    tasks.unsubscribe_from_basket_task.delay(OLD, [PHONE])
    wait_until(Member.objects.exists, timeout=60, what="the order")
    settle()

    assert set(basket.people[OLD].newsletters) == {NDA, "app-dev"}
    assert not Member.objects.exists()
    assert not Contact.objects.exists()
