"""The calls left for a contact, when it is looked at again, and what ends with a sync; by rows."""

from datetime import datetime
from typing import Any

import pytest

from mozillians_basket.rules.plan import (
    Plan,
    look_again_at,
    plan,
    queued_since,
    rate_limited_until,
    settle,
)
from mozillians_basket.rules.rows import Question, State
from tests.rules.stories import at, contact, rows_of, shown
from tests.rules.world import NDA, PHONE, START, Decision, Member, Move, Subscription

OLD, NEW = 1, 2
"""The keys of two contacts."""


def wish(member_id: int = 1, newsletter: str = PHONE, **columns: Any) -> Decision:
    """Return a member's wish."""
    found = {"wanted": True, "decided_by": "admin", "decided_at": at(-60), **columns}
    return Decision(member_id, newsletter, **found)


ANA = Member(1, key="ana", contact_id=OLD)
ORDERED = Member(1, contact_id=OLD)
"""Somebody without a member of the site: only an order named the address."""


@pytest.mark.parametrize("newest", [PHONE, NDA])
def test_fields_are_those_of_the_member_with_the_newest_decision(newest: str) -> None:
    ben = Member(2, key="ben", contact_id=OLD)
    wishes = [
        wish(1 if name == newest else 2, name, decided_at=at(-1 if name == newest else -2))
        for name in (PHONE, NDA)
    ]

    found = plan(rows_of(contact(), ANA, ben, *wishes), OLD)

    assert found == Plan(frozenset({PHONE, NDA}), frozenset(), fields_of=1, renamed="")


def test_no_fields_are_sent_where_a_subscribe_would_make_a_new_person() -> None:
    rows = rows_of(
        contact(renamed_at=at(-60)),
        ANA,
        wish(despite_opt_out=True),
        shown(newsletter=NDA),
    )

    assert plan(rows, OLD) == Plan(frozenset(), frozenset({NDA}))


@pytest.mark.parametrize(("minutes", "repeated"), [(-59, False), (-60, True)])
def test_unsubscribe_that_is_still_not_shown_is_repeated_when_the_grace_ends(
    minutes: float, repeated: bool
) -> None:
    row = shown(removed_at=at(minutes), removal_pending=True)

    found = plan(rows_of(contact(touched_at=at(minutes)), row), OLD)

    assert bool(found.unsubscribe) is repeated


@pytest.mark.parametrize("arrived", [False, True])
def test_renamed_person_keeps_a_newsletter_until_it_arrives_where_the_member_moved(
    arrived: bool,
) -> None:
    rows = rows_of(
        contact(renamed_people={"token": [PHONE]}),
        contact(NEW),
        Member(1, key="ana", contact_id=NEW),
        wish(),
        Move(1, OLD, NEW, at(-1)),
        *([shown(NEW)] if arrived else []),
    )

    assert plan(rows, OLD).renamed == ("token" if arrived else "")


def test_fifth_subscribe_within_five_minutes_waits_for_the_end_of_the_first() -> None:
    calls = (at(-4), at(-3), at(-2), at(-1))

    assert rate_limited_until(rows_of(), contact(subscribe_calls=calls)) == at(1)
    assert rate_limited_until(rows_of(), contact(subscribe_calls=calls[1:])) is None
    assert rate_limited_until(rows_of(), contact(subscribe_calls=(at(-5), *calls[1:]))) is None


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(shown(), None, id="at rest"),
        pytest.param(shown(removed_at=at(-10), removal_pending=True), at(10), id="removal pending"),
        pytest.param(shown(removed_at=at(-50), removal_pending=True), at(10), id="its grace ends"),
        pytest.param(shown(removed_at=at(-90), removal_pending=True), at(90), id="it is over"),
        pytest.param(shown(removed_at=at(-10)), at(10), id="removal may come late"),
        pytest.param(shown(removed_at=at(-50)), at(9), id="a minute before its grace ends"),
        pytest.param(shown(removed_at=at(-59)), None, id="just then"),
        pytest.param(
            Subscription(OLD, PHONE, removed_at=at(-10), removal_pending=True),
            at(10),
            id="nothing there while a removal is pending",
        ),
        pytest.param(Subscription(OLD, PHONE, removed_at=at(-10)), None, id="nothing there"),
        pytest.param(Subscription(OLD, PHONE, requested_at=at(-10)), at(10), id="no answer"),
        pytest.param(
            Subscription(OLD, PHONE, requested_at=at(-14 * 60)), at(10 * 60), id="its day ends"
        ),
    ],
)
def test_contact_is_looked_up_again_as_long_as_a_call_may_take_effect(
    row: Subscription, expected: datetime | None
) -> None:
    rows = rows_of(contact(), ANA, wish(), row)

    assert look_again_at(rows, rows.contacts[OLD]) == expected


@pytest.mark.parametrize(("hours", "expected"), [(-2, 2), (-14, 10), (-30, 30)])
def test_cleared_address_without_a_person_is_looked_up_for_a_day(hours: int, expected: int) -> None:
    lost = shown(state=State.LOST, missing_at=at(60 * hours))
    rows = rows_of(contact(clear=True), lost)

    assert look_again_at(rows, rows.contacts[OLD]) == at(60 * expected)


