"""Marks of opt-outs and the ends of questions, row by row."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from mozillians_basket.rules import vetoes
from mozillians_basket.rules.rows import Question, State
from mozillians_basket.rules.sample import Ending, end_question
from tests.rules import losses
from tests.rules.stories import ANA, NEW, contact, joined, rows_of, shown
from tests.rules.world import (
    EXTRA,
    NDA,
    PHONE,
    START,
    Decision,
    Member,
    Move,
    Subscription,
    World,
)

EARLY, LATER = START + timedelta(days=1), START + timedelta(days=2)
ALL = (PHONE, NDA, EXTRA)


def dates(world: World, key: str) -> dict[str, object]:
    """Return the dates of a member's opt-outs by newsletter."""
    return {name: world.rows.veto(world.member(key), name) for name in ALL}


def test_everything_that_is_turned_off_is_one_mark_of_each_member(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA))
    before = set(world.rows.decisions)

    vetoes.opt_out_of_all(world.rows, world.contact(ANA), LATER)

    assert dates(world, "ana") == dates(world, "ben") == dict.fromkeys(ALL, LATER)
    assert world.member("ana").opted_out_at == world.member("ben").opted_out_at == LATER
    assert set(world.rows.decisions) == before
    assert world.decision("ana", PHONE).opted_out_at is None


def test_newsletters_ordered_despite_opt_outs_are_left_out_when_everything_is_turned_off(
    world: World,
) -> None:
    joined(world, ("ana", ANA), ("ben", ANA), ("cem", ANA))
    rows = world.rows
    ana, cem = world.member("ana"), world.member("cem")
    rows.decide(ana, NDA, wanted=True, despite_opt_out=True)
    rows.decide(ana, PHONE, opted_out_at=EARLY)
    world.change_email("cem", NEW)
    world.drain()
    rows = world.rows
    rows.decide(world.member("cem"), EXTRA, wanted=True, despite_opt_out=True)
    assert world.member("cem").contact_id != cem.contact_id

    vetoes.opt_out_of_all(rows, world.contact(ANA), LATER)

    assert dates(world, "ana") == {PHONE: EARLY, NDA: None, EXTRA: LATER}
    assert dates(world, "ben") == {PHONE: LATER, NDA: None, EXTRA: LATER}
    assert dates(world, "cem") == {PHONE: LATER, NDA: None, EXTRA: None}
    assert {member.opted_out_at for member in rows.members.values()} == {None}


def test_end_of_one_opt_out_leaves_those_of_all_others(world: World) -> None:
    joined(world, ("ana", ANA))
    ana = world.member("ana")
    ana.opted_out_at = LATER
    world.rows.decide(ana, NDA, opted_out_at=EARLY)

    vetoes.end_veto(world.rows, ana, PHONE)

    assert dates(world, "ana") == {PHONE: None, NDA: EARLY, EXTRA: LATER}
    assert ana.opted_out_at is None


def test_end_of_an_opt_out_decides_nothing_on_other_newsletters(world: World) -> None:
    joined(world, ("ana", ANA))
    ana = world.member("ana")
    world.rows.decisions.clear()

    vetoes.end_veto(world.rows, ana, PHONE)

    assert set(world.rows.decisions) == {(ana.id, PHONE)}


def test_mailbox_that_made_no_marks_ends_none(world: World) -> None:
    joined(world, ("ana", ANA))
    contact = world.contact(ANA)
    world.rows.decisions.clear()
    world.rows.record(contact, EXTRA).state = State.OPTED_OUT

    vetoes.end_mailbox_veto(world.rows, contact, EXTRA)

    assert world.rows.subscription(contact, EXTRA).state == State.UNKNOWN
    assert not world.rows.decisions


def test_answer_closes_its_question_and_no_other(world: World) -> None:
    asked, other = Question(PHONE, START, 3), Question(NDA, START, 3)
    world.rows.questions = [asked, other]

    rows = losses.answer_question(world.rows, asked, lost=True)

    assert [question.closed_at for question in rows.questions] == [rows.now, None]
    assert (rows.question(PHONE), rows.question(NDA)) == (None, other)


