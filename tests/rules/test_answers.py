"""Lookups and answers to calls, by rows."""

from datetime import datetime
from typing import Any

import pytest

from mozillians_basket.rules.answers import (
    Answer,
    Kind,
    Lookup,
    Meaning,
    Person,
    apply_lookups,
    ask_by_token,
    begin_subscribe,
    begin_unsubscribe,
    end_subscribe,
    end_unsubscribe,
    fail_lookups,
    meaning,
)
from mozillians_basket.rules.rows import Question, Rows, State
from tests.rules.stories import at, contact, rows_of, shown
from tests.rules.world import (
    EXTRA,
    NDA,
    PHONE,
    START,
    Contact,
    Decision,
    Member,
    Move,
    Subscription,
)

OLD, NEW = 1, 2
"""The keys of two contacts."""

DAY = 24 * 60
TOKEN, OTHER = "token-of-ana", "token-of-ben"


def member(pk: int = 1, contact_id: int | None = OLD, **columns: Any) -> Member:
    """Return a member of the site."""
    return Member(pk, key=f"member{pk}", contact_id=contact_id, **columns)


def wish(member_id: int = 1, **columns: Any) -> Decision:
    """Return a wish of two days ago for ``PHONE``."""
    found = {"wanted": True, "decided_by": "admin", "decided_at": at(-2 * DAY), **columns}
    return Decision(member_id, PHONE, **found)


def before(pk: int = OLD, **columns: Any) -> Contact:
    """Return a contact that was looked up fifty minutes ago."""
    return contact(pk, **{"looked_up_at": at(-50), "token": TOKEN, **columns})


def person(*newsletters: str, token: str = TOKEN, **columns: Any) -> Person:
    """Return the person that Basket shows."""
    return Person("ana@example.com", token, frozenset(newsletters), **columns)


def after_lookup(rows: Rows, **shows: Any) -> Subscription:
    """Return the subscription to ``PHONE`` after a lookup now."""
    found: Subscription = apply_lookups(rows, {OLD: Lookup(START, **shows)}).subscriptions[
        OLD, PHONE
    ]
    return found


@pytest.mark.parametrize(
    ("columns", "confirmed", "expected"),
    [
        ({"token": ""}, True, False),
        ({"token": TOKEN}, False, False),
        ({"token": TOKEN}, True, True),
        ({"token": TOKEN, "renamed_at": at(-5)}, False, True),
    ],
)
def test_token_is_looked_up_where_basket_had_something(
    columns: dict[str, Any], confirmed: bool, expected: bool
) -> None:
    row = shown() if confirmed else Subscription(OLD, PHONE)

    assert ask_by_token(contact(**columns), [row]) is expected


@pytest.mark.parametrize(
    ("row", "wanted", "shows", "expected"),
    [
        pytest.param(
            shown(removal_pending=True, removed_at=at(-5)), False, {"by_token": person(PHONE)},
            Meaning.RENAMED, id="somebody with the token still has it",
        ),
        pytest.param(
            shown(removal_pending=True, removed_at=at(-5)), False, {"by_token": person()},
            Meaning.REMOVED, id="somebody with the token has it no more",
        ),
        pytest.param(
            shown(removed_at=at(-60)), True, {}, Meaning.LOST, id="the grace of a removal is over"
        ),
        pytest.param(
            shown(removed_at=at(-59)), True, {}, Meaning.REMOVED, id="a removal came late"
        ),
        pytest.param(
            shown(removed_at=at(-90), confirmed_at=at(-30), seen_at=None), True, {},
            Meaning.QUEUED, id="confirmed when the grace ended",
        ),
        pytest.param(
            shown(removed_at=at(-90), confirmed_at=at(-31), seen_at=None), True, {},
            Meaning.REMOVED, id="confirmed within the grace",
        ),
    ],
)  # fmt: skip
def test_newsletter_that_is_not_shown(
    row: Subscription, wanted: bool, shows: dict[str, Any], expected: Meaning
) -> None:
    rows = rows_of(before(), member(), wish(wanted=wanted), row)

    assert meaning(rows, rows.contacts[OLD], PHONE, Lookup(START, **shows)) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"), [(-DAY + 1, Meaning.QUEUED), (-DAY, Meaning.LOST)]
)
def test_removal_of_somebody_who_vanished_is_undecided_for_a_day(
    minutes: int, expected: Meaning
) -> None:
    row = shown(removal_pending=True, removed_at=at(minutes))
    rows = rows_of(before(), member(), wish(opted_out_at=at(-2 * DAY)), row)

    assert meaning(rows, rows.contacts[OLD], PHONE, Lookup(START)) == expected
    assert after_lookup(rows).removal_pending is (expected == Meaning.QUEUED)


