"""Addresses, the site's word about members, orders and retries; by rows."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from mozillians_basket.rules.brake import Brake
from mozillians_basket.rules.evaluate import (
    Result,
    Standing,
    contact_key,
    erase,
    evaluate,
    opt_out,
    order,
    retry,
    suppress_again,
    suppression_hash,
)
from mozillians_basket.rules.rows import Question, State
from tests.rules.stories import at, contact, rows_of, shown
from tests.rules.world import NDA, PHONE, SETTINGS, START, Decision, Member, Subscription

OLD, NEW = 1, 2
"""The keys of two contacts."""


def ana(contact_id: int | None = OLD, **columns: Any) -> Member:
    """Return a member of the site."""
    return Member(1, key="ana", contact_id=contact_id, **columns)


def given(member_id: int = 1, **columns: Any) -> Decision:
    """Return a decision that a policy made an hour ago."""
    found = {
        "entitled": True, "wanted": True, "decided_by": "policy", "decided_at": at(-60), **columns,
    }  # fmt: skip
    return Decision(member_id, PHONE, **found)


def absent(**columns: Any) -> Subscription:
    """Return a subscription that a lookup has seen to be gone."""
    return Subscription(OLD, PHONE, state=State.UNSUBSCRIBED, **columns)


@pytest.mark.parametrize(
    ("email", "key"),
    [
        (" Ana@Example.COM ", "ana@example.com"),
        ("ana@STRAßE.example", "ana@xn--strae-oqa.example"),
        ("ana@\uff45xample.com", "ana@example.com"),
        ('"a@b"@straße.example', '"a@b"@xn--strae-oqa.example'),
        ("ana@-ß-.example", "ana@-ß-.example"),
        ("ana", ""),
        ("@example.com", ""),
        ("ana@", ""),
    ],
)  # fmt: skip
def test_one_mailbox_has_one_key(email: str, key: str) -> None:
    assert contact_key(email) == key


def test_hash_of_an_erased_mailbox_depends_on_address_and_secret() -> None:
    hashes = {
        suppression_hash(key, secret)
        for key in ("ana@example.com", "ben@example.com")
        for secret in (b"one", b"another")
    }

    assert len(hashes) == 4
    assert {len(each) for each in hashes} == {64}


def test_changes_come_in_the_order_of_their_times_and_deletions_last() -> None:
    members = [Member(pk, key=f"member{pk}", contact_id=pk) for pk in (1, 2, 3, 4)]
    rows = rows_of(
        *members,
        *[contact(pk) for pk in (1, 2, 3, 4)],
        *[given(pk) for pk in (1, 2, 3, 4)],
        *[shown(pk) for pk in (1, 2, 3, 4)],
    )
    standings = [
        Standing(1, deleted=True),
        Standing(4, deleted=True, changed_at=at(-1)),
        Standing(2, 2, entitled={PHONE: False}, changed_at=at(-1)),
        Standing(3, 3, entitled={PHONE: False}),
    ]

    found = evaluate(rows, standings)

    assert found.removed[PHONE] == [3, 2, 4, 1]


@pytest.mark.parametrize("decided_at", [at(-60), START])
def test_policy_decides_when_its_outcome_changes(decided_at: datetime) -> None:
    rows = rows_of(contact(), ana(), given(decided_at=decided_at, despite_opt_out=True), shown())

    found = evaluate(rows, [Standing(1, OLD, entitled={PHONE: False})]).rows

    decision = found.decisions[1, PHONE]
    assert decision == given(entitled=False, wanted=False, decided_at=START)
    assert found.contacts[OLD].touched_at == START


def test_later_decision_stays_when_the_outcome_changes() -> None:
    later = given(entitled=False, wanted=False, decided_by="admin", decided_at=at(1))

    found = evaluate(rows_of(contact(), ana(), later), [Standing(1, OLD, entitled={PHONE: True})])

    decision = found.rows.decisions[1, PHONE]
    assert (decision.entitled, decision.wanted, decision.decided_by) == (True, False, "admin")


def test_newsletter_that_a_policy_gave_counts_as_given_again() -> None:
    rows = rows_of(contact(), ana(), given(entitled=False))

    found = evaluate(rows, [Standing(1, OLD, entitled={PHONE: True})]).rows

    assert found.decisions[1, PHONE] == given()
    assert found.contacts[OLD].touched_at is None


def test_held_back_removal_is_noted_and_not_applied() -> None:
    rows = rows_of(contact(), ana(), given(), shown())

    found = evaluate(rows, [Standing(1, OLD, entitled={PHONE: False})], {PHONE: Brake(9, on=True)})

    assert found.held_back[PHONE] == [1]
    assert found.removed[PHONE] == []
    assert found.rows.decisions[1, PHONE] == given(entitled=False, held_back_at=START)
    assert set(found.rows.decisions) == {(1, PHONE)}
    assert found.rows.members[1].held_back_at == START


@pytest.mark.parametrize(
    ("standing", "approved", "marks"),
    [
        pytest.param(Standing(1, deleted=True), [], (at(-30), at(-30)), id="both leave together"),
        pytest.param(
            Standing(1, OLD, entitled={PHONE: False, NDA: False}), [], (at(-30), None),
            id="one is held back, the other ends",
        ),
        pytest.param(Standing(1), [(1, PHONE), (1, NDA)], (None, None), id="both are approved"),
    ],
)  # fmt: skip
def test_marks_of_held_back_removals_end_with_what_holds_them_back(
    standing: Standing, approved: list[tuple[int, str]], marks: tuple[datetime | None, ...]
) -> None:
    wishes = [replace(given(held_back_at=at(-30)), newsletter=name) for name in (PHONE, NDA)]
    member = ana(held_back_at=at(-30))
    rows = rows_of(contact(), member, *wishes, shown(), shown(OLD, NDA))

    found = evaluate(rows, [standing], {PHONE: Brake(9, on=True)}, approved).rows

    assert tuple(found.decisions[1, name].held_back_at for name in (PHONE, NDA)) == marks


def test_opt_out_of_a_deleted_member_who_is_held_back_stays_against_later_orders() -> None:
    ben = Member(2, key="ben", contact_id=OLD)
    left = Decision(1, NDA, opted_out_at=at(-90))
    later = Decision(2, NDA, wanted=True, decided_by="admin", decided_at=at(-2))
    rows = rows_of(contact(), ana(), ben, given(), left, later, shown())
    deleted = Standing(1, deleted=True, changed_at=at(-5))

    found = evaluate(rows, [deleted], {PHONE: Brake(9, on=True)}).rows

    assert found.members[1].held_back_at == START
    assert found.subscriptions[OLD, NDA].state == State.OPTED_OUT


def test_approved_removals_use_up_nothing_of_what_a_brake_allows() -> None:
    members = [Member(pk, key=f"member{pk}", contact_id=pk) for pk in (1, 2, 3)]
    others = [row for pk in (1, 2, 3) for row in (contact(pk), given(pk), shown(pk))]
    rows = rows_of(*members, *others)
    rows.settings = replace(SETTINGS, brake_floor=1)
    standings = [Standing(pk, pk, entitled={PHONE: False}) for pk in (1, 2, 3)]

    found = evaluate(rows, standings, {PHONE: Brake(3)}, [(1, PHONE)])

    assert (found.removed[PHONE], found.held_back[PHONE]) == ([1, 2], [3])


def test_new_member_who_should_get_nothing_is_not_looked_up() -> None:
    found = evaluate(rows_of(contact(), ana(None)), [Standing(1, OLD, entitled={PHONE: False})])

    assert found.rows.members[1].contact_id == OLD
    assert found.rows.contacts[OLD].touched_at is None


@pytest.mark.parametrize(
    ("row", "opted_out_at", "expected"),
    [
        (absent(), at(-5), State.UNKNOWN),
        (absent(), None, State.UNSUBSCRIBED),
        (shown(), at(-5), State.SUBSCRIBED),
    ],
)
def test_absence_at_a_new_address_is_forgotten_for_a_member_who_opted_out(
    row: Subscription, opted_out_at: datetime | None, expected: State
) -> None:
    rows = rows_of(contact(clear=True), contact(NEW), ana(NEW), given(opted_out_at=opted_out_at))
    rows.subscriptions[OLD, PHONE] = row

    found = evaluate(rows, [Standing(1, OLD, "ana@example.com", {PHONE: True})]).rows

    assert found.subscriptions[OLD, PHONE].state == expected
    assert found.contacts[OLD].clear is False
    assert found.contacts[OLD].email == "ana@example.com"


@pytest.mark.parametrize(
    ("key", "other", "clear"),
    [("ana", None, True), ("ana", "ben", False), ("ana", "", True), ("", None, False)],
)
def test_address_is_cleared_when_the_last_member_of_the_site_leaves(
    key: str, other: str | None, clear: bool
) -> None:
    mates = [] if other is None else [Member(2, key=other, contact_id=OLD)]
    rows = rows_of(contact(), contact(NEW), Member(1, key=key, contact_id=OLD), *mates)

    found = evaluate(rows, [Standing(1, NEW)]).rows

    assert found.contacts[OLD].clear is clear
    assert found.contacts[OLD].touched_at == START


@pytest.mark.parametrize(
    ("columns", "row", "expected"),
    [
        pytest.param({}, shown(), (False, 0, "2"), id="a removal is tried"),
        pytest.param({}, absent(), (True, 0, "2"), id="nothing to remove"),
        pytest.param({"attempts": 3}, absent(), (False, 0, ""), id="parked after failures"),
    ],
)
def test_refused_address_is_tried_again_only_for_a_removal(
    columns: dict[str, Any], row: Subscription, expected: tuple[bool, int, str]
) -> None:
    rows = rows_of(contact(parked=True, problem="2", **columns), ana(), given(), row)

    found = opt_out(rows, 1, [PHONE]).contacts[OLD]

    assert (found.parked, found.attempts, found.problem) == expected


def test_own_opt_out_replaces_what_was_inferred_and_ordered() -> None:
    decision = given(opted_out_at=at(-90), inferred=True, despite_opt_out=True)

    found = opt_out(rows_of(contact(), ana(), decision, absent()), 1, [PHONE])

    assert found.decisions[1, PHONE] == given(opted_out_at=START)
    assert found.subscriptions[OLD, PHONE].state == State.UNKNOWN
    assert found.contacts[OLD].touched_at == START


def test_order_respects_an_opt_out_unless_it_says_otherwise() -> None:
    rows = rows_of(contact(clear=True), ana(), given(wanted=False, opted_out_at=at(-90)))

    plain, results = order(rows, [1], [PHONE, "firefox-news"], subscribe=True)
    despite, _results = order(rows, [1], [PHONE], subscribe=True, despite_opt_out=True)

    assert results == {(1, PHONE): Result.REFUSED, (1, "firefox-news"): Result.LEFT}
    assert plain.decisions[1, PHONE] == rows.decisions[1, PHONE]
    ordered = given(decided_by="admin", decided_at=START, despite_opt_out=True)
    assert despite.decisions[1, PHONE] == ordered
    assert despite.contacts[OLD].clear is False


@pytest.mark.parametrize(
    ("row", "questions", "expected"),
    [
        pytest.param(
            shown(state=State.LOST, missing_at=at(-5)), [],
            (State.UNKNOWN, None, None, ""), id="lost",
        ),
        pytest.param(
            shown(state=State.LOST, missing_at=at(-5)), [Question(PHONE, at(-60), 9)],
            (State.UNKNOWN, None, at(-5), ""), id="lost while a question is open",
        ),
        pytest.param(
            absent(error_code="2"), [], (State.UNKNOWN, None, None, ""), id="a removal refused",
        ),
        pytest.param(
            Subscription(OLD, PHONE, state=State.REFUSED, error_code=""), [],
            (State.UNKNOWN, None, None, ""), id="refused without a code",
        ),
        pytest.param(
            shown(), [], (State.SUBSCRIBED, at(-600), None, ""), id="nothing to try again",
        ),
    ],
)  # fmt: skip
def test_retry_forgets_a_refusal_and_a_loss(
    row: Subscription, questions: list[Question], expected: tuple[Any, ...]
) -> None:
    tried = contact(parked=True, attempts=3, problem="2", not_before=at(5))
    rows = rows_of(tried, ana(), given(), row, questions=questions)
    rows.contacts[OLD].retry = True

    found = retry(rows, [OLD])

    contact_now, row = found.contacts[OLD], found.subscriptions[OLD, PHONE]
    assert (row.state, row.confirmed_at, row.missing_at, row.error_code) == expected
    assert (contact_now.retry, contact_now.parked, contact_now.attempts) == (False, False, 0)
    assert (contact_now.problem, contact_now.not_before) == ("", None)
    assert contact_now.touched_at == START


def test_erased_mailbox_that_comes_back_has_its_opt_outs() -> None:
    kept = Subscription(9, PHONE, opted_out_at=at(-900), missing_at=at(-901))

    found = suppress_again(rows_of(contact()), OLD, [kept], at(-300))

    row = found.subscriptions[OLD, PHONE]
    assert (row.state, row.opted_out_at, row.missing_at) == (
        State.OPTED_OUT,
        at(-900),
        at(-901),
    )
    assert found.contacts[OLD].looked_up_at == at(-300)


def test_erasing_a_bare_address_ends_its_order_and_clears_it() -> None:
    ordered = Member(1, contact_id=OLD)
    tried = contact(parked=True, attempts=3, problem="2")

    found = erase(rows_of(tried, ordered, given(decided_by="admin"), shown()), OLD)

    cleared = found.contacts[OLD]
    assert found.members == {}
    assert found.decisions == {}
    assert found.subscriptions[OLD, PHONE].decided
    assert (cleared.clear, cleared.touched_at) == (True, START)
    assert (cleared.parked, cleared.attempts, cleared.problem) == (False, 0, "")