def test_deleted_member_leaves_opt_outs_that_no_order_overrides(world: World) -> None:
    joined(world, ("ana", ANA))
    ana, contact = world.member("ana"), world.contact(ANA)
    world.rows.decide(ana, PHONE, opted_out_at=EARLY)
    world.rows.decide(ana, NDA, opted_out_at=EARLY, wanted=True, despite_opt_out=True)

    vetoes.leave_behind(world.rows, ana, contact)

    row = world.rows.subscription(contact, PHONE)
    assert (row.state, row.opted_out_at) == (State.OPTED_OUT, EARLY)
    assert world.rows.subscription(contact, NDA).state != State.OPTED_OUT


def test_order_despite_opt_outs_since_it_went_missing_is_owed_however_a_question_ends(
    world: World,
) -> None:
    emails = {key: f"{key}@example.com" for key in ("ana", "ben", "cem", "dee")}
    joined(world, *((key, email, PHONE) for key, email in emails.items()))
    rows, asked = world.rows, Question(PHONE, EARLY, len(emails))
    world.now = LATER
    for email in emails.values():
        world.subscription(email, PHONE).missing_at = EARLY
    world.decision("ana", PHONE).despite_opt_out = True
    world.decision("ana", PHONE).decided_at = LATER
    world.decision("ben", PHONE).despite_opt_out = True  # an order of before
    world.decision("cem", PHONE).decided_at = LATER  # an order that overrides nothing
    dee = world.decision("dee", PHONE)
    dee.wanted, dee.despite_opt_out, dee.decided_at = False, True, LATER

    world.rows = end_question(rows, asked, Ending.OPTED_OUT, rows.contacts)

    states = {key: world.subscription(email, PHONE).state for key, email in emails.items()}
    assert states.pop("ana") == State.UNKNOWN
    assert set(states.values()) == {State.OPTED_OUT}


def test_opt_out_that_basket_showed_is_told_from_an_inferred_one(world: World) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    contact = world.contact(ANA)
    row = world.subscription(ANA, PHONE)
    row.confirmed_at, row.seen_at = EARLY, None  # a call that may still be in Basket's queue

    vetoes.opt_out_mailbox(world.rows, contact, PHONE, LATER)
    vetoes.opt_out_mailbox(world.rows, contact, NDA, LATER, inferred=True)

    assert (row.missing_at, row.requested_at) == (None, EARLY)
    assert world.subscription(ANA, NDA).missing_at == LATER


def test_member_who_takes_an_opt_out_along_keeps_the_date_of_their_own(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    ana, contact = world.member("ana"), world.contact(ANA)
    vetoes.mark(world.rows.record(contact, PHONE), LATER)
    world.rows.decide(ana, PHONE, opted_out_at=EARLY)

    vetoes.take_along(world.rows, ana, contact)

    assert dates(world, "ana")[PHONE] == EARLY


# By rows: the marks of inferred opt-outs.


def ana(**columns: Any) -> Member:
    """Return the member of the contact with the key 1."""
    return Member(1, key="ana", contact_id=1, **columns)


@pytest.mark.parametrize(
    ("confirmed_at", "inferred", "missing_at"),
    [(None, {}, None), (None, {"inferred": True}, LATER), (EARLY, {"inferred": True}, None)],
)
def test_mark_is_of_a_missing_subscription_only_if_it_was_inferred_and_nothing_is_held(
    confirmed_at: datetime | None, inferred: dict[str, bool], missing_at: datetime | None
) -> None:
    row = Subscription(1, PHONE, confirmed_at=confirmed_at)

    vetoes.mark(row, LATER, **inferred)

    assert (row.state, row.opted_out_at) == (State.OPTED_OUT, LATER)
    assert row.missing_at == missing_at


@pytest.mark.parametrize(
    ("inferred", "earlier", "by_sample"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"opted_out_at": EARLY, "inferred": True}, True),
        (True, {"opted_out_at": EARLY}, False),
        (False, {"opted_out_at": EARLY, "inferred": True}, False),
    ],
)
def test_decision_is_inferred_while_nothing_but_a_control_sample_said_so(
    inferred: bool,
    earlier: dict[str, Any],
    by_sample: bool,
) -> None:
    rows = rows_of(contact(), ana(), Decision(1, PHONE, wanted=True, **earlier), shown())

    vetoes.opt_out_mailbox(rows, rows.contacts[1], PHONE, LATER, inferred=inferred)

    decision = rows.decisions[1, PHONE]
    assert decision.opted_out_at == earlier.get("opted_out_at", LATER)
    assert decision.inferred is by_sample