@pytest.mark.parametrize("optin", [True, False])
def test_lookup_tells_whether_the_person_confirmed(optin: bool) -> None:
    rows = rows_of(before(), member())

    found = apply_lookups(rows, {OLD: Lookup(START, person(optin=optin))})

    assert found.contacts[OLD].optin is optin


def test_absence_is_recorded_only_where_somebody_decided_or_opted_out() -> None:
    rows = rows_of(before(), member(), wish(wanted=False))

    found = apply_lookups(rows, {OLD: Lookup(START, person())})

    assert set(found.subscriptions) == {(OLD, PHONE)}


@pytest.mark.parametrize(("minutes", "ended"), [(-DAY + 1, False), (-DAY, True)])
def test_order_despite_opt_outs_ends_once_its_call_cannot_be_queued(
    minutes: int, ended: bool
) -> None:
    row = shown(confirmed_at=at(minutes), seen_at=None)
    rows = rows_of(before(), member(), wish(despite_opt_out=True), row)

    found = apply_lookups(rows, {OLD: Lookup(START)})

    assert found.decisions[1, PHONE].despite_opt_out is not ended


@pytest.mark.parametrize(("minutes", "open_call"), [(-DAY + 1, True), (-DAY, False)])
def test_person_who_turned_everything_off_has_opted_out_as_of_the_lookup(
    minutes: int, open_call: bool
) -> None:
    rows = rows_of(before(), member(), wish(), shown(requested_at=at(minutes)))

    row = after_lookup(rows, person=person(optout=True))

    assert (row.state, row.opted_out_at) == (State.OPTED_OUT, START)
    assert row.requested_at == (at(minutes) if open_call else None)


def test_removed_subscription_that_no_lookup_had_shown_may_still_be_queued() -> None:
    row = shown(confirmed_at=at(-10), seen_at=None, removal_pending=True, removed_at=at(-5))

    found = after_lookup(rows_of(before(), member(), wish(wanted=False), row))

    assert (found.state, found.requested_at) == (State.UNSUBSCRIBED, at(-10))
    assert (found.confirmed_at, found.removal_pending) == (None, False)


def test_call_that_can_be_queued_no_more_is_forgotten() -> None:
    row = Subscription(OLD, PHONE, requested_at=at(-DAY))

    found = after_lookup(rows_of(before(), member(), wish(wanted=False), row), person=person())

    assert (found.state, found.requested_at) == (State.UNSUBSCRIBED, None)


@pytest.mark.parametrize(
    ("state", "missing_at"), [(State.SUBSCRIBED, START), (State.LOST, at(-90))]
)
def test_loss_has_the_date_of_the_lookup_that_first_found_nobody(
    state: State, missing_at: datetime
) -> None:
    undecided = shown(state=state, seen_at=at(-120), missing_at=at(-90))

    row = after_lookup(rows_of(before(), member(), wish(), undecided))

    assert (row.state, row.missing_at) == (State.LOST, missing_at)


def test_order_despite_opt_outs_subscribes_a_lost_person_again() -> None:
    lost = shown(state=State.LOST, missing_at=at(-90))
    rows = rows_of(before(), member(), wish(despite_opt_out=True), lost)

    found = after_lookup(rows, person=person())

    assert (found.state, found.missing_at, found.confirmed_at) == (State.UNSUBSCRIBED, None, None)


@pytest.mark.parametrize(
    ("minutes", "questions", "expected"),
    [
        (-DAY + 1, [], State.LOST),
        (-DAY, [], State.UNSUBSCRIBED),
        (-DAY, [Question(PHONE, at(-60), 9)], State.LOST),
    ],
)
def test_cleared_address_without_a_person_comes_to_rest_after_a_day(
    minutes: int, questions: list[Question], expected: State
) -> None:
    lost = shown(state=State.LOST, missing_at=at(minutes))

    found = after_lookup(rows_of(before(clear=True), lost, questions=questions))

    assert found.state == expected