@pytest.mark.parametrize(
    ("member", "token", "questions", "expected"),
    [
        pytest.param(ORDERED, "", [Question(PHONE, at(-60), 5)], at(10), id="an order waits"),
        pytest.param(ORDERED, "", [], None, id="no question"),
        pytest.param(ORDERED, "abc", [Question(PHONE, at(-60), 5)], None, id="somebody was shown"),
        pytest.param(ANA, "", [Question(PHONE, at(-60), 5)], None, id="a member of the site"),
    ],
)
def test_ordered_address_is_looked_up_while_basket_may_have_lost_its_person(
    member: Member, token: str, questions: list[Question], expected: datetime | None
) -> None:
    rows = rows_of(contact(token=token, touched_at=at(-10)), member, questions=questions)

    assert look_again_at(rows, rows.contacts[OLD]) == expected


def test_contact_is_looked_at_again_while_its_newsletter_is_paused() -> None:
    rows = rows_of(contact(touched_at=at(-10)), ANA, wish(), paused=frozenset({PHONE}))

    assert look_again_at(rows, rows.contacts[OLD]) == at(10)


@pytest.mark.parametrize(("held", "expected"), [(False, at(1)), (True, None)])
def test_subscribe_that_would_run_into_the_rate_limit_waits_for_its_end(
    held: bool, expected: datetime | None
) -> None:
    calls = (at(-4), at(-3), at(-2), at(-1))
    rows = rows_of(contact(subscribe_calls=calls), ANA, wish(), *([shown()] if held else []))

    assert look_again_at(rows, rows.contacts[OLD]) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        pytest.param({"renamed_removal_at": at(-10)}, at(10), id="removed"),
        pytest.param({"renamed_removal_at": at(-50)}, at(10), id="the grace ends"),
        pytest.param({"renamed_removal_at": at(-90)}, at(90), id="it is over"),
        pytest.param(
            {"renamed_people": {"token": None}, "touched_at": at(-10)}, at(10), id="not looked up"
        ),
        pytest.param({"renamed_people": {"token": []}, "touched_at": at(-10)}, None, id="rests"),
    ],
)
def test_renamed_person_is_looked_up_again(
    columns: dict[str, Any], expected: datetime | None
) -> None:
    rows = rows_of(contact(**columns))

    assert look_again_at(rows, rows.contacts[OLD]) == expected


def test_call_that_a_lookup_has_shown_is_queued_no_more() -> None:
    unanswered = Subscription(OLD, PHONE, requested_at=at(-60), confirmed_at=at(-30))

    assert queued_since(unanswered) == at(-30)
    unanswered.seen_at = at(-20)
    assert queued_since(unanswered) == at(-60)


def test_contact_touched_since_its_lookup_goes_on_at_once_and_holds_up_no_other() -> None:
    touched = contact(touched_at=at(1), not_before=at(5))
    other = contact(NEW, touched_at=at(-1), attempts=3, not_before=at(5), problem="unavailable")
    ben = Member(2, key="ben", contact_id=NEW)

    rows, _erased = settle(rows_of(touched, other, ANA, ben), [OLD, NEW])

    assert (rows.contacts[OLD].touched_at, rows.contacts[OLD].not_before) == (at(1), None)
    settled = rows.contacts[NEW]
    assert (settled.touched_at, settled.settled_at) == (None, START)
    assert (settled.attempts, settled.not_before, settled.problem) == (0, None, "")


@pytest.mark.parametrize(
    ("row", "columns", "problem"),
    [
        (shown(state=State.LOST, missing_at=at(-5)), {}, "missing at Basket"),
        (shown(state=State.LOST, missing_at=at(-5)), {"clear": True}, ""),
        (Subscription(OLD, PHONE, state=State.REFUSED, error_code="2"), {}, "2"),
        (shown(error_code="5"), {}, "5"),
        (shown(), {}, ""),
    ],
)
def test_refusal_or_loss_stays_as_the_problem(
    row: Subscription, columns: dict[str, Any], problem: str
) -> None:
    rows, _erased = settle(rows_of(contact(**columns), ANA, wish(), row), [OLD])

    assert rows.contacts[OLD].problem == problem


@pytest.mark.parametrize(
    ("removed", "expected"), [(None, None), (-10, 50), (-59, 1), (-60, None), (-90, None)]
)
def test_address_is_erased_once_no_removal_can_come_late(
    removed: float | None, expected: float | None
) -> None:
    row = Subscription(
        OLD, PHONE, state=State.UNSUBSCRIBED, removed_at=None if removed is None else at(removed)
    )

    rows, erased = settle(rows_of(contact(clear=True, touched_at=at(-1)), row), [OLD])

    assert (OLD in erased) is (expected is None)
    if expected is not None:
        assert rows.contacts[OLD].not_before == at(expected)


