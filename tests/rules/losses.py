"""
The rules on possible losses for the few rows of a story, which the app carries out in SQL.

``mozillians_basket.upkeep.verification`` and ``approvals`` find the same rows by queries, so
that a newsletter may have any size; ``tests/upkeep/test_verification.py`` compares the two.
"""

from dataclasses import replace

from mozillians_basket.rules.rows import (
    Question,
    Rows,
    State,
    Subscription,
    after,
    held,
    make_due,
    missing,
    unseen,
)
from mozillians_basket.rules.sample import (
    MOMENTS,
    RECENT,
    Ending,
    Sample,
    Verdict,
    about,
    control_sample,
    end_copies,
    end_question,
    is_over,
    nearest,
    opt_out_missing,
    reopen,
    verdict,
)


def sample(rows: Rows, newsletter: str) -> Sample | None:
    """
    List the contacts to look up before missing subscriptions count as opt-outs.

    The contacts that were subscribed nearest in time to a missing one are the
    sample, as a restored backup loses the newest. ``None`` while nothing is
    missing undecided.
    """
    mine = rows.of(newsletter)
    recent = rows.now - RECENT
    undecided = sorted(
        (r for r in mine if missing(r) or (r.state == State.LOST and r.missing_at > recent)),
        key=lambda row: (row.missing_at, row.contact_id),
    )
    if not undecided:
        return None
    since = undecided[0].missing_at
    gone = [row for row in mine if after(row.missing_at, since) and _may_be_lost(row)]
    others = [row for row in mine if held(row) and not missing(row)]
    seen = [row for row in others if after(row.seen_at, since)]
    usable = [row for row in others if not rows.contacts[row.contact_id].parked]
    moments = [row.confirmed_at for row in undecided[:MOMENTS]]
    near = [(row.contact_id, row.confirmed_at) for row in usable]
    contacts = [rows.contacts[pk] for pk in nearest(near, moments, rows.settings.sample_size)]
    return control_sample(rows.settings, since, contacts, seen=len(seen), gone=len(gone))


def conclude(rows: Rows, newsletter: str) -> tuple[Rows, tuple[int, ...]]:
    """
    Decide whether the missing subscriptions of a newsletter are opt-outs or a loss.

    If too many are missing for opt-outs, admins are asked, and opt-outs inferred in
    the day before are reopened. A question closes by itself when lookups show the
    subscriptions again. Returns the rows and the contacts to look up first.
    """
    rows, settings = rows.copy(), rows.settings
    question = rows.question(newsletter)
    if question:
        rows = reopen(rows, question, rows.contacts)  # an erased mailbox may have come back since
        number, found_missing = len(about(rows, question)), _found_missing(rows, question)
        most = replace(question, missing=max(question.missing, number))
        _put(rows, question, most)
        if is_over(number, len(found_missing), most, settings):
            rows = end_question(rows, most, Ending.ITSELF, rows.contacts)
            _put(rows, most, replace(most, closed_at=rows.now))
        return rows, ()
    found = sample(rows, newsletter)
    if found is None:
        return rows, ()
    match verdict(found, settings):
        case Verdict.LOOK_UP:
            return rows, found.look_up
        case Verdict.ASK:
            question = Question(newsletter, found.since, found.missing)
            rows.questions = [*rows.questions, question]
            rows = reopen(rows, question, rows.contacts)
            for row in about(rows, question):
                make_due(rows.contacts[row.contact_id], rows.now)
        case Verdict.OPTED_OUT:
            rows = opt_out_missing(rows, newsletter, rows.contacts)
    return rows, ()


def answer_question(rows: Rows, question: Question, *, lost: bool) -> Rows:
    """Close a question as an admin answers: Basket lost them, or they opted out."""
    ending = Ending.LOST if lost else Ending.OPTED_OUT
    rows = end_question(reopen(rows, question, rows.contacts), question, ending, rows.contacts)
    rows = end_copies(rows, question, ending, rows.members)
    _put(rows, question, replace(question, closed_at=rows.now, lost=lost))
    return rows


def verify_rank(rows: Rows, row: Subscription) -> int | None:
    """
    Rank a subscription for verification, unseen ones first; ``None`` if it needs none.

    A removal is verified too: a restored backup of Basket may undo it.
    """
    if held(row) or row.state == State.LOST:
        return 0 if unseen(row) else 1
    contact = rows.contacts[row.contact_id]
    opted_out = any(rows.veto(member, row.newsletter) for member in rows.at(contact))
    return 2 if opted_out or row.state == State.OPTED_OUT or row.removed_at else None


def _found_missing(rows: Rows, question: Question) -> list[Subscription]:
    """
    List those of them that lookups have missed since it began, and that may be lost.

    Not what was confirmed since: that is subscribed again however the question ends.
    """
    found = (row for row in rows.of(question.newsletter) if _may_be_lost(row))
    return [
        row
        for row in found
        if after(row.missing_at, question.since) and not after(row.confirmed_at, question.since)
    ]


def _may_be_lost(row: Subscription) -> bool:
    """Whether a missing subscription counts as lost: not if it was taken for an opt-out before."""
    return row.state != State.OPTED_OUT and row.opted_out_at is None


def _put(rows: Rows, old: Question, new: Question) -> None:
    rows.questions = [new if question is old else question for question in rows.questions]