@pytest.mark.parametrize(("known", "people"), [("", {}), (OTHER, {OTHER: None}), (TOKEN, {})])
def test_next_person_at_an_address_makes_a_renamed_person_of_the_known_one(
    known: str, people: dict[str, None]
) -> None:
    rows = rows_of(before(token=known, renamed_at=at(-60)), member())

    found = apply_lookups(rows, {OLD: Lookup(START, person())}).contacts[OLD]

    assert (found.token, found.renamed_at, found.renamed_people) == (TOKEN, None, people)


@pytest.mark.parametrize(("known", "seen"), [("", True), (TOKEN, True), (OTHER, False)])
def test_person_made_again_cannot_have_opted_out_of_what_was_lost(known: str, seen: bool) -> None:
    lost = shown(state=State.LOST, missing_at=at(-90), seen_at=at(-120))
    rows = rows_of(before(token=known), member(), wish(), lost)
    done = {OLD: (frozenset({NDA}), Answer(Kind.DONE, token=TOKEN))}

    found = end_subscribe(rows, rows, done)

    assert (found.subscriptions[OLD, PHONE].seen_at is not None) is seen
    assert found.contacts[OLD].token == TOKEN


@pytest.mark.parametrize(("minutes", "pending"), [(-59, True), (-60, False)])
def test_removal_is_over_when_its_grace_has_passed_and_the_newsletter_is_shown(
    minutes: int, pending: bool
) -> None:
    row = shown(removal_pending=True, removed_at=at(minutes))

    found = after_lookup(rows_of(before(), member(), wish(), row), person=person(PHONE))

    assert found.removal_pending is pending