@pytest.mark.parametrize(("names", "erased"), [(None, False), ([PHONE], False), ([], True)])
def test_address_is_not_erased_before_its_renamed_person_is_removed(
    names: list[str] | None, erased: bool
) -> None:
    people = {"token": names}

    _rows, gone = settle(rows_of(contact(clear=True, renamed_people=people)), [OLD])

    assert (OLD in gone) is erased


@pytest.mark.parametrize(
    ("names", "wanted", "over"),
    [
        pytest.param([PHONE], True, True, id="wanted by the member who stays"),
        pytest.param([PHONE], False, False, id="to be removed"),
        pytest.param([NDA], True, False, id="another one to be removed"),
        pytest.param(None, True, False, id="not looked up"),
    ],
)
def test_move_ends_when_renamed_people_have_only_what_is_wanted(
    names: list[str] | None, wanted: bool, over: bool
) -> None:
    rows = rows_of(
        contact(renamed_people={"token": names}),
        contact(NEW),
        ANA,
        wish(wanted=wanted),
        Member(2, key="ben", contact_id=NEW),
        Move(2, OLD, NEW, at(-1)),
    )

    rows, _erased = settle(rows, [OLD])

    assert (rows.moves == []) is over


@pytest.mark.parametrize(
    ("source", "there", "over"),
    [
        pytest.param({}, shown(NEW), True, id="arrived"),
        pytest.param({}, None, False, id="not arrived"),
        pytest.param({"looked_up_at": at(-2)}, shown(NEW), False, id="not looked up since"),
    ],
)
def test_move_ends_when_the_newsletter_has_arrived(
    source: dict[str, Any], there: Subscription | None, over: bool
) -> None:
    rows = rows_of(
        contact(**source),
        contact(NEW),
        Member(1, key="ana", contact_id=NEW),
        Member(2, key="ben", contact_id=OLD),
        wish(),
        wish(2),
        shown(),
        *([there] if there else []),
        Move(1, OLD, NEW, at(-1)),
    )

    rows, _erased = settle(rows, [OLD])

    assert (rows.moves == []) is over


@pytest.mark.parametrize(
    ("row", "columns", "questions", "kept"),
    [
        pytest.param(shown(), {"token": "abc"}, [], False, id="carried out"),
        pytest.param(None, {"token": "abc"}, [], True, id="not carried out"),
        pytest.param(
            Subscription(OLD, PHONE, state=State.REFUSED, error_code="2"), {}, [], False,
            id="refused",
        ),
        pytest.param(None, {"parked": True}, [], False, id="the address is refused"),
        pytest.param(shown(), {}, [Question(PHONE, at(-60), 5)], True, id="nobody was shown"),
    ],
)  # fmt: skip
def test_order_for_a_bare_address_ends_when_it_is_carried_out_or_refused(
    row: Subscription | None, columns: dict[str, Any], questions: list[Question], kept: bool
) -> None:
    found = [contact(**columns), ORDERED, wish(), *([row] if row else [])]

    rows, _erased = settle(rows_of(*found, questions=questions), [OLD])

    assert (ORDERED.id in rows.members) is kept


def test_address_keeps_what_an_order_got_as_nobody_s_decision() -> None:
    ben = Member(2, key="ben", contact_id=OLD)
    found = [contact(token="abc"), ORDERED, ben, wish(), wish(2, NDA), shown(), shown(OLD, NDA)]

    rows, _erased = settle(rows_of(*found), [OLD])

    assert {name: rows.subscriptions[OLD, name].decided for name in (PHONE, NDA)} == {
        PHONE: False,
        NDA: True,
    }
    assert set(rows.subscriptions) == {(OLD, PHONE), (OLD, NDA)}


@pytest.mark.parametrize(("key", "due"), [("", True), ("ben", False)])
def test_ordered_address_at_the_end_of_a_move_goes_on_with_it(key: str, due: bool) -> None:
    rows = rows_of(
        contact(),
        contact(NEW),
        Member(1, key="ana", contact_id=NEW),
        Member(2, key=key, contact_id=NEW),
        Move(1, OLD, NEW, at(-1)),
    )

    rows, _erased = settle(rows, [OLD])

    assert (rows.contacts[NEW].touched_at == START) is due


@pytest.mark.parametrize(
    ("wanted", "requested_at", "calls", "problem", "attempts"),
    [
        (True, at(-1), 4, "unavailable", 4),
        (True, at(-1), 3, "", 0),
        (True, None, 4, "", 0),
        (False, at(-1), 4, "", 0),
    ],
)
def test_failures_stay_while_a_subscribe_without_an_answer_must_not_be_repeated(
    wanted: bool,
    requested_at: datetime | None,
    calls: int,
    problem: str,
    attempts: int,
) -> None:
    failing = contact(
        touched_at=at(-5), problem="unavailable", attempts=4, subscribe_calls=[at(-2)] * calls
    )
    row = Subscription(OLD, PHONE, requested_at=requested_at)

    rows, _erased = settle(rows_of(failing, ANA, wish(wanted=wanted), row), [OLD])

    assert (rows.contacts[OLD].problem, rows.contacts[OLD].attempts) == (problem, attempts)
