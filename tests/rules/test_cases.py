"""Situations that failed in earlier versions or at other sites, as stories about the rules."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from mozillians_basket.rules.brake import Brake
from mozillians_basket.rules.evaluate import contact_key
from tests.rules.basket import Fault
from tests.rules.stories import ANA, BEN, NEW, THIRD, joined, opt_outs
from tests.rules.world import EXTRA, NDA, PHONE, World

# 1 to 9: moves, shared addresses, spellings.


def test_entitlement_that_ends_after_a_worker_died_in_a_move_leaves_the_new_address(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.change_email("ana", NEW)
    world.crash_after = "unsubscribe"
    world.run()

    world.entitle("ana", NDA, entitled=False)
    world.settle()

    assert world.basket.has(NEW) == {PHONE}
    assert world.basket.has(ANA) == set()


def test_entitlement_that_ends_after_a_lost_answer_leaves_the_new_address(world: World) -> None:
    joined(world, ("ana", ANA, NDA))
    world.change_email("ana", NEW)
    world.basket.fault = Fault.LOST_AFTER
    world.run()

    world.entitle("ana", NDA, entitled=False)
    world.settle()

    assert world.basket.has(NEW) == set()
    assert world.basket.has(ANA) == set()


def test_removal_of_a_former_owner_does_not_strike_the_next_one(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.unsubscribe_delays = [timedelta(minutes=5)]
    world.change_email("ana", NEW)
    world.run(1)

    world.join("ben", ANA, PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert opt_outs(world) == 0


@pytest.mark.parametrize("arrives", ["entitled", "moves", "merged", "made again"])
def test_opt_out_of_a_mailbox_holds_for_everybody_who_arrives(world: World, arrives: str) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA), ("cem", BEN, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    world.verify()
    world.run(60)

    if arrives == "entitled":
        world.entitle("ben", PHONE)
    elif arrives == "moves":
        world.change_email("cem", ANA)
    elif arrives == "merged":
        world.delete("ana")
        world.entitle("ben", PHONE)
    else:
        world.delete("ana")
        world.delete("ben")
        world.settle()
        assert world.contact(ANA) is None
        world.join("ana again", ANA, PHONE)
    world.settle()

    assert world.basket.has(ANA) == set()


def test_member_who_turned_everything_off_gets_nothing_at_a_new_address(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.opt_out_of_all(ANA)

    world.change_email("ana", NEW)
    world.run(60)
    world.entitle("ana", NDA)
    world.settle()

    assert world.basket.has(NEW) == set()


def test_two_spellings_of_one_mailbox_are_one_contact(world: World) -> None:
    joined(world, ("ana", "ana@müller.example", PHONE), ("ben", "Ana@xn--mller-kva.example", PHONE))

    world.entitle("ben", PHONE, entitled=False)
    world.settle()

    assert len(world.rows.contacts) == 1
    assert world.basket.has("ana@müller.example") == {PHONE}
    assert opt_outs(world) == 0


@pytest.mark.parametrize("space", ["\t", "\N{NO-BREAK SPACE}", " "])
def test_white_space_around_an_address_makes_no_difference(world: World, space: str) -> None:
    joined(world, ("ana", ANA, PHONE))

    world.change_email("ana", ANA + space)
    world.reconcile()

    assert world.due() == []
    assert world.contact(ANA).email == ANA


def test_too_long_address_is_not_cut_and_counts_as_none(world: World) -> None:
    long = "a" * 300 + "@example.com"

    world.join("ana", long, PHONE)
    world.settle()

    assert contact_key(long) == ""
    assert world.basket.people == []
    assert world.member("ana").contact_id is None


def test_order_for_an_erased_address_leaves_nothing_behind(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.delete("ana")
    world.settle()

    world.order_address(ANA, PHONE, subscribe=False)
    world.settle()

    assert not world.rows.contacts
    assert not world.rows.members


# 10 to 18: opt-outs and losses.


def test_total_loss_of_people_records_no_opt_out(
    world: World, crowd: Callable[[int], list[str]]
) -> None:
    crowd(200)
    world.basket.lose_people()

    world.verify()
    world.run(300)

    assert opt_outs(world) == 0
    assert world.rows.question(PHONE) is not None


def test_changes_during_a_loss_of_newsletters_record_no_opt_out(
    world: World, crowd: Callable[[int], list[str]]
) -> None:
    crowd(120)
    world.basket.lose_newsletter(PHONE)

    for number in range(40):
        world.entitle(f"crowd{number}", NDA)
    world.run(300)

    assert opt_outs(world) == 0
    assert world.rows.question(PHONE) is not None
    assert world.basket.has("crowd0@example.com") == {NDA}


def test_orders_for_another_newsletter_during_a_loss_record_no_opt_out(
    world: World, crowd: Callable[[int], list[str]]
) -> None:
    crowd(120)
    world.basket.lose_newsletter(PHONE)

    for number in range(60):
        world.order(f"crowd{number}", EXTRA)
    world.run(300)

    assert opt_outs(world) == 0
    assert world.basket.has("crowd59@example.com") == {EXTRA}


def test_second_removal_that_strikes_late_is_no_opt_out(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.unsubscribe_delays = [timedelta(seconds=3), timedelta(seconds=7)]
    world.entitle("ana", PHONE, entitled=False)
    world.run(4)
    world.verify()
    world.run(1)

    world.entitle("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert opt_outs(world) == 0


def test_read_only_maintenance_makes_no_opt_out(world: World) -> None:
    world.basket.read_only = True
    world.join("ana", ANA, PHONE)
    world.run(60)
    world.verify()
    world.run(3 * 3600)

    world.basket.read_only = False
    world.basket.work()
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert opt_outs(world) == 0


def test_subscribe_that_was_only_queued_is_taken_back_when_the_entitlement_ends(
    world: World,
) -> None:
    world.basket.read_only = True
    world.join("ana", ANA, PHONE)
    world.run(60)
    world.entitle("ana", PHONE, entitled=False)
    world.run(3 * 3600)

    world.basket.read_only = False
    world.basket.work()
    world.settle()

    assert world.basket.has(ANA) == set()


def test_switch_that_is_off_for_longer_than_the_grace_makes_no_opt_out(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.unsubscribe_delays = [timedelta(minutes=20)]
    world.entitle("ana", PHONE, entitled=False)
    world.run(1)
    world.entitle("ana", PHONE)
    world.run(1)

    world.switch = False
    world.wait(hours=3)
    world.switch = True
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert opt_outs(world) == 0


def test_person_who_came_back_loses_the_newsletter_with_the_vouch(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    world.verify()
    world.run(60)
    world.basket.own_subscribe(ANA, PHONE)

    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == set()


def test_person_who_came_back_and_was_seen_loses_the_newsletter_with_the_vouch(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    world.verify()
    world.run(60)
    world.basket.own_subscribe(ANA, PHONE)
    world.verify()
    world.run(60)
    assert world.basket.has(ANA) == {PHONE}

    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == set()


def test_wrong_url_for_an_hour_leaves_everything_as_it_was(
    world: World, crowd: Callable[[int], list[str]]
) -> None:
    crowd(60)
    right, world.basket.people = world.basket.people, []
    for number in range(5):
        world.order(f"crowd{number}", EXTRA)
    world.run(3600)

    world.basket.people = right
    world.settle()
    world.order("crowd0", EXTRA, subscribe=False)
    world.settle()

    assert opt_outs(world) == 0
    assert world.rows.question(PHONE) is None
    assert all(world.basket.has(f"crowd{number}@example.com") >= {PHONE} for number in range(60))
    assert EXTRA in world.basket.has("crowd1@example.com")


def test_emptied_addresses_are_held_back_by_the_brake(
    world: World, crowd: Callable[[int], list[str]]
) -> None:
    crowd(120)
    world.brakes = {PHONE: Brake(confirmed=120)}

    for known in world.site.values():
        known.email = ""
    world.reconcile()
    world.run(60)

    kept = [person for person in world.basket.people if PHONE in person.newsletters]
    held_back = [member for member in world.rows.members.values() if member.held_back_at]
    assert len(held_back) == len(kept) == 70


def test_newsletter_of_a_renamed_person_ends_with_the_entitlement(world: World) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.basket.rename(ANA, THIRD)

    world.entitle("ana", NDA, entitled=False)
    world.settle()

    assert world.basket.has(THIRD) == {PHONE}


def test_newsletters_of_a_renamed_person_end_with_the_deletion(world: World) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.basket.rename(ANA, THIRD)

    world.delete("ana")
    world.settle()

    assert world.basket.has(THIRD) == set()
    assert not world.rows.contacts