@pytest.mark.parametrize(
    ("decided", "unanswered", "expected"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_decision_is_remembered_at_an_address_while_a_call_may_take_effect(
    decided: bool, unanswered: bool, expected: bool
) -> None:
    row = shown(decided=decided, removal_pending=True, removed_at=at(-5))
    row.unanswered_at = at(-10) if unanswered else None

    found = after_lookup(rows_of(before(), row), person=person())

    assert found.decided is expected


def test_return_ends_the_opt_outs_that_lookups_have_seen() -> None:
    left = member(2, NEW)
    rows = rows_of(
        before(),
        contact(NEW),
        left,
        member(3, opted_out_at=at(-20)),
        member(1),
        wish(1, opted_out_at=at(-100)),
        Move(2, OLD, NEW, at(-20)),
        Subscription(OLD, PHONE, state=State.OPTED_OUT, opted_out_at=at(-100)),
    )

    found = apply_lookups(rows, {OLD: Lookup(START, person(PHONE))})

    assert found.subscriptions[OLD, PHONE].state == State.SUBSCRIBED
    returned = found.decisions[1, PHONE]
    assert (returned.wanted, returned.decided_by, returned.opted_out_at) == (True, "member", None)
    assert returned.decided_at == at(-50)
    assert (2, PHONE) not in found.decisions
    assert found.members[3].opted_out_at == at(-20)


def test_return_after_an_opt_out_on_the_site_concerns_that_member_only() -> None:
    rows = rows_of(
        before(),
        member(2),
        member(1),
        wish(1, opted_out_at=at(-100)),
        Subscription(OLD, PHONE, state=State.UNSUBSCRIBED),
    )

    found = apply_lookups(rows, {OLD: Lookup(START, person(PHONE))})

    assert found.decisions[1, PHONE].opted_out_at is None
    assert not found.decisions.get((2, PHONE), Decision(2, PHONE)).wanted


def test_owner_with_another_address_opts_the_mailbox_out_but_for_an_order() -> None:
    order = Decision(1, EXTRA, wanted=True, decided_by="admin", despite_opt_out=True)
    pending = shown(removal_pending=True, removed_at=at(-60))
    nda = shown(OLD, NDA, removal_pending=True, removed_at=at(-60))
    wishes = [wish(), order, Decision(1, NDA, wanted=False, decided_by="admin")]
    rows = rows_of(before(), member(), *wishes, pending, nda)

    found = apply_lookups(rows, {OLD: Lookup(START, by_token=person(PHONE, NDA))})

    states = {name: found.subscriptions[OLD, name].state for name in (PHONE, NDA, EXTRA)}
    assert states == {PHONE: State.OPTED_OUT, NDA: State.OPTED_OUT, EXTRA: State.UNKNOWN}
    assert found.contacts[OLD].renamed_at == START
    assert found.subscriptions[OLD, PHONE].removal_pending is False
    assert found.subscriptions[OLD, NDA].removal_pending is True


@pytest.mark.parametrize("ordered", [PHONE, NDA, EXTRA])
def test_owner_with_another_address_opts_out_of_all_but_what_is_ordered(ordered: str) -> None:
    order = Decision(1, ordered, wanted=True, decided_by="admin", despite_opt_out=True)
    rows = rows_of(before(renamed_at=at(-60)), member(), order)

    found = apply_lookups(rows, {OLD: Lookup(START, by_token=person())})

    opted_out = {n for n in (PHONE, NDA, EXTRA) if found.subscriptions[OLD, n].state == "opted out"}
    assert opted_out == {PHONE, NDA, EXTRA} - {ordered}


def test_cleared_address_that_a_loss_explains_forgets_its_call() -> None:
    row = shown(confirmed_at=at(-DAY - 60), seen_at=None, requested_at=at(-DAY))
    loss = Question(PHONE, at(-DAY - 90), 9, at(-DAY - 30))

    found = after_lookup(rows_of(before(clear=True), row, questions=[loss]))

    assert (found.state, found.requested_at, found.confirmed_at) == (State.UNSUBSCRIBED, None, None)


@pytest.mark.parametrize(
    ("touched", "questions", "known", "shows", "expected"),
    [
        pytest.param(-DAY + 1, [], [PHONE], {}, {OTHER: [PHONE]}, id="kept for a day"),
        pytest.param(-DAY, [], [PHONE], {}, {}, id="a day is over"),
        pytest.param(None, [], [PHONE], {}, {OTHER: [PHONE]}, id="not waiting yet"),
        pytest.param(
            -DAY, [Question(PHONE, at(-60), 9)], [PHONE], {}, {OTHER: [PHONE]},
            id="kept while a question is open",
        ),
        pytest.param(-DAY, [Question(NDA, at(-60), 9)], [PHONE], {}, {}, id="of another one"),
        pytest.param(
            -DAY, [Question(NDA, at(-60), 9)], None, {}, {OTHER: None}, id="nothing known yet"
        ),
        pytest.param(
            -DAY, [], [PHONE, NDA], {"renamed": {OTHER: frozenset({NDA})}}, {OTHER: [NDA]},
            id="what they still have",
        ),
        pytest.param(
            -DAY, [], [PHONE], {"by_token": person(PHONE, token=OTHER), "elsewhere": True}, {},
            id="at an address with members",
        ),
    ],
)  # fmt: skip
def test_renamed_people_are_kept_while_they_may_have_something(
    touched: int | None,
    questions: list[Question],
    known: list[str] | None,
    shows: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    people = {TOKEN: [PHONE], OTHER: known}
    here = before(token="abc", renamed_people=people)
    here.touched_at = None if touched is None else at(touched)
    rows = rows_of(here, member(), questions=questions)

    found = apply_lookups(rows, {OLD: Lookup(START, person(), **shows)})

    kept = {t: n for t, n in found.contacts[OLD].renamed_people.items() if t != "abc"}
    assert kept == expected


def test_all_renamed_people_are_kept_while_they_may_have_something() -> None:
    people = {OTHER: [PHONE], "token-of-cem": [NDA]}
    rows = rows_of(before(renamed_people=people, touched_at=at(-5)), member())

    found = apply_lookups(rows, {OLD: Lookup(START, person())})

    assert found.contacts[OLD].renamed_people == people


@pytest.mark.parametrize("name", [PHONE, NDA, EXTRA])
@pytest.mark.parametrize("shows", [True, False])
def test_member_who_moves_away_adopts_what_a_lookup_shows(name: str, shows: bool) -> None:
    row = shown(OLD, name, decided=False, seen_at=at(-50))
    rows = rows_of(before(), contact(NEW), member(1, NEW), Move(1, OLD, NEW, at(-5)), row)

    found = apply_lookups(rows, {OLD: Lookup(START, person(*([name] if shows else [])))})

    adopted = {key[1] for key, decision in found.decisions.items() if decision.wanted}
    assert adopted == ({name} if shows else set())


@pytest.mark.parametrize(("confirmed", "adopts"), [(-600, True), (-3, False)])
def test_member_adopts_what_was_there_before_the_move_although_others_decided_since(
    confirmed: int, adopts: bool
) -> None:
    row = shown(confirmed_at=at(confirmed), seen_at=at(-50), decided=False)
    mate = wish(2, decided_at=at(-2))
    people = [member(1, NEW), member(2)]
    rows = rows_of(before(), contact(NEW), *people, mate, Move(1, OLD, NEW, at(-5)), row)

    found = apply_lookups(rows, {OLD: Lookup(START, person(PHONE))})

    assert ((1, PHONE) in found.decisions) is adopts


def test_refused_lookup_parks_its_contact_and_lets_moves_go_on() -> None:
    rows = rows_of(
        before(attempts=3),
        contact(NEW, touched_at=None),
        member(1, NEW),
        member(2, OLD),
        member(3, None),
        Move(3, OLD, None, at(-5)),
        Move(1, OLD, NEW, at(-5)),
    )

    found = fail_lookups(rows, {OLD: Answer(Kind.REFUSED, "2")}, at(-1))

    refused = found.contacts[OLD]
    assert (refused.parked, refused.problem, refused.attempts) == (True, "2", 0)
    assert refused.looked_up_at == at(-1)
    assert found.contacts[NEW].touched_at == START


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.DONE, (State.SUBSCRIBED, None, START, "")),
        (Kind.UNCLEAR, (State.UNKNOWN, START, None, "")),
        (Kind.NOT_DONE, (State.UNKNOWN, at(-30), None, "")),
        (Kind.REFUSED, (State.REFUSED, None, None, "2")),
    ],
)
def test_answer_to_a_subscribe(kind: Kind, expected: tuple[Any, ...]) -> None:
    names: Any = (NDA, EXTRA, PHONE)
    rows = rows_of(before(), member(), Subscription(OLD, PHONE, requested_at=at(-30)))
    begun = begin_subscribe(rows, {OLD: names})
    for name in (NDA, EXTRA):
        begun.subscriptions[OLD, name].state = State.OPTED_OUT

    found = end_subscribe(begun, rows, {OLD: (names, Answer(kind, "2", TOKEN))})

    row = found.subscriptions[OLD, PHONE]
    assert (row.state, row.requested_at, row.confirmed_at, row.error_code) == expected
    stand = {found.subscriptions[OLD, name].state for name in (NDA, EXTRA)}
    assert stand == {State.OPTED_OUT}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(Kind.DONE), (State.SUBSCRIBED, True, START, "")),
        (Answer(Kind.UNCLEAR), (State.SUBSCRIBED, True, START, "UNCLEAR")),
        (Answer(Kind.UNCLEAR, "timeout"), (State.SUBSCRIBED, True, START, "timeout")),
        (Answer(Kind.NOT_DONE, "429"), (State.SUBSCRIBED, False, at(-90), "")),
        (Answer(Kind.REFUSED, "5"), (State.REFUSED, False, at(-90), "5")),
    ],
)
def test_answer_to_an_unsubscribe(answer: Answer, expected: tuple[Any, ...]) -> None:
    names = frozenset({PHONE})
    rows = rows_of(before(), shown(removed_at=at(-90)))
    begun = begin_unsubscribe(rows, {OLD: names})

    found = end_unsubscribe(begun, rows, {OLD: (names, answer)})

    row = found.subscriptions[OLD, PHONE]
    assert (row.state, row.removal_pending, row.removed_at, row.error_code) == expected


@pytest.mark.parametrize(
    ("kind", "removed_at"),
    [(Kind.DONE, START), (Kind.REFUSED, START), (Kind.UNCLEAR, at(-90)), (Kind.NOT_DONE, at(-90))],
)
def test_answer_about_a_renamed_person_tells_when_they_were_removed(
    kind: Kind, removed_at: datetime
) -> None:
    names = {OLD: frozenset({PHONE}), NEW: frozenset({PHONE})}
    rows = rows_of(before(renamed_removal_at=at(-90)), contact(NEW), shown(NEW))
    begun = begin_unsubscribe(rows, names, [OLD])

    found = end_unsubscribe(begun, rows, {pk: (names[pk], Answer(kind)) for pk in names}, [OLD])

    assert found.contacts[OLD].renamed_removal_at == removed_at
    assert (OLD, PHONE) not in found.subscriptions
    assert begun.subscriptions[NEW, PHONE].removed_at == START
    sent = kind in {Kind.DONE, Kind.UNCLEAR}
    assert found.subscriptions[NEW, PHONE].removal_pending is sent
