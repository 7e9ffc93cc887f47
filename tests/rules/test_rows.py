"""Rows: what reads as empty, what is made and deleted, and which losses are doubted."""

from datetime import datetime, timedelta

import pytest

from mozillians_basket.rules.rows import Question, make_due
from tests.rules.stories import ANA, joined
from tests.rules.world import EXTRA, NDA, PHONE, START, Contact, Decision, Subscription, World

BEFORE, LATER, LATEST = (START + timedelta(hours=hours) for hours in (-1, 1, 2))


def test_missing_rows_read_as_empty_ones(world: World) -> None:
    joined(world, ("ana", ANA))

    decision = world.rows.decision(world.member("ana"), EXTRA)
    subscription = world.rows.subscription(world.contact(ANA), EXTRA)

    assert decision == Decision(member_id=0, newsletter="")
    assert subscription == Subscription(contact_id=0, newsletter="")


def test_decision_that_is_made_names_its_member_and_newsletter(world: World) -> None:
    joined(world, ("ana", ANA))
    ana = world.member("ana")

    world.rows.decide(ana, EXTRA, wanted=True)

    assert world.rows.decisions[ana.id, EXTRA] == Decision(ana.id, EXTRA, wanted=True)


@pytest.mark.parametrize(
    ("decided", "opted_out_at", "expected"),
    [(False, None, False), (True, None, True), (False, START, True)],
)
def test_newsletter_is_decided_or_vetoed_by_either(
    world: World, decided: bool, opted_out_at: datetime | None, expected: bool
) -> None:
    joined(world, ("ana", ANA))
    ana = world.member("ana")
    ana.opted_out_at = opted_out_at
    if decided:
        world.rows.decide(ana, EXTRA, wanted=False)

    assert world.rows.is_decided_or_vetoed(world.contact(ANA), EXTRA) is expected


def test_member_who_is_removed_leaves_no_decision(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA, NDA))
    ana, ben = world.member("ana"), world.member("ben")

    world.rows.remove(ana)

    assert {member_id for member_id, _newsletter in world.rows.decisions} == {ben.id}
    assert world.rows.at(world.contact(ANA)) == [ben]


@pytest.mark.parametrize(
    ("lost", "closed_at", "confirmed_at", "seen_at", "doubted"),
    [
        pytest.param(False, None, LATER, None, True, id="confirmed while the question was open"),
        pytest.param(False, None, BEFORE, None, False, id="confirmed before it"),
        pytest.param(False, LATEST, LATER, None, True, id="not seen since it was closed"),
        pytest.param(False, LATEST, LATER, LATEST, False, id="seen since it was closed"),
        pytest.param(False, LATER, LATEST, None, False, id="confirmed since it was closed"),
        pytest.param(True, LATER, BEFORE, None, True, id="confirmed before a loss"),
        pytest.param(True, LATER, BEFORE, BEFORE, True, id="last seen before a loss"),
        pytest.param(True, LATER, BEFORE, LATEST, False, id="seen since the loss"),
        pytest.param(True, LATER, LATEST, None, False, id="confirmed since the loss"),
    ],
)
def test_loss_is_doubted_until_a_lookup_shows_the_subscription(
    world: World,
    lost: bool,
    closed_at: datetime | None,
    confirmed_at: datetime,
    seen_at: datetime | None,
    doubted: bool,
) -> None:
    question = Question(PHONE, START, 5, closed_at, lost=lost)
    world.rows.questions = [question]
    row = Subscription(1, PHONE, confirmed_at=confirmed_at, seen_at=seen_at)

    assert world.rows.losses_of(row) == ([question] if doubted else [])


@pytest.mark.parametrize(("attempts", "expected"), [(0, None), (1, LATER)])
def test_contact_that_waits_after_a_failure_goes_on_waiting(
    attempts: int, expected: datetime | None
) -> None:
    contact = Contact(1, attempts=attempts, not_before=LATER)

    make_due(contact, START)

    assert contact.touched_at == START
    assert contact.not_before == expected
