"""Properties of each function, for any rows."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mozillians_basket.rules import answers, evaluate
from mozillians_basket.rules.answers import Answer, Kind, Lookup, Person
from mozillians_basket.rules.brake import Brake
from mozillians_basket.rules.evaluate import Result, Standing, contact_key
from mozillians_basket.rules.plan import look_again_at, plan, settle
from mozillians_basket.rules.rows import DecidedBy, Rows, Settings, State, held
from tests.rules import losses
from tests.rules.world import (
    FOREIGN,
    NDA,
    PHONE,
    START,
    Contact,
    Decision,
    Member,
    Move,
    Subscription,
)

NAMES = (PHONE, NDA)
moments = st.integers(-60, 0).map(lambda hours: START + timedelta(hours=hours))
moment_or_none = st.none() | moments
kinds = st.sampled_from(Kind)


@st.composite
def ledgers(draw: st.DrawFn) -> Rows:
    """Draw a small ledger; its rows may be ones that no story leads to."""
    rows = Rows(Settings(newsletters=frozenset(NAMES)), START, Decision, Subscription, Move)
    for number in range(1, draw(st.integers(2, 4))):
        contact = Contact(number, f"c{number}@example.com", f"c{number}@example.com")
        contact.token = draw(st.sampled_from(["", f"token{number}"]))
        contact.clear, contact.renamed_at = draw(st.booleans()), draw(moment_or_none)
        contact.looked_up_at, contact.touched_at = draw(moment_or_none), draw(moment_or_none)
        contact.subscribe_calls = draw(st.lists(moments, max_size=4))
        rows.contacts[number] = contact
        for name in draw(st.sets(st.sampled_from(NAMES))):
            rows.subscriptions[number, name] = draw(subscriptions(number, name))
    homes = st.none() | st.sampled_from(sorted(rows.contacts))
    for number in range(10, 10 + draw(st.integers(0, 3))):
        key = draw(st.sampled_from(["", f"member{number}"]))
        member = Member(number, key, draw(homes), draw(moment_or_none))
        rows.members[number] = member
        for name in draw(st.sets(st.sampled_from(NAMES))):
            rows.decisions[number, name] = draw(decisions(number, name))
        for source in draw(st.sets(st.sampled_from(sorted(rows.contacts)), max_size=2)):
            if source != member.contact_id:
                rows.moves.append(Move(number, source, member.contact_id, draw(moments)))
    return rows.copy()


@st.composite
def subscriptions(draw: st.DrawFn, contact_id: int, newsletter: str) -> Subscription:
    row = Subscription(contact_id, newsletter, state=draw(st.sampled_from(State)))
    if row.state in {State.SUBSCRIBED, State.LOST} or draw(st.booleans()):
        row.confirmed_at, row.seen_at = draw(moments), draw(moment_or_none)
    if row.state == State.OPTED_OUT:
        row.opted_out_at = draw(moment_or_none)
    if row.state == State.LOST or draw(st.booleans()):
        row.missing_at = draw(moments)
    row.requested_at, row.removed_at = draw(moment_or_none), draw(moment_or_none)
    row.removal_pending = row.removed_at is not None and draw(st.booleans())
    row.decided = draw(st.booleans())
    return row


@st.composite
def decisions(draw: st.DrawFn, member_id: int, newsletter: str) -> Decision:
    row = Decision(member_id, newsletter, entitled=draw(st.booleans()))
    row.opted_out_at = draw(moment_or_none)
    if draw(st.booleans()):
        row.wanted, row.decided_by = draw(st.booleans()), draw(st.sampled_from(DecidedBy))
        row.decided_at = draw(moments)
        row.despite_opt_out = row.wanted and draw(st.booleans())
    return row


@st.composite
def lookups(draw: st.DrawFn) -> Lookup:
    names = st.frozensets(st.sampled_from([*NAMES, FOREIGN]))
    people = st.builds(Person, st.just("c1@example.com"), st.just("token1"), names, st.booleans())
    person = draw(st.none() | people)
    return Lookup(START, person, None if person else draw(st.none() | people), draw(st.booleans()))


@st.composite
def standings(draw: st.DrawFn, rows: Rows) -> list[Standing]:
    contacts = sorted(rows.contacts)
    return [
        Standing(
            member_id,
            draw(st.none() | st.sampled_from(contacts)),
            "C@example.com",
            draw(st.dictionaries(st.sampled_from(NAMES), st.booleans())),
            tuple(draw(st.lists(st.sampled_from(contacts), max_size=2))),
            deleted=draw(st.booleans()),
        )
        for member_id, member in rows.members.items()
        if member.key
    ]


def dump(rows: Rows) -> dict[str, Any]:
    """Return the rows as plain values, to compare them."""
    names = ("members", "contacts", "decisions", "subscriptions", "moves", "questions")
    return {name: copy.deepcopy(getattr(rows, name)) for name in names}


@given(st.text())
def test_contact_key_is_stable(email: str) -> None:
    key = contact_key(email)

    assert contact_key(key) == key
    assert contact_key(f" {email}\t") == key
    assert len(key) <= 254
    assert key == "" or "@" in key


@given(st.data(), ledgers())
def test_evaluate_places_members_and_changes_only_its_copy(data: st.DataObject, rows: Rows) -> None:
    before, said = dump(rows), data.draw(standings(rows))

    after = evaluate.evaluate(rows, said).rows

    assert dump(rows) == before
    for standing in said:
        if standing.deleted:
            assert standing.member_id not in after.members
            assert not [move for move in after.moves if move.member_id == standing.member_id]
        else:
            member = after.members[standing.member_id]
            assert member.contact_id == standing.contact_id
            for move in after.moves_of(member):
                assert move.source_id != member.contact_id
                assert move.target_id == member.contact_id
    for standing in said:
        member = after.members.get(standing.member_id)
        for name, outcome in standing.entitled.items() if member else ():
            assert after.decision(member, name).entitled == outcome


@given(st.data(), ledgers())
def test_evaluate_twice_is_evaluate_once(data: st.DataObject, rows: Rows) -> None:
    said = [s for s in data.draw(standings(rows)) if not s.deleted and not s.passed]
    once = evaluate.evaluate(rows, said).rows

    twice = evaluate.evaluate(once, said)

    assert dump(twice.rows) == dump(once)
    assert not any(twice.removed.values())


@given(st.data(), ledgers())
def test_evaluate_never_ends_an_opt_out(data: st.DataObject, rows: Rows) -> None:
    vetoes = {(m, name) for m in rows.members for name in NAMES if rows.veto(rows.members[m], name)}

    after = evaluate.evaluate(rows, data.draw(standings(rows))).rows

    for member_id, name in vetoes:
        if member_id in after.members:
            assert after.veto(after.members[member_id], name)


@given(st.data(), ledgers())
def test_brake_that_is_on_lets_policies_remove_nothing(data: st.DataObject, rows: Rows) -> None:
    brakes = {name: Brake(on=True) for name in NAMES}
    said = data.draw(standings(rows))

    evaluated = evaluate.evaluate(rows, said, brakes)

    assert not any(evaluated.removed.values())
    held_back = {i for ids in evaluated.held_back.values() for i in ids}
    assert held_back == {i for i, m in evaluated.rows.members.items() if m.held_back_at}


@given(ledgers())
def test_plan_is_ours_and_against_no_opt_out(rows: Rows) -> None:
    before = dump(rows)

    for contact_id, contact in rows.contacts.items():
        planned = plan(rows, contact_id)

        assert planned.subscribe | planned.unsubscribe <= set(NAMES)
        assert not planned.subscribe & planned.unsubscribe
        for name in planned.subscribe:
            explicit = rows.despite_opt_outs(contact, name)
            assert explicit or not rows.mailbox_opted_out(contact, name)
            wanting = [m for m in rows.at(contact) if rows.decision(m, name).wanted]
            assert explicit or any(not rows.veto(member, name) for member in wanting)
    assert dump(rows) == before


@given(ledgers(), lookups())
def test_lookup_applied_twice_is_applied_once(rows: Rows, lookup: Lookup) -> None:
    before = dump(rows)
    once = answers.apply_lookups(rows, {1: lookup})
    again = answers.apply_lookups(once, {1: lookup})

    twice = answers.apply_lookups(again, {1: lookup})

    assert dump(rows) == before
    assert dump(twice) == dump(again)


@given(ledgers(), lookups())
def test_total_opt_out_leaves_nothing_to_subscribe(rows: Rows, lookup: Lookup) -> None:
    person = Person("c1@example.com", "token1", frozenset(), optout=True)

    after = answers.apply_lookups(rows, {1: Lookup(START, person)})

    explicit = {name for name in NAMES if after.despite_opt_outs(after.contacts[1], name)}
    assert plan(after, 1).subscribe <= explicit


@given(ledgers(), st.frozensets(st.sampled_from(NAMES), min_size=1), kinds, st.booleans())
def test_answers_change_only_what_the_call_named(
    rows: Rows, names: frozenset[str], kind: Kind, subscribe: bool
) -> None:
    answer = Answer(kind, "code", "token", timedelta(seconds=5) if kind is Kind.UNCLEAR else None)
    begin, end = (
        (answers.begin_subscribe, answers.end_subscribe)
        if subscribe
        else (answers.begin_unsubscribe, answers.end_unsubscribe)
    )

    begun = begin(rows, {1: names})
    after = end(begun, rows, {1: (names, answer)})

    made = kind is Kind.DONE and subscribe
    made_again = made and rows.contacts[1].token not in {"", "token"}
    for key, row in rows.subscriptions.items():
        if key[0] != 1 or key[1] not in names:
            expected = row
            if key[0] == 1 and made and rows.contacts[1].renamed_at:
                # The renamed person has the others, at another address.
                expected = replace(row, confirmed_at=None, seen_at=None, removal_pending=False)
            elif key[0] == 1 and row.state == State.LOST and made_again:
                # The call created the person again: a lost newsletter counts as never seen.
                expected = replace(row, seen_at=None)
            assert after.subscriptions[key] == expected
    for name in names:
        row = after.subscriptions[1, name]
        if kind is Kind.DONE and subscribe:
            assert held(row)
            assert row.requested_at is None
        if kind is Kind.UNCLEAR and not subscribe:
            assert row.removal_pending
        if kind is Kind.NOT_DONE:
            known = rows.subscription(rows.contacts[1], name)
            assert (row.requested_at, row.removed_at) == (known.requested_at, known.removed_at)


@given(ledgers())
def test_settle_erases_only_where_nobody_is_and_nothing_is_open(rows: Rows) -> None:
    before = dump(rows)

    after, erased = settle(rows, [*rows.contacts])

    assert dump(rows) == before
    assert erased.keys() == rows.contacts.keys() - after.contacts.keys()
    for contact_id in erased:
        for name in NAMES:
            row = rows.subscription(rows.contacts[contact_id], name)
            assert not row.requested_at
            assert not row.removal_pending
    for contact in after.contacts.values():
        again = look_again_at(after, contact)
        assert again is None or again > after.now


@given(ledgers(), st.sampled_from([*NAMES, FOREIGN]), st.booleans(), st.booleans())
def test_order_decides_or_says_why_not(
    rows: Rows, name: str, subscribe: bool, despite: bool
) -> None:
    members = [*rows.members]

    after, results = evaluate.order(
        rows, members, [name], subscribe=subscribe, despite_opt_out=despite
    )

    for member_id in members:
        decision = after.decision(after.members[member_id], name)
        match results[member_id, name]:
            case Result.DECIDED:
                assert decision.wanted == subscribe
                assert decision.decided_by == DecidedBy.ADMIN
                assert not (subscribe and despite) or after.wishes(after.members[member_id], name)
            case Result.REFUSED:
                assert (
                    decision.decided_by == rows.decision(rows.members[member_id], name).decided_by
                )
                assert subscribe
            case Result.LEFT:
                assert name == FOREIGN


@given(ledgers())
def test_sample_concludes_only_about_what_is_missing(rows: Rows) -> None:
    before = dump(rows)

    after, look_up = losses.conclude(rows, PHONE)

    assert dump(rows) == before
    assert len(look_up) <= rows.settings.sample_size
    for key, row in rows.subscriptions.items():
        changed: Mapping[str, Any] = vars(after.subscriptions[key])
        assert changed == vars(row) or row.missing_at is not None
    for contact_id in look_up:
        looked_up_at: datetime | None = rows.contacts[contact_id].looked_up_at
        assert looked_up_at is None or looked_up_at < START
