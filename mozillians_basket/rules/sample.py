"""The control sample: whether subscriptions that are missing are opt-outs or a mass loss."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mozillians_basket.rules.rows import (
    DecidedBy,
    Question,
    Rows,
    State,
    Subscription,
    after,
    held,
    missing,
    touch,
    unseen,
)
from mozillians_basket.rules.vetoes import end_mailbox_veto, opt_out_mailbox

#: How long a subscription that was lost with its person can be the first of a mass loss.
RECENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the control sample of a newsletter shows so far."""

    since: datetime
    """When the first undecided one was found missing."""

    look_up: tuple[int, ...]
    """Contacts that must be looked up before anything is concluded."""

    looked_up: int
    """How many were looked up since then, the missing ones included."""

    missing: int


def sample(rows: Rows, newsletter: str) -> Sample | None:
    """
    List the contacts to look up before missing subscriptions count as opt-outs.

    The contacts that were subscribed nearest in time to a missing one are the
    sample, as a restored backup loses the newest. Parked contacts are skipped, and
    failing ones if they are few. ``None`` while nothing is missing undecided.
    """
    mine = rows.of(newsletter)
    lost = [row for row in mine if row.state == State.LOST and row.missing_at > rows.now - RECENT]
    undecided = [row for row in mine if missing(row)] + lost
    if not undecided:
        return None

    moments: list[datetime] = [row.confirmed_at for row in undecided]

    def distance(row: Subscription) -> float:
        at: datetime = row.confirmed_at
        return min(abs((moment - at).total_seconds()) for moment in moments)

    since = min(row.missing_at for row in undecided)
    gone = [row for row in mine if after(row.missing_at, since) and row.state != State.OPTED_OUT]
    others = sorted((row for row in mine if held(row) and not missing(row)), key=distance)
    contacts = [rows.contacts[row.contact_id] for row in others]
    nearest = [contact for contact in contacts if not contact.parked][: rows.settings.sample_size]
    look_up = [contact for contact in nearest if not after(contact.looked_up_at, since)]
    failing = [contact for contact in look_up if contact.attempts]
    if len(failing) <= rows.settings.brake_ratio * len(nearest):
        look_up = [contact for contact in look_up if contact not in failing]
    seen = [row for row in others if after(row.seen_at, since)]
    ids = tuple(contact.id for contact in look_up)
    return Sample(since, ids, len(seen) + len(gone), len(gone))


def conclude(rows: Rows, newsletter: str) -> tuple[Rows, tuple[int, ...]]:
    """
    Decide whether the missing subscriptions of a newsletter are opt-outs or a loss.

    They are opt-outs, or too many for that: then admins are asked, and what was
    inferred in the day before is open again. A question closes by itself when
    lookups show them again. Returns the rows and the contacts to look up first.
    """
    rows, settings = rows.copy(), rows.settings
    question = rows.question(newsletter)
    if question:
        still = _missing_since(rows, question)
        most = replace(question, missing=max(question.missing, len(still)))
        closed = len(still) <= settings.brake_ratio * most.missing
        _put(rows, question, replace(most, closed_at=rows.now) if closed else most)
        for row in still if closed else ():
            if _is_owed(rows, row, question):
                _subscribe_again(rows, row)
            elif row.state != State.LOST:
                row.missing_at = None  # to be found missing again, and sampled again
            touch(rows.contacts[row.contact_id], rows.now)
        return rows, ()
    found = sample(rows, newsletter)
    if found is None or found.look_up:
        return rows, found.look_up if found else ()
    too_many = found.missing > settings.brake_ratio * found.looked_up
    if too_many and found.missing >= settings.sample_minimum:
        question = Question(newsletter, found.since, found.missing)
        rows.questions = [*rows.questions, question]
        _reopen(rows, newsletter, found.since - settings.reopened)
        for row in _missing_since(rows, question):
            touch(rows.contacts[row.contact_id], rows.now)
        return rows, ()
    for row in rows.of(newsletter):
        if missing(row) and not rows.confirmed_during(row):
            contact = rows.contacts[row.contact_id]
            opt_out_mailbox(rows, contact, newsletter, row.missing_at, inferred=True)
            touch(contact, rows.now)
    return rows, ()


def answer_question(rows: Rows, question: Question, *, lost: bool) -> Rows:
    """
    Close a question as an admin answers: Basket lost them, or they opted out.

    If Basket lost them, they are subscribed again where they are still wanted.
    Subscriptions that were confirmed since the question began, or chosen since
    they went missing, are subscribed again in either case.
    """
    rows = rows.copy()
    for row in _missing_since(rows, question) + (_never_seen(rows, question) if lost else []):
        contact = rows.contacts[row.contact_id]
        if lost or _is_owed(rows, row, question):
            _subscribe_again(rows, row)
        else:
            opt_out_mailbox(rows, contact, row.newsletter, row.missing_at)
        touch(contact, rows.now)
    _put(rows, question, replace(question, closed_at=rows.now))
    return rows


def verify_rank(rows: Rows, row: Subscription) -> int | None:
    """Rank a subscription for verification, unseen ones first; ``None`` if it needs none."""
    if held(row) or row.state == State.LOST:
        return 0 if unseen(row) else 1
    contact = rows.contacts[row.contact_id]
    opted_out = any(rows.veto(member, row.newsletter) for member in rows.at(contact))
    return 2 if opted_out or row.state == State.OPTED_OUT else None


def _missing_since(rows: Rows, question: Question) -> list[Subscription]:
    """Find what a question is about: missing since it began, or reopened with it."""
    found = (row for row in rows.of(question.newsletter) if row.state != State.OPTED_OUT)
    return [row for row in found if missing(row) or after(row.missing_at, question.since)]


def _never_seen(rows: Rows, question: Question) -> list[Subscription]:
    """Find what a call had confirmed and no lookup has shown, also not during a question."""
    return [
        row
        for row in rows.of(question.newsletter)
        if unseen(row)
        and after(rows.contacts[row.contact_id].looked_up_at, max(row.confirmed_at, question.since))
    ]


def _subscribe_again(rows: Rows, row: Subscription) -> None:
    """Forget that Basket had it, so that it is subscribed again if it is wanted."""
    row.state = State.UNKNOWN
    row.confirmed_at = row.seen_at = row.missing_at = row.requested_at = None


def _is_owed(rows: Rows, row: Subscription, question: Question) -> bool:
    """Whether it was confirmed since the question began, or chosen since it went missing."""
    members = rows.at(rows.contacts[row.contact_id])
    decisions = [rows.decision(member, row.newsletter) for member in members]
    return after(row.confirmed_at, question.since) or any(
        decision.wanted
        and decision.decided_by in {DecidedBy.ADMIN, DecidedBy.MEMBER}
        and after(decision.decided_at, row.missing_at)
        for decision in decisions
    )


def _reopen(rows: Rows, newsletter: str, since: datetime) -> None:
    """Make the opt-outs undecided again that samples inferred since then."""
    for row in rows.of(newsletter):
        moment = row.missing_at
        if row.state == State.OPTED_OUT and after(moment, since):
            end_mailbox_veto(rows, rows.contacts[row.contact_id], newsletter)
            row.state, row.missing_at = State.SUBSCRIBED, moment
            row.confirmed_at = row.seen_at = moment


def _put(rows: Rows, old: Question, new: Question) -> None:
    rows.questions = [new if question is old else question for question in rows.questions]
