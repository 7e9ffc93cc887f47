"""The meaning of a lookup: each row of the table, in its order, and the sentences about it."""

import copy
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from mozillians_basket.rules.answers import Lookup, Meaning, Person, apply_lookups, meaning
from mozillians_basket.rules.plan import plan
from mozillians_basket.rules.rows import Question, State
from tests.rules.basket import Fault
from tests.rules.losses import verify_rank
from tests.rules.stories import ANA, BEN, NEW, THIRD, calls, joined, look, opt_outs
from tests.rules.world import EXTRA, FOREIGN, NDA, PHONE, START, World

SHOWN = Person(ANA, "token", frozenset({PHONE, FOREIGN}))
WITHOUT = Person(ANA, "token", frozenset({FOREIGN}))
OPTED_OUT = Person(ANA, "token", optout=True)
ELSEWHERE = Person(THIRD, "token", frozenset({PHONE}))
HOUR = timedelta(hours=1)


def ago(hours: float) -> datetime:
    return START - hours * HOUR


def table(
    *, wanted: bool = True, despite: bool = False, vetoed: bool = False, **columns: Any
) -> World:
    """Give Ana one subscription with these columns, and a decision about it if she has one."""
    world = World()
    world.join("ana", ANA)
    world.drain()
    member, contact = world.member("ana"), world.contact(ANA)
    if wanted or despite or vetoed or columns.pop("decided_here", False):
        decision = world.rows.decide(member, PHONE, wanted=wanted, decided_by="policy")
        decision.despite_opt_out, decision.decided_at = despite, ago(100)
        decision.opted_out_at = ago(50) if vetoed else None
    contact.looked_up_at = columns.pop("looked_up_at", ago(1.5))
    contact.clear = columns.pop("clear", False)
    row = world.rows.record(contact, PHONE)
    for name, value in columns.items():
        setattr(row, name, value)
    return world


Columns = dict[str, Any]
SEEN: Columns = {"state": State.SUBSCRIBED, "confirmed_at": ago(30), "seen_at": ago(25)}
UNSEEN: Columns = {"state": State.SUBSCRIBED, "confirmed_at": ago(2)}
UNSEEN_FOR_A_DAY: Columns = {"state": State.SUBSCRIBED, "confirmed_at": ago(25)}
GONE: Columns = {"state": State.UNSUBSCRIBED}
LOST: Columns = {**SEEN, "state": State.LOST}
LEFT: Columns = {"state": State.OPTED_OUT, "opted_out_at": ago(60)}
PENDING: Columns = {"removal_pending": True, "removed_at": ago(9), **SEEN}


