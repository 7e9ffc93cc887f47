"""The brake: policies remove only a limited number within an hour without approval."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from mozillians_basket.rules.brake import Brake, lately, would_lose
from mozillians_basket.rules.rows import Settings
from tests.rules.stories import joined
from tests.rules.world import EXTRA, NDA, PHONE, START, World

Crowd = Callable[[int], list[str]]
SETTINGS = Settings(newsletters=frozenset({PHONE}))


@pytest.mark.parametrize(
    ("brake", "more", "allows"),
    [
        (Brake(), 50, True),
        (Brake(), 51, False),
        (Brake(confirmed=1000), 100, True),
        (Brake(confirmed=1000), 101, False),
        (Brake(confirmed=1000, removed=99), 1, True),
        (Brake(confirmed=1000, removed=100), 1, False),
        (Brake(confirmed=1000, on=True), 1, False),
    ],
)
def test_brake_lets_go_of_the_larger_of_floor_and_ratio(
    brake: Brake, more: int, *, allows: bool
) -> None:
    assert brake.allows(more, SETTINGS) is allows


def test_removals_count_for_an_hour_by_the_minute() -> None:
    now = START + timedelta(hours=1, seconds=30)
    first = int(START.timestamp()) // 60

    assert lately({str(first - 1): 1, str(first): 2, str(first + 60): 3}, now) == {
        str(first): 2,
        str(first + 60): 3,
    }


def test_member_loses_what_basket_has_for_them_alone(world: World) -> None:
    world.basket.own_subscribe("ana@example.com", EXTRA)
    joined(world, ("ana", "ana@example.com", PHONE), ("ben", "ben@example.com", PHONE))
    joined(world, ("cem", "ben@example.com"))
    ana, cem = world.member("ana"), world.member("cem")

    assert would_lose(world.rows, ana, PHONE, goes=False)
    assert would_lose(world.rows, ana, EXTRA, goes=True)
    assert not would_lose(world.rows, ana, EXTRA, goes=False)
    assert not would_lose(world.rows, ana, NDA, goes=True)
    assert not would_lose(world.rows, cem, PHONE, goes=True)


def test_member_loses_nothing_that_basket_never_had(world: World) -> None:
    world.basket.refused_subscribes.add("ana@example.com")
    joined(world, ("ana", "ana@example.com", PHONE), ("ben", "", PHONE))

    for key in ("ana", "ben"):
        member = world.member(key)
        assert world.decision(key, PHONE).wanted
        assert not would_lose(world.rows, member, PHONE, goes=False)
        assert not would_lose(world.rows, member, PHONE, goes=True)


def test_member_loses_nothing_that_is_being_removed(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.basket.unsubscribe_delays = [timedelta(minutes=5)]
    world.order("ana", PHONE, subscribe=False)
    world.run(1)
    assert world.subscription("ana@example.com", PHONE).removal_pending

    assert not would_lose(world.rows, world.member("ana"), PHONE, goes=True)


def still_there(world: World, emails: list[str]) -> int:
    return sum(PHONE in world.basket.has(email) for email in emails)


@pytest.mark.parametrize("cause", ["unvouched", "deleted", "emptied", "invalid"])
def test_removals_beyond_the_limit_are_held_back(world: World, crowd: Crowd, cause: str) -> None:
    emails = crowd(80)

    for number in range(80):
        key = f"crowd{number}"
        if cause == "unvouched":
            world.entitle(key, PHONE, entitled=False)
        elif cause == "deleted":
            world.delete(key)
        else:
            world.change_email(key, "" if cause == "emptied" else "no address")
    world.run(3600)

    held_back = [member for member in world.rows.members.values() if member.held_back_at]
    assert still_there(world, emails) == len(held_back) == 30
    assert all(world.rows.decision(member, PHONE).wanted for member in held_back)


def test_removals_are_held_back_while_basket_seems_empty(world: World, crowd: Crowd) -> None:
    emails = crowd(80)
    world.basket.lose_people()
    world.verify()
    world.run(3600)

    for number in range(80):
        world.entitle(f"crowd{number}", PHONE, entitled=False)
    world.run(3600)
    world.basket.restore_people()
    world.settle()

    assert still_there(world, emails) == 30


def test_removals_are_held_back_where_basket_was_not_asked_yet(world: World) -> None:
    emails = [f"crowd{number}@example.com" for number in range(80)]
    world.basket.out_of_reach = True
    for number, email in enumerate(emails):
        world.basket.own_subscribe(email, PHONE)
        world.join(f"crowd{number}", email, PHONE)
    world.run(10)

    for number in range(80):
        world.entitle(f"crowd{number}", PHONE, entitled=False)
    world.run(10)
    world.basket.out_of_reach = False
    world.settle()

    assert still_there(world, emails) == 30


def test_held_back_members_go_once_they_are_approved(world: World, crowd: Crowd) -> None:
    emails = crowd(60)
    for number in range(60):
        world.delete(f"crowd{number}")
    world.run(3600)
    held_back = [member.id for member in world.rows.members.values() if member.held_back_at]

    world.brakes = {PHONE: Brake(on=True)}
    world.reconcile(approved=frozenset((member, PHONE) for member in held_back))
    world.settle()

    assert still_there(world, emails) == 0
    assert not world.rows.members


def test_brake_that_is_on_holds_back_until_an_admin_answers(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(confirmed=1000, on=True)}

    world.entitle("ana", PHONE, entitled=False)
    world.settle()
    world.reconcile()
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE}


def test_held_back_change_that_disappears_leaves_no_mark(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)
    assert world.member("ana").held_back_at is not None

    world.entitle("ana", PHONE)
    world.run(60)

    assert world.member("ana").held_back_at is None


def test_additions_moves_orders_and_choices_go_on(world: World) -> None:
    joined(
        world,
        ("ana", "ana@example.com", PHONE),
        ("ben", "ben@example.com", PHONE),
        ("cem", "cem@example.com", PHONE),
        ("dee", "dee@example.com", PHONE),
    )
    world.brakes = {PHONE: Brake(on=True)}

    world.entitle("ana", PHONE, entitled=False)
    world.entitle("ana", NDA)
    world.change_email("ben", "ben@new.example.com")
    world.order("cem", PHONE, subscribe=False)
    world.opt_out("dee", PHONE)
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE, NDA}
    assert world.basket.has("ben@new.example.com") == {PHONE}
    assert world.basket.has("ben@example.com") == set()
    assert world.basket.has("cem@example.com") == world.basket.has("dee@example.com") == set()


def test_approval_covers_only_the_newsletters_that_were_shown(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE, NDA))
    world.brakes = {PHONE: Brake(on=True), NDA: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)

    world.entitle("ana", NDA, entitled=False)
    world.reconcile(approved=frozenset({(world.member("ana").id, PHONE)}))
    world.settle()

    assert world.basket.has("ana@example.com") == {NDA}


@pytest.mark.parametrize("word", ["order", "opt in"])
def test_decision_made_since_a_change_was_held_back_beats_it(world: World, word: str) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)

    if word == "order":
        world.order("ana", PHONE)
    else:
        world.opt_in("ana", PHONE)
    world.reconcile(approved=frozenset({(world.member("ana").id, PHONE)}))
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE}


@pytest.mark.parametrize("word", ["order", "opt in"])
def test_decision_beats_an_approval_of_the_change_that_it_drained_itself(
    world: World, word: str
) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)

    if word == "order":
        world.order("ana", PHONE)
    else:
        world.opt_in("ana", PHONE)
    decision = world.decision("ana", PHONE)
    assert decision.held_back_at == decision.decided_at
    world.wait(seconds=60)
    world.reconcile(approved=frozenset({(world.member("ana").id, PHONE)}))
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE}


def test_order_stands_though_nothing_is_left_to_hold_back_after_it(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE), ("ben", "ben@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)
    world.order("ana", PHONE)
    world.run(60)

    world.change_email("ana", "ben@example.com")
    world.run(60)
    assert world.decision("ana", PHONE).held_back_at is None
    world.change_email("ana", "ana@new.example.com")
    world.settle()

    assert world.basket.has("ana@new.example.com") == {PHONE}


def test_order_stands_against_an_end_that_was_held_back_and_is_let_go_later(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)
    world.order("ana", PHONE)
    world.run(60)

    world.brakes = {}  # it was answered, and let go of others
    world.reconcile()
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE}


@pytest.mark.parametrize("email", ["ana@example.com", "ana@new.example.com"])
def test_order_stands_when_an_emptied_address_that_was_held_back_is_given_back(
    world: World, email: str
) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.change_email("ana", "")
    world.run(60)
    world.order("ana", PHONE, subscribe=False)
    world.run(60)

    world.change_email("ana", email)
    world.settle()

    assert world.basket.has(email) == set()


def test_policy_that_ends_later_supersedes_a_choice_made_while_an_emptied_address_was_held_back(
    world: World,
) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.change_email("ana", "")
    world.run(60)
    world.opt_in("ana", PHONE)
    world.run(60)
    world.change_email("ana", "ana@example.com")
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)

    world.reconcile(approved=frozenset({(world.member("ana").id, PHONE)}))
    world.settle()

    assert world.basket.has("ana@example.com") == set()


def test_later_change_of_another_policy_is_not_dated_back(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)
    world.order("ana", NDA, subscribe=False)
    world.run(60)

    world.entitle("ana", NDA)
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE, NDA}


def test_site_opt_out_of_a_member_whose_deletion_is_held_back_stays(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE, NDA))
    world.opt_out("ana", NDA)
    world.run(60)
    world.brakes = {PHONE: Brake(on=True)}
    world.change_email("ana", "ana@new.example.com")
    world.delete("ana")
    world.run(60)

    world.reconcile(approved=frozenset({(world.member("ana").id, PHONE)}))
    world.settle()
    world.join("ana again", "ana@new.example.com", NDA)
    world.settle()

    assert world.basket.has("ana@new.example.com") == set()


def test_clearing_of_what_nobody_decided_counts_as_removal(world: World) -> None:
    world.basket.own_subscribe("ana@example.com", EXTRA)
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {EXTRA: Brake(on=True)}

    world.delete("ana")
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE, EXTRA}


def test_newsletter_that_a_mate_wants_is_not_removed_and_not_counted(world: World) -> None:
    joined(world, ("ana", "ana@example.com", PHONE), ("ben", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}

    world.delete("ana")
    world.settle()

    assert world.member("ana") is None
    assert world.basket.has("ana@example.com") == {PHONE}


def test_addresses_passed_by_a_deletion_that_is_held_back_are_cleared_in_the_end(
    world: World,
) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.change_email("ana", "ana@new.example.com")
    world.delete("ana")
    world.run(3600)

    world.reconcile(approved=frozenset({(world.member("ana").id, PHONE)}))
    world.settle()

    assert not world.rows.contacts
    assert world.basket.has("ana@example.com") == set()


def test_policy_that_is_met_again_supersedes_an_order_made_while_its_end_was_held_back(
    world: World,
) -> None:
    joined(world, ("ana", "ana@example.com", PHONE))
    world.brakes = {PHONE: Brake(on=True)}
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)
    world.order("ana", PHONE, subscribe=False)
    world.settle()

    world.entitle("ana", PHONE)
    world.settle()

    assert world.basket.has("ana@example.com") == {PHONE}