def test_everything_that_is_turned_off_at_basket_was_not_inferred() -> None:
    ordered = Decision(1, NDA, wanted=True, despite_opt_out=True)
    rows = rows_of(contact(), ana(), ordered, Decision(1, PHONE, wanted=True, inferred=True))

    vetoes.opt_out_of_all(rows, rows.contacts[1], LATER)

    assert rows.decisions[1, PHONE].opted_out_at == LATER
    assert rows.decisions[1, PHONE].inferred is False


def test_opt_out_that_ends_was_not_inferred() -> None:
    rows = rows_of(contact(), ana(), Decision(1, PHONE, opted_out_at=EARLY, inferred=True))

    vetoes.end_veto(rows, rows.members[1], PHONE)

    assert (rows.decisions[1, PHONE].opted_out_at, rows.decisions[1, PHONE].inferred) == (
        None,
        False,
    )


@pytest.mark.parametrize(
    ("earlier", "missing_at", "inferred"),
    [
        ({}, LATER, True),
        ({}, None, False),
        ({"opted_out_at": EARLY}, LATER, False),
        ({"opted_out_at": EARLY, "inferred": True}, None, True),
    ],
)
def test_copy_of_an_opt_out_is_inferred_if_the_first_one_is(
    earlier: dict[str, Any],
    missing_at: datetime | None,
    inferred: bool,
) -> None:
    row = Subscription(1, PHONE, State.OPTED_OUT, opted_out_at=LATER, missing_at=missing_at)
    rows = rows_of(contact(), ana(), row, Decision(1, PHONE, wanted=True, **earlier))

    vetoes.take_along(rows, rows.members[1], rows.contacts[1])

    assert rows.decisions[1, PHONE].inferred is inferred


@pytest.mark.parametrize(
    ("member", "inferred", "missing_at"),
    [
        ({}, True, EARLY),
        ({}, False, None),
        ({"opted_out_at": EARLY}, True, None),
        ({"opted_out_at": EARLY}, False, None),
    ],
)
def test_opt_out_left_behind_is_inferred_if_the_member_s_was(
    member: dict[str, Any],
    inferred: bool,
    missing_at: datetime | None,
) -> None:
    decision = Decision(1, PHONE, opted_out_at=EARLY, inferred=inferred)
    rows = rows_of(contact(), ana(**member), decision)

    vetoes.leave_behind(rows, rows.members[1], rows.contacts[1])

    row = rows.subscription(rows.contacts[1], PHONE)
    assert (row.state, row.missing_at) == (State.OPTED_OUT, missing_at)


def test_newsletter_that_basket_has_is_not_doubted_for_a_member_who_has_left() -> None:
    here, there = shown(1), shown(2, missing_at=EARLY)
    move = Move(1, source_id=2, target_id=1, moved_at=EARLY)
    rows = rows_of(contact(1), contact(2), ana(), here, there, move)

    vetoes.leave_behind(rows, rows.members[1], rows.contacts[1])

    assert rows.subscription(rows.contacts[1], PHONE).missing_at is None