@pytest.mark.parametrize(
    ("world", "person", "by_token", "expected"),
    [
        # anything; the person, with optout
        (table(wanted=True, **SEEN), OPTED_OUT, None, Meaning.OPTED_OUT),
        (table(wanted=False), OPTED_OUT, None, Meaning.OPTED_OUT),
        (table(wanted=True, despite=True), OPTED_OUT, None, Meaning.LACKING),
        (table(wanted=True, despite=True, **UNSEEN), OPTED_OUT, None, Meaning.QUEUED),
        # opted out and a lookup has seen it, no subscribe of ours under way; subscribed
        (table(wanted=True, **LEFT), SHOWN, None, Meaning.CAME_BACK),
        (table(wanted=False, vetoed=True, **GONE), SHOWN, None, Meaning.CAME_BACK),
        (table(wanted=True, requested_at=ago(5), **LEFT), SHOWN, None, Meaning.UNWANTED),
        (table(wanted=True, confirmed_at=ago(5), **LEFT), SHOWN, None, Meaning.UNWANTED),
        (table(wanted=True, vetoed=True, **SEEN), SHOWN, None, Meaning.UNWANTED),
        (table(vetoed=True, looked_up_at=ago(51), **GONE), SHOWN, None, Meaning.UNWANTED),
        # wanted; subscribed
        (table(wanted=True), SHOWN, None, Meaning.WANTED),
        (table(wanted=True, **PENDING), SHOWN, None, Meaning.WANTED),
        # decided, not wanted; subscribed
        (table(wanted=False, decided_here=True), SHOWN, None, Meaning.UNWANTED),
        (table(wanted=False, decided=True), SHOWN, None, Meaning.UNWANTED),
        (table(wanted=False, clear=True), SHOWN, None, Meaning.UNWANTED),
        # nobody decided, and the contact is not cleared; subscribed
        (table(wanted=False), SHOWN, None, Meaning.LEFT_ALONE),
        # a removal pending, or a recent one; not subscribed
        (table(wanted=True, **PENDING), WITHOUT, None, Meaning.REMOVED),
        (table(wanted=True, removed_at=ago(0.9), **SEEN), WITHOUT, None, Meaning.REMOVED),
        (table(wanted=True, removed_at=ago(2.5), **UNSEEN), WITHOUT, None, Meaning.REMOVED),
        # unanswered, wanted; not subscribed
        (table(wanted=True, requested_at=ago(2)), None, None, Meaning.UNANSWERED),
        # unanswered and not wanted, or unseen; not subscribed
        (table(wanted=False, requested_at=ago(2)), None, None, Meaning.QUEUED),
        (table(wanted=True, **UNSEEN), WITHOUT, None, Meaning.QUEUED),
        (table(wanted=True, **UNSEEN), None, None, Meaning.QUEUED),
        (table(wanted=False, requested_at=ago(25)), None, None, Meaning.ABSENT),
        (table(wanted=False, **UNSEEN_FOR_A_DAY), None, None, Meaning.ABSENT),
        (table(wanted=True, **UNSEEN_FOR_A_DAY), None, None, Meaning.LACKING),
        (table(wanted=True, **UNSEEN_FOR_A_DAY), WITHOUT, None, Meaning.MISSING),
        # confirmed; nobody under the address, but the token is known
        (table(wanted=True, **SEEN), None, ELSEWHERE, Meaning.RENAMED),
        # confirmed; the person, without the newsletter
        (table(wanted=True, **SEEN), WITHOUT, None, Meaning.MISSING),
        (table(wanted=False, **SEEN), WITHOUT, None, Meaning.MISSING),
        # confirmed and seen; nobody, neither under the address nor under the token
        (table(wanted=True, **SEEN), None, None, Meaning.LOST),
        (table(wanted=True, **LOST), WITHOUT, None, Meaning.MISSING),
        (table(wanted=True, **LOST | {"seen_at": None}), WITHOUT, None, Meaning.ABSENT),
        (table(wanted=True, **LOST), None, WITHOUT, Meaning.RENAMED),
        (table(wanted=True, **LOST), SHOWN, None, Meaning.WANTED),
        # wanted, not confirmed, not refused; not subscribed
        (table(wanted=True), None, None, Meaning.LACKING),
        (table(wanted=True, **GONE), WITHOUT, None, Meaning.LACKING),
        (table(wanted=True, state=State.REFUSED), None, None, Meaning.ABSENT),
        # not wanted and not there
        (table(wanted=False), None, None, Meaning.ABSENT),
        (table(wanted=True, **LEFT), WITHOUT, None, Meaning.ABSENT),
    ],
)  # fmt: skip
def test_lookup_means(
    world: World, person: Person | None, by_token: Person | None, expected: Meaning
) -> None:
    lookup = Lookup(START, person, by_token)

    meant = meaning(world.rows, world.contact(ANA), PHONE, lookup)

    assert meant == expected


