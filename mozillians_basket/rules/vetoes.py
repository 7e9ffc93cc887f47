"""Opt-outs: vetoes beside what is wanted, of a mailbox and of its members."""

from collections.abc import Collection
from datetime import datetime

from mozillians_basket.rules.rows import (
    Contact,
    DecidedBy,
    Member,
    Rows,
    State,
    Subscription,
    after,
    missing,
    unseen,
)


def mark(row: Subscription, at: datetime | None, *, inferred: bool = False) -> None:
    """
    Mark a subscription as opted out; one that is marked already keeps its date.

    An opt-out that was inferred, and not shown by Basket, has a ``missing_at``.
    """
    if row.state != State.OPTED_OUT:
        row.state, row.opted_out_at, row.missing_at = State.OPTED_OUT, at, None
        if inferred and row.confirmed_at is None:  # nothing is missing that Basket has
            row.missing_at = at


def doubt(row: Subscription, at: datetime) -> None:
    """
    Make a subscription missing undecided, where it was taken for an opt-out or may be one.

    It keeps ``opted_out_at`` until a lookup shows it: most opt-outs were real, and would
    look like a new loss when they are found missing together after a question.
    """
    row.state, row.missing_at, row.opted_out_at = State.SUBSCRIBED, at, at
    row.confirmed_at = row.seen_at = at


def opt_out_mailbox(
    rows: Rows, contact: Contact, newsletter: str, at: datetime, *, inferred: bool = False
) -> None:
    """Mark a mailbox, and the decisions of its members and of those who are moving away."""
    row = rows.record(contact, newsletter)
    if unseen(row):  # the call may still be in Basket's queue
        row.requested_at = row.confirmed_at
    mark(row, at)
    row.confirmed_at = row.seen_at = None
    row.removal_pending, row.missing_at = False, at if inferred else None
    for member in rows.concerned(contact):
        decision = rows.decision(member, newsletter)
        # A member there without a decision takes the opt-out along when they leave.
        known = (member.id, newsletter) in rows.decisions or member.contact_id != contact.id
        if known and not decision.despite_opt_out:
            at_first = decision.opted_out_at or row.opted_out_at
            by_sample = inferred and (decision.inferred or not decision.opted_out_at)
            rows.decide(member, newsletter, opted_out_at=at_first, inferred=by_sample)


def opt_out_of_all(rows: Rows, contact: Contact, at: datetime) -> None:
    """
    Mark the members of a mailbox that turned everything off, for newsletters to come too.

    Where somebody there has an order despite opt-outs they are marked newsletter
    by newsletter, as the mark would veto the order once it is carried out.
    """
    names = rows.settings.newsletters
    there = {name for name in names if rows.despite_opt_outs(contact, name)}
    for member in rows.concerned(contact):
        ordered = there | {name for name in names if rows.decision(member, name).despite_opt_out}
        if not ordered:
            member.opted_out_at = member.opted_out_at or at
        for name in names - ordered if ordered else ():
            rows.decide(member, name, opted_out_at=rows.veto(member, name) or at, inferred=False)


def end_veto(rows: Rows, member: Member, newsletter: str) -> None:
    """End a member's opt-out of one newsletter; one of everything stays for all others."""
    for name in rows.settings.newsletters if member.opted_out_at else ():
        rows.decide(member, name, opted_out_at=rows.veto(member, name))
    member.opted_out_at = None
    rows.decide(member, newsletter, opted_out_at=None, inferred=False)


def end_mailbox_veto(rows: Rows, contact: Contact, newsletter: str) -> None:
    """End a mailbox's opt-out together with the marks that it made; a member's own stay."""
    row = rows.record(contact, newsletter)
    if row.state == State.OPTED_OUT:
        for member in rows.concerned(contact) if row.opted_out_at else ():
            if rows.veto(member, newsletter) == row.opted_out_at:
                end_veto(rows, member, newsletter)
        row.state, row.opted_out_at, row.missing_at = State.UNKNOWN, None, None


def take_along(rows: Rows, member: Member, contact: Contact) -> None:
    """
    Give a member who leaves a mailbox a copy of its opt-outs.

    Not of those without a date: these only say that the mailbox's owner has
    another address at Basket.
    """
    for name in rows.settings.newsletters:
        row = rows.subscription(contact, name)
        decision, veto = rows.decision(member, name), rows.veto(member, name)
        if row.state == State.OPTED_OUT and row.opted_out_at and not decision.despite_opt_out:
            inferred = decision.inferred if veto else row.missing_at is not None
            rows.decide(member, name, opted_out_at=veto or row.opted_out_at, inferred=inferred)


def leave_behind(
    rows: Rows,
    member: Member,
    contact: Contact,
    arrived: Collection[int] = (),
    left_at: datetime | None = None,
) -> None:
    """
    Leave a deleted member's opt-outs with the mailbox, unless somebody else there wants it.

    Members who have just ``arrived``, or came after this one had gone (``left_at``), do not
    count: that may be the same person. A newsletter that is missing undecided where the
    member came from is undecided here too.
    """
    left_at = left_at or rows.now
    sources = {move.source_id for move in rows.moves_of(member)} - {contact.id}
    came = {move.member_id for move in rows.moves_to(contact) if after(move.moved_at, left_at)}
    before = {each.id for each in rows.at(contact)} - {member.id, *arrived, *came}
    for name in rows.settings.newsletters:
        decision, veto = rows.decision(member, name), rows.veto(member, name)
        kept = any(
            _keeps(rows, other, contact, name, left_at, before=other.id in before)
            for other in rows.at(contact)
            if other.id != member.id
        )
        if decision.despite_opt_out or kept:
            continue
        found = [rows.subscription(rows.contacts[source], name) for source in sources]
        moments = [row.missing_at for row in found if missing(row)]
        row = rows.subscription(contact, name)
        if veto:
            inferred = decision.inferred and member.opted_out_at is None
            mark(rows.record(contact, name), veto, inferred=inferred)
        elif moments and row.confirmed_at is None and row.state != State.OPTED_OUT:
            doubt(rows.record(contact, name), min(moments))


def _keeps(
    rows: Rows,
    member: Member,
    contact: Contact,
    newsletter: str,
    left_at: datetime,
    *,
    before: bool,
) -> bool:
    """
    Whether a member wanted a newsletter before somebody else there was deleted, or chose it since.

    A decision of a policy, or a plain order, after that does not count: the opt-out, which
    is known only now, would have stood against it. Decisions of this evaluation were before it.

    :param before: whether they were there before.
    """
    decision, counts = rows.decision(member, newsletter), before
    if after(decision.decided_at, left_at) and decision.decided_at != rows.now:
        counts = decision.despite_opt_out or decision.decided_by == DecidedBy.MEMBER
    return counts and rows.wants(member, contact, newsletter)