def test_everything_as_wanted_is_one_lookup(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    before = len(world.basket.calls)

    look(world)

    assert len(world.basket.calls) == before + 1


def test_total_opt_out_holds_for_newsletters_to_come(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.opt_out_of_all(ANA)
    look(world)

    world.entitle("ana", NDA)
    world.order("ana", EXTRA)
    world.settle()

    assert world.member("ana").opted_out_at is not None
    assert world.basket.has(ANA) == set()
    assert calls(world, "subscribe") == [("subscribe", ANA)]


def test_order_despite_a_total_opt_out_is_for_its_newsletters_only(world: World) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.basket.opt_out_of_all(ANA)
    look(world)

    world.order("ana", PHONE, despite_opt_out=True)
    world.settle()
    world.order("ana", EXTRA)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_opt_out_after_an_order_despite_opt_outs_counts_again(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)
    world.order("ana", PHONE, despite_opt_out=True)
    world.settle()
    assert world.basket.has(ANA) == {PHONE}

    world.basket.own_unsubscribe(ANA, PHONE)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert not world.decision("ana", PHONE).despite_opt_out


@pytest.mark.parametrize("everything", [False, True])
def test_opt_out_before_any_lookup_showed_what_an_order_despite_opt_outs_did_stands(
    world: World, everything: bool
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)
    world.order("ana", PHONE, despite_opt_out=True)
    world.run(10)
    assert world.basket.has(ANA) == {PHONE}

    if everything:
        world.basket.opt_out_of_all(ANA)
    else:
        world.basket.own_unsubscribe(ANA, PHONE)
    for _ in range(30):
        world.wait(hours=2)
        look(world)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.subscription(ANA, PHONE).state == State.OPTED_OUT
    assert not world.decision("ana", PHONE).despite_opt_out


def test_order_despite_an_opt_out_stands_while_its_call_is_in_the_queue(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.opt_out_of_all(ANA)
    look(world)
    world.order("ana", PHONE, despite_opt_out=True)
    before = copy.deepcopy(world.basket.people)
    world.run(30)
    after, world.basket.people = world.basket.people, before  # Basket has only queued the call

    world.verify()
    world.run(30)
    world.basket.people = after
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert not world.decision("ana", PHONE).despite_opt_out
    assert world.subscription(ANA, PHONE).state == State.SUBSCRIBED


def test_person_who_comes_back_wants_it_again(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    world.basket.own_subscribe(ANA, PHONE)
    look(world)
    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(NEW) == {PHONE}
    assert opt_outs(world) == 0


def test_removal_of_a_site_opt_out_that_comes_back_at_basket_ends_the_opt_out(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.opt_out("ana", PHONE)
    world.run(3600)
    look(world)

    world.basket.own_subscribe(ANA, PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.decision("ana", PHONE).opted_out_at is None


def repeated(world: World) -> None:
    """Subscribe somebody by a call that is repeated, and that Basket carries out in an hour."""
    world.basket.fault, world.basket.late_by = Fault.LATE, timedelta(hours=1)
    world.join("ana", ANA, PHONE)
    world.run(60)
    look(world)
    assert len(calls(world, "subscribe")) == 2


def opts_out_at_basket(world: World) -> None:
    world.basket.own_unsubscribe(ANA, PHONE)


def opts_out_of_all_at_basket(world: World) -> None:
    world.basket.opt_out_of_all(ANA)


def opts_out_on_the_site(world: World) -> None:
    world.opt_out("ana", PHONE)


def takes_another_address_at_basket(world: World) -> None:
    world.basket.rename(ANA, THIRD)


@pytest.mark.parametrize(
    "leave",
    [
        opts_out_at_basket,
        opts_out_of_all_at_basket,
        opts_out_on_the_site,
        takes_another_address_at_basket,
    ],
)
def test_late_subscribe_that_was_repeated_is_no_return(
    world: World, leave: Callable[[World], None]
) -> None:
    repeated(world)

    leave(world)
    look(world)
    world.run(4 * 3600)
    look(world)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert not world.rows.wanted(world.contact(ANA), PHONE)


def test_late_subscribe_at_the_old_address_of_a_renamed_person_is_no_return(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.rename(ANA, THIRD)
    world.basket.fault, world.basket.late_by = Fault.LATE, timedelta(hours=1)
    world.order("ana", EXTRA, subscribe=True, despite_opt_out=True)
    world.sync(world.due())
    world.basket.fault = Fault.NONE

    world.order("ana", EXTRA, subscribe=False)
    world.wait(seconds=1)
    look(world)
    world.run(4 * 3600)
    look(world)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert not world.decision("ana", EXTRA).wanted


def test_late_subscribe_of_somebody_who_lost_the_policy_is_undone_within_the_day(
    world: World,
) -> None:
    repeated(world)
    world.basket.queue = [(at + timedelta(hours=4), job) for at, job in world.basket.queue]

    world.entitle("ana", PHONE, entitled=False)
    world.run(4 * 3600)
    assert world.basket.has(ANA) == set()
    world.run(3600)
    assert world.basket.has(ANA) == {PHONE}
    world.run(12 * 3600)

    assert world.basket.has(ANA) == set()


def test_late_subscribe_of_a_deleted_member_is_undone(world: World) -> None:
    repeated(world)
    world.basket.queue = [(at + timedelta(hours=4), job) for at, job in world.basket.queue]

    world.delete("ana")
    world.settle()

    assert world.basket.has(ANA) == set()
    assert not world.rows.contacts


def test_opt_out_of_the_next_owner_is_not_that_of_a_member_whose_subscribe_was_repeated(
    world: World,
) -> None:
    world.basket.fault, world.basket.late_by = Fault.LATE, timedelta(hours=1)
    world.join("ana", ANA, PHONE, NDA)
    world.run(60)
    look(world)
    world.change_email("ana", NEW)
    world.run(2 * 3600)

    world.join("ben", ANA, PHONE)
    world.run(6 * 3600)
    look(world)
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)
    world.settle()

    assert world.basket.has(NEW) == {PHONE, NDA}
    assert world.decision("ana", PHONE).opted_out_at is None
    assert world.decision("ben", PHONE).opted_out_at is not None


def test_opt_out_of_the_next_owner_is_not_that_of_a_member_whose_subscribe_had_no_answer(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.entitle("ana", NDA)
    world.basket.fault = Fault.LOST_BEFORE
    world.run(1)
    world.entitle("ana", NDA, entitled=False)
    world.change_email("ana", NEW)
    world.run(1800)

    world.join("ben", ANA, PHONE)
    world.run(1800)
    look(world)
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)
    world.settle()

    assert world.basket.has(NEW) == {PHONE}
    assert world.decision("ana", PHONE).opted_out_at is None
    assert world.decision("ben", PHONE).opted_out_at is not None


@pytest.mark.parametrize("leave", [opts_out_at_basket, opts_out_of_all_at_basket])
def test_opt_out_at_the_old_address_stands_while_basket_refuses_the_new_one(
    world: World, leave: Callable[[World], None]
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.wait(hours=3)
    world.basket.refused.add(NEW)
    world.change_email("ana", NEW)
    world.run(600)
    look(world)

    leave(world)
    look(world)
    world.run(3600)
    look(world)
    world.basket.refused.clear()
    world.retry()
    world.settle()

    assert world.basket.has(NEW) == set()
    assert world.rows.veto(world.member("ana"), PHONE) is not None


def test_person_who_comes_back_a_day_after_a_repeated_subscribe_wants_it_again(
    world: World,
) -> None:
    repeated(world)
    world.basket.own_unsubscribe(ANA, PHONE)
    world.run(26 * 3600)
    look(world)

    world.basket.own_subscribe(ANA, PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert opt_outs(world) == 0


def test_site_opt_out_stands_before_a_lookup_has_seen_the_removal(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))

    world.opt_out("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.decision("ana", PHONE).opted_out_at is not None


def test_newsletter_that_nobody_decided_on_is_left_alone(world: World) -> None:
    world.basket.own_subscribe(ANA, EXTRA, PHONE, FOREIGN)

    joined(world, ("ana", ANA, PHONE))
    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == {EXTRA, FOREIGN}


def test_pending_removal_is_sent_again_at_growing_intervals(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.entitle("ana", PHONE, entitled=False)
    world.basket.unsubscribe_delays = [timedelta(days=30)]
    world.run(1)
    sent = [world.now]

    for _ in range(96 * 4):
        world.basket.unsubscribe_delays = [timedelta(days=30)]
        before = len(calls(world, "unsubscribe"))
        world.run(900)
        sent += [world.now] * (len(calls(world, "unsubscribe")) - before)

    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert min(gaps) >= HOUR
    assert len(gaps) <= 8
    assert gaps[-1] > 10 * gaps[0]


def test_unanswered_removal_is_sent_again_on_the_schedule_of_failures(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.entitle("ana", PHONE, entitled=False)
    world.basket.fault = Fault.LOST_BEFORE

    world.run(60)

    assert world.basket.has(ANA) == set()
    assert len(calls(world, "unsubscribe")) == 2


def test_unseen_subscribe_is_looked_at_again_for_a_day_and_then_sent_again(world: World) -> None:
    world.basket.read_only = True
    world.join("ana", ANA, PHONE)
    world.run(60)
    look(world)
    world.basket.queue.clear()
    world.basket.read_only = False

    world.run(22 * 3600)
    assert calls(world) == [("subscribe", ANA)]
    world.run(4 * 3600)

    assert calls(world) == [("subscribe", ANA)] * 2
    assert world.basket.has(ANA) == {PHONE}


def test_unseen_subscribe_of_somebody_who_is_there_is_missing_after_a_day(world: World) -> None:
    world.basket.own_subscribe(ANA, FOREIGN)
    world.basket.read_only = True
    world.join("ana", ANA, PHONE)
    world.run(60)
    look(world)
    world.basket.queue.clear()
    world.basket.read_only = False

    world.run(22 * 3600)
    assert opt_outs(world) == 0
    world.run(8 * 3600)

    assert world.subscription(ANA, PHONE).state == State.OPTED_OUT


def test_lost_answer_of_a_subscribe_is_repeated_without_harm(world: World) -> None:
    world.join("ana", ANA, PHONE)
    world.basket.fault = Fault.LOST_BEFORE

    world.run(60)

    assert world.basket.has(ANA) == {PHONE}
    assert len(calls(world, "subscribe")) == 2


def test_fifth_equal_subscribe_waits_for_the_window(world: World) -> None:
    world.join("ana", ANA, PHONE)
    world.basket.fault, world.basket.fault_lasts = Fault.LOST_BEFORE, True

    for _ in range(12):
        world.retry()
        world.run(20)
    sent = len(calls(world, "subscribe"))
    world.basket.fault = Fault.NONE
    world.run(600)

    assert sent == 4
    assert world.basket.rate_limited == 0
    assert world.basket.has(ANA) == {PHONE}


def test_renamed_mailbox_counts_as_opted_out_and_the_member_does_not(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.rename(ANA, THIRD)
    look(world)
    assert world.basket.has(THIRD) == {PHONE}

    world.entitle("ana", NDA)
    world.settle()
    assert world.basket.find(ANA) is None
    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(NEW) == {PHONE, NDA}
    assert world.basket.has(THIRD) == set()


def test_renamed_person_is_left_to_the_contact_of_the_new_address(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", BEN, PHONE))
    world.basket.lose_people(BEN)
    world.basket.rename(ANA, BEN)

    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(BEN) == {PHONE}


def test_person_who_renames_back_keeps_the_newsletter(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.rename(ANA, THIRD)
    look(world)

    world.basket.rename(THIRD, ANA)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_renamed_person_is_unsubscribed_where_they_are(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.rename(ANA, THIRD)
    look(world)

    world.entitle("ana", PHONE, entitled=False)
    assert world.basket.has(THIRD) == {PHONE}
    world.settle()

    assert world.basket.has(THIRD) == set()


def test_opt_in_at_a_renamed_mailbox_subscribes_the_address_of_the_site(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.rename(ANA, THIRD)
    look(world)

    world.opt_in("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def renamed(world: World, *newsletters: str) -> None:
    """Give Ana newsletters, and another address at Basket, which a lookup finds."""
    joined(world, ("ana", ANA, *newsletters))
    world.basket.rename(ANA, THIRD)
    look(world)


def test_opt_in_at_a_renamed_mailbox_leaves_what_the_renamed_person_has(world: World) -> None:
    renamed(world, PHONE, NDA)

    world.opt_in("ana", EXTRA)
    world.settle()

    assert world.basket.has(ANA) == {EXTRA}
    assert world.basket.has(THIRD) == {PHONE, NDA}


def test_renamed_person_is_unsubscribed_after_a_subscribe_at_the_old_address(
    world: World,
) -> None:
    renamed(world, PHONE, NDA)
    world.opt_in("ana", EXTRA)
    world.settle()

    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == {EXTRA}
    assert world.basket.has(THIRD) == {NDA}


def test_renamed_person_is_unsubscribed_though_the_entitlement_ended_with_the_opt_in(
    world: World,
) -> None:
    renamed(world, PHONE, NDA)

    world.opt_in("ana", EXTRA)
    world.between_steps = lambda: world.entitle("ana", PHONE, entitled=False)  # type: ignore[method-assign]
    world.run(10)
    del world.between_steps
    world.settle()

    assert world.basket.has(ANA) == {EXTRA}
    assert world.basket.has(THIRD) == {NDA}


@pytest.mark.parametrize("choose", ["order", "opt in", "own subscribe"])
def test_nothing_is_left_of_a_renamed_person_when_the_member_is_deleted(
    world: World, choose: str
) -> None:
    renamed(world, PHONE, NDA)
    if choose == "order":
        world.order("ana", PHONE, despite_opt_out=True)
    elif choose == "opt in":
        world.opt_in("ana", EXTRA)
    else:
        world.basket.own_subscribe(ANA, EXTRA)
    world.settle()

    world.delete("ana")
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.basket.has(THIRD) == set()
    assert not world.rows.contacts


def test_newsletters_follow_a_member_from_a_renamed_person_to_the_next_address(
    world: World,
) -> None:
    renamed(world, PHONE)
    world.opt_in("ana", EXTRA)
    world.settle()
    new_first: list[bool] = []
    world.basket.on_unsubscribe = lambda *_call: new_first.append(PHONE in world.basket.has(NEW))

    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(NEW) == {PHONE, EXTRA}
    assert world.basket.has(THIRD) == world.basket.has(ANA) == set()
    assert new_first
    assert all(new_first)


def test_two_renamed_people_of_one_address_are_both_unsubscribed(world: World) -> None:
    renamed(world, PHONE)
    world.opt_in("ana", NDA)
    world.settle()
    world.basket.rename(ANA, "fourth@example.com")
    look(world)
    world.opt_in("ana", EXTRA)
    world.settle()

    world.delete("ana")
    world.settle()

    assert [world.basket.has(email) for email in (ANA, THIRD, "fourth@example.com")] == [set()] * 3


def test_person_whose_address_was_taken_before_a_lookup_counts_as_renamed(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.rename(ANA, THIRD)
    world.basket.own_subscribe(ANA, FOREIGN)
    look(world)
    world.settle()
    assert world.basket.has(THIRD) == {PHONE}
    assert world.decision("ana", PHONE).opted_out_at is None

    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(THIRD) == set()


@pytest.mark.parametrize("shared", [True, False])
def test_person_whose_address_was_taken_is_unsubscribed_though_the_member_was_deleted(
    world: World, shared: bool
) -> None:
    joined(world, ("ana", ANA, PHONE), *([("ben", ANA)] if shared else []))
    world.basket.rename(ANA, THIRD)
    world.basket.own_subscribe(ANA, FOREIGN)

    world.delete("ana")
    world.settle()

    assert world.basket.has(THIRD) == set()


def test_renamed_person_is_left_to_members_who_come_to_the_new_address(world: World) -> None:
    renamed(world, PHONE)
    world.opt_in("ana", EXTRA)
    world.settle()
    world.join("ben", THIRD, PHONE)
    world.settle()

    world.delete("ana")
    world.settle()

    assert world.basket.has(THIRD) == {PHONE}
    assert world.contact(ANA) is None


def test_own_newsletters_of_a_renamed_person_are_left_alone(world: World) -> None:
    renamed(world, PHONE)
    world.opt_in("ana", NDA)
    world.settle()
    world.basket.own_subscribe(THIRD, EXTRA, FOREIGN)

    world.delete("ana")
    world.settle()

    assert world.basket.has(THIRD) == {EXTRA, FOREIGN}


def test_renamed_person_is_not_forgotten_while_basket_shows_nobody(world: World) -> None:
    renamed(world, PHONE)
    world.opt_in("ana", EXTRA)
    world.settle()
    world.basket.lose_people()

    world.delete("ana")
    world.run(3600)
    world.basket.restore_people()
    world.settle()

    assert world.basket.has(THIRD) == set()
    assert not world.rows.contacts


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER])
def test_unsubscribe_of_a_renamed_person_without_an_answer_is_repeated(
    world: World, fault: Fault
) -> None:
    renamed(world, PHONE)
    world.opt_in("ana", EXTRA)
    world.settle()
    world.basket.fault = fault

    world.entitle("ana", PHONE, entitled=False)
    world.run(600)

    assert world.basket.has(THIRD) == set()


def test_lost_person_is_a_problem_and_no_opt_out(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.lose_people(ANA)

    world.settle()

    assert world.subscription(ANA, PHONE).state == State.LOST
    assert world.basket.find(ANA) is None


def test_contact_of_a_deleted_member_is_erased_though_its_person_was_lost(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.lose_people(ANA)
    world.settle()

    world.delete("ana")
    world.settle()

    assert not world.rows.contacts


def test_site_opt_out_made_since_the_last_lookup_outlasts_a_mate_who_came_back(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA), ("cem", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)
    world.entitle("ben", NDA)
    world.run(60)
    world.opt_out("ben", PHONE)
    world.basket.own_subscribe(ANA, PHONE)

    world.settle()
    world.order("ben", PHONE)

    assert world.basket.has(ANA) >= {PHONE}
    assert world.decision("cem", PHONE).opted_out_at is None
    assert world.decision("ben", PHONE).opted_out_at is not None


def test_lost_newsletter_stays_lost_when_another_call_makes_the_person_again(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.lose_people(ANA)
    look(world)

    world.entitle("ana", NDA)
    world.settle()

    assert world.basket.has(ANA) == {NDA}
    assert world.subscription(ANA, PHONE).state == State.LOST


def test_opt_out_made_before_a_loss_is_found_when_the_people_are_back(world: World) -> None:
    others = [(f"other{number}", f"other{number}@example.com", PHONE) for number in range(60)]
    joined(world, ("ana", ANA, PHONE), *others)
    world.basket.own_unsubscribe(ANA, PHONE)
    world.basket.lose_people()
    look(world)
    lost = world.subscription(ANA, PHONE).state
    world.basket.restore_people()

    for _ in range(3):
        look(world)
    world.settle()

    assert lost == State.LOST
    assert world.subscription(ANA, PHONE).state == State.OPTED_OUT
    assert opt_outs(world) == 1
    assert world.basket.has(ANA) == set()


def test_lost_newsletter_that_a_wrong_basket_had_confirmed_is_subscribed_again() -> None:
    world = table(wanted=True, **LOST, missing_at=ago(20))
    world.rows.questions = [Question(PHONE, ago(40), 5, closed_at=ago(24))]
    world.basket.own_subscribe(ANA, FOREIGN)
    world.contact(ANA).token = world.basket.people[0].token

    look(world)

    assert world.basket.has(ANA) == {FOREIGN, PHONE}


@pytest.mark.parametrize("person", [WITHOUT, None])
@pytest.mark.parametrize(("began", "outdated"), [(2, True), (0.5, False)])
def test_lookup_from_before_the_end_of_a_loss_concludes_nothing_and_is_repeated(
    person: Person | None, began: float, outdated: bool
) -> None:
    world = table(wanted=True, **SEEN)
    world.rows.questions = [Question(PHONE, ago(3), 5, closed_at=ago(1))]
    world.contact(ANA).touched_at = None

    rows = apply_lookups(world.rows, {world.contact(ANA).id: Lookup(ago(began), person)})

    [row], contact = rows.of(PHONE), rows.contacts[world.contact(ANA).id]
    assert (row.missing_at is None) == outdated
    assert (contact.touched_at is not None) == outdated


def test_opt_out_that_one_question_reopened_is_not_part_of_another_one() -> None:
    reopened: Columns = dict.fromkeys(
        ("confirmed_at", "seen_at", "missing_at", "opted_out_at"), ago(1)
    )
    world = table(wanted=True, state=State.SUBSCRIBED, **reopened)
    world.rows.questions = [
        Question(NDA, ago(2), 5, closed_at=ago(0.5)),
        Question(PHONE, ago(0.4), 5),
    ]
    world.basket.own_subscribe(ANA, FOREIGN)

    look(world)

    assert world.basket.has(ANA) == {FOREIGN}


@pytest.mark.parametrize("word", ["order", "opt in", "retry"])
def test_lost_newsletter_is_subscribed_again_on_request(world: World, word: str) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.lose_people(ANA)
    world.settle()

    if word == "order":
        world.order("ana", PHONE)
    elif word == "opt in":
        world.opt_in("ana", PHONE)
    else:
        world.retry()
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_lost_newsletter_is_in_order_once_a_lookup_shows_it(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    people, world.basket.people = world.basket.people, []
    world.settle()

    world.basket.people = people
    world.settle()

    assert world.subscription(ANA, PHONE).state == State.SUBSCRIBED


def test_refused_subscribe_is_not_repeated_until_an_admin_asks(world: World) -> None:
    world.basket.refused_subscribes.add(ANA)
    world.join("ana", ANA, PHONE)
    world.settle()
    assert len(calls(world, "subscribe")) == 1
    assert world.subscription(ANA, PHONE).error_code == "11"

    world.basket.refused_subscribes.clear()
    world.retry()
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_newsletter_whose_subscribe_was_refused_can_be_unsubscribed(world: World) -> None:
    world.basket.refused_subscribes.add(ANA)
    world.join("ana", ANA, PHONE)
    world.run(60)
    world.basket.own_subscribe(ANA, PHONE)

    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == set()


def test_unsubscribe_that_was_turned_away_is_sent_later(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.turned_away = True
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)

    world.basket.turned_away = False
    world.settle()

    assert world.basket.has(ANA) == set()


def test_refused_unsubscribe_is_not_repeated_until_an_admin_asks(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.refused_unsubscribes.add(ANA)
    world.entitle("ana", PHONE, entitled=False)
    world.settle()
    assert len(calls(world, "unsubscribe")) == 1
    assert world.subscription(ANA, PHONE).state == State.REFUSED

    world.basket.refused_unsubscribes.clear()
    world.retry()
    world.settle()

    assert world.basket.has(ANA) == set()


def test_refused_unsubscribe_of_a_mailbox_that_opted_out_keeps_the_opt_out(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.opt_out("ana", PHONE)
    world.basket.refused_unsubscribes.add(ANA)
    world.delete("ana")
    world.settle()
    assert world.contact(ANA).problem

    world.basket.refused_unsubscribes.clear()
    world.join("ana again", ANA, PHONE)
    world.retry()
    world.settle()

    assert world.basket.has(ANA) == set()


def test_refused_lookup_parks_the_contact(world: World) -> None:
    world.basket.refused.add(ANA)

    world.join("ana", ANA, PHONE)
    world.settle()

    assert world.contact(ANA).parked
    assert world.contact(ANA).problem == "2"
    assert len(world.basket.calls) == 1

    world.entitle("ana", NDA)
    world.settle()

    assert len(world.basket.calls) == 1


def test_contact_that_fails_too_often_is_parked(world: World) -> None:
    world.basket.out_of_reach = True
    world.join("ana", ANA, PHONE)

    world.run(3600)

    assert world.contact(ANA).parked
    assert world.contact(ANA).attempts == world.rows.settings.max_attempts


@pytest.mark.parametrize("change", ["policy", "opt-out"])
def test_parked_contact_is_woken_by_a_change(world: World, change: str) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.entitle("ana", NDA)
    world.drain()
    world.contact(ANA).parked, world.contact(ANA).attempts = True, 10

    if change == "policy":
        world.entitle("ana", PHONE, entitled=False)
    else:
        world.opt_out("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {NDA}


def test_paused_newsletter_waits_while_the_others_go_on(world: World) -> None:
    world.rows.paused = frozenset({NDA})
    world.join("ana", ANA, PHONE, NDA)
    world.run(3600)
    assert world.basket.has(ANA) == {PHONE}

    world.rows.paused = frozenset()
    world.run(86400)

    assert world.basket.has(ANA) == {PHONE, NDA}


def test_paused_newsletter_is_removed_once_it_resumes(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.rows.paused = frozenset({PHONE})
    world.entitle("ana", PHONE, entitled=False)
    world.run(3600)

    world.rows.paused = frozenset()
    world.run(86400)

    assert world.basket.has(ANA) == set()


def test_call_that_was_not_done_keeps_an_earlier_one_open(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.unsubscribe_delays = [timedelta(seconds=3), timedelta(minutes=5)]
    world.entitle("ana", PHONE, entitled=False)
    world.run(60)
    world.basket.turned_away = True
    world.entitle("ana", PHONE)
    world.run(30)

    world.basket.turned_away = False
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert opt_outs(world) == 0


def test_unseen_subscriptions_are_verified_first_and_opted_out_ones_too(world: World) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)
    world.order("ana", EXTRA)
    world.run(60)

    rows = {name: world.subscription(ANA, name) for name in (EXTRA, NDA, PHONE)}
    ranks = {name: verify_rank(world.rows, row) for name, row in rows.items()}

    assert ranks == {EXTRA: 0, NDA: 1, PHONE: 2}


def test_removal_that_a_restored_backup_undoes_is_repeated(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    backup = copy.deepcopy(world.basket.people)
    world.entitle("ana", PHONE, entitled=False)
    world.settle()
    assert world.basket.has(ANA) == set()

    world.basket.people = backup
    world.settle()

    assert world.basket.has(ANA) == set()


def test_fields_are_those_of_the_member_whose_decision_is_newest(world: World) -> None:
    world.join("ana", ANA, PHONE)
    world.drain()
    world.wait(seconds=1)
    world.join("ben", ANA, PHONE)
    world.drain()

    planned = plan(world.rows, world.contact(ANA).id)

    assert planned.fields_of == world.member("ben").id


def test_confirmed_while_a_question_was_open_is_subscribed_again(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    row = world.subscription(ANA, PHONE)
    world.rows.questions = [Question(PHONE, row.confirmed_at, 3, row.confirmed_at)]
    row.seen_at = None
    world.wait(days=2)

    world.basket.lose_newsletter(PHONE, ANA)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_member_who_opted_out_of_everything_may_come_back_at_another_address(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.opt_out_of_all(ANA)
    world.verify(ANA)
    world.settle()
    world.change_email("ana", NEW)
    world.settle()

    world.basket.own_subscribe(NEW, EXTRA)
    world.verify(NEW)
    world.settle()

    assert world.basket.has(NEW) == {EXTRA}
    assert world.decision("ana", EXTRA).wanted
    assert world.decision("ana", EXTRA).opted_out_at is None


def test_newsletter_that_nobody_decided_on_and_nobody_has_leaves_no_row(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))

    newsletters = {row.newsletter for row in world.rows.subscriptions.values()}
    assert newsletters == {PHONE}


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.LOST_AFTER])
def test_opt_out_of_a_member_who_is_deleted_during_a_subscribe_stays_with_the_mailbox(
    world: World, fault: Fault
) -> None:
    world.join("ana", ANA, PHONE)
    world.drain()

    def opts_out_and_goes() -> None:
        world.opt_out("ana", PHONE)
        world.delete("ana")
        world.drain()

    world.basket.fault = fault
    world.basket.during["subscribe"] = opts_out_and_goes
    world.settle()
    world.join("ana again", ANA, PHONE)
    world.settle()

    assert world.basket.has(ANA) == set()


@pytest.mark.parametrize("back", [False, True])
def test_address_whose_person_vanished_after_a_site_opt_out_comes_to_rest(
    world: World, *, back: bool
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", BEN, PHONE))
    world.opt_out("ana", PHONE)
    world.run(1)
    assert world.subscription(ANA, PHONE).removal_pending
    backup = copy.deepcopy(world.basket.people)

    world.basket.lose_people(ANA)
    world.run(43200)
    assert world.contact(ANA).touched_at is not None
    world.run(7 * 86400)
    assert world.contact(ANA).touched_at is None
    assert world.subscription(ANA, PHONE).state == State.LOST
    if back:
        world.basket.people = backup
        world.settle()

    assert world.basket.has(ANA) == set()
    assert world.decision("ana", PHONE).opted_out_at is not None
    assert world.contact(ANA).touched_at is None


def test_mate_is_subscribed_although_the_person_vanished_after_a_site_opt_out(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA))
    world.opt_out("ana", PHONE)
    world.run(1)
    world.basket.lose_people(ANA)
    world.run(600)

    world.entitle("ben", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_address_that_no_lookup_has_shown_for_a_day_is_cleared_after_a_loss_too(
    world: World, crowd: Callable[[int], list[str]]
) -> None:
    crowd(10)
    world.join("ana", ANA, PHONE)
    world.run(1)
    world.wait(hours=25)
    right, world.basket.people = world.basket.people, []

    world.delete("ana")
    world.run(60)
    world.basket.people = right
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.contact(ANA) is None
