"""
The control sample: whether subscriptions that are missing are opt-outs or a mass loss.

:mod:`~mozillians_basket.upkeep.verification` finds the rows by SQL, and
:mod:`~mozillians_basket.upkeep.approvals` asks admins and carries out their answer.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto

from mozillians_basket.rules.rows import (
    Contact,
    Question,
    Rows,
    Settings,
    State,
    Subscription,
    after,
    make_due,
    missing,
    unseen,
)
from mozillians_basket.rules.vetoes import doubt, end_mailbox_veto, opt_out_mailbox

#: The time for which a subscription lost with its person can be the first of a mass loss.
RECENT = timedelta(hours=1)

#: The sample is taken around this number of missing ones: those that were found first.
MOMENTS = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of a newsletter's control sample."""

    since: datetime
    """When the first undecided one was found missing."""

    look_up: tuple[int, ...]
    """Contacts that must be looked up before anything is concluded."""

    looked_up: int
    """The number of contacts looked up since then, the missing ones included."""

    missing: int


class Verdict(Enum):
    """The conclusion of a control sample about the missing ones."""

    LOOK_UP = auto()  # nothing yet: others must be looked up first
    ASK = auto()  # too many are missing: only admins can tell
    OPTED_OUT = auto()


class Ending(StrEnum):
    """The ways in which a question ends."""

    OPTED_OUT = "opted out"
    LOST = "lost"
    ITSELF = "itself"
    """Lookups showed most of them again."""


def nearest(
    others: Iterable[tuple[int, datetime]], moments: Sequence[datetime], size: int
) -> list[int]:
    """Name the contacts that were subscribed nearest in time to some moments."""
    distances = [(min(abs(moment - at) for moment in moments), pk) for pk, at in others]
    return [pk for _distance, pk in sorted(distances)[:size]]


def control_sample(
    settings: Settings, since: datetime, contacts: Sequence[Contact], *, seen: int, gone: int
) -> Sample:
    """
    Describe the sample that consists of these contacts; failing ones are left out if they are few.

    :param seen: how many others have been looked up ``since`` then, and were there.
    :param gone: how many have been found missing since then.
    """
    look_up = [contact for contact in contacts if not after(contact.looked_up_at, since)]
    failing = [contact for contact in look_up if contact.attempts]
    if len(failing) <= settings.brake_ratio * len(contacts):
        look_up = [contact for contact in look_up if contact not in failing]
    return Sample(since, tuple(contact.id for contact in look_up), seen + gone, gone)


def verdict(found: Sample, settings: Settings) -> Verdict:
    """Judge a sample. A mass loss is told before all of a sample was looked up."""
    too_many = found.missing > settings.brake_ratio * found.looked_up
    if too_many and found.missing >= settings.sample_minimum:
        enough = not found.look_up or found.looked_up > settings.sample_size
        return Verdict.ASK if enough else Verdict.LOOK_UP
    return Verdict.LOOK_UP if found.look_up else Verdict.OPTED_OUT


def is_over(number: int, found_missing: int, question: Question, settings: Settings) -> bool:
    """
    Whether a question closes by itself, as so few are still missing.

    :param number: all that the question is about.
    :param found_missing: the part that lookups missed since it began. The
        others were reopened with it and do not count: of a real opt-out nothing is
        shown again, and the question would stay open for it.
    """
    reopened = number - found_missing
    return found_missing <= settings.brake_ratio * (question.missing - reopened)


def opt_out_missing(rows: Rows, newsletter: str, contact_ids: Collection[int]) -> Rows:
    """Record missing subscriptions as opt-outs; not what may have been lost."""
    rows = rows.copy()
    for row in _among(rows.of(newsletter), contact_ids):
        if missing(row) and not rows.losses_of(row):
            contact = rows.contacts[row.contact_id]
            opt_out_mailbox(rows, contact, newsletter, row.missing_at, inferred=True)
            make_due(contact, rows.now)
    return rows


def reopen(rows: Rows, question: Question, contact_ids: Collection[int]) -> Rows:
    """Make the opt-outs undecided again that samples inferred in the day before a question."""
    rows, since = rows.copy(), question.since - rows.settings.reopened
    for row in _among(rows.of(question.newsletter), contact_ids):
        moment = row.missing_at
        if row.state == State.OPTED_OUT and after(moment, since):
            contact = rows.contacts[row.contact_id]
            end_mailbox_veto(rows, contact, question.newsletter)
            doubt(row, moment)
            make_due(contact, rows.now)
    return rows


def about(rows: Rows, question: Question) -> list[Subscription]:
    """Find what a question is about: missing since it began, or reopened with it."""
    found = (row for row in rows.of(question.newsletter) if row.state != State.OPTED_OUT)
    return [row for row in found if missing(row) or after(row.missing_at, question.since)]


def end_question(
    rows: Rows, question: Question, ending: Ending, contact_ids: Collection[int]
) -> Rows:
    """
    End a question for these contacts; the caller closes it afterwards.

    If Basket lost them, they are subscribed again where they are still wanted.
    Subscriptions that were confirmed since the question began, or asked for despite
    opt-outs since they went missing, are subscribed again however it ends.
    """
    rows = rows.copy()
    found = about(rows, question)
    found += _never_seen(rows, question) if ending == Ending.LOST else []
    for row in _among(found, contact_ids):
        contact = rows.contacts[row.contact_id]
        if ending == Ending.LOST or _is_owed(rows, row, question):
            _subscribe_again(row)
        elif ending == Ending.OPTED_OUT:
            opt_out_mailbox(rows, contact, row.newsletter, row.missing_at)
        elif row.state != State.LOST:
            row.missing_at = None  # to be found missing again, and sampled again
            if row.state == State.UNSUBSCRIBED:
                row.state = State.UNKNOWN  # its absence in a loss does not tell of a return
        make_due(contact, rows.now)
    return rows


def end_copies(rows: Rows, question: Question, ending: Ending, member_ids: Collection[int]) -> Rows:
    """
    End a question for members who had left before it, with the copy of an inferred opt-out.

    A question reopens the opt-outs at the addresses that they were inferred at. The copies
    stand until an admin answers: if Basket lost them, they end.
    """
    rows, since = rows.copy(), question.since - rows.settings.reopened
    for (member_id, name), decision in [*rows.decisions.items()]:
        if name != question.newsletter or member_id not in member_ids:
            continue
        if decision.inferred and after(decision.opted_out_at, since):
            member = rows.members[member_id]
            contact = rows.home(member)
            decision.inferred = False
            if ending == Ending.LOST and not member.opted_out_at:
                decision.opted_out_at = None
                if contact:
                    make_due(contact, rows.now)
    return rows


def _never_seen(rows: Rows, question: Question) -> list[Subscription]:
    """Find what a call had confirmed and no lookup has shown, also not during a question."""
    return [
        row
        for row in rows.of(question.newsletter)
        if unseen(row)
        and after(rows.contacts[row.contact_id].looked_up_at, max(row.confirmed_at, question.since))
    ]


def _subscribe_again(row: Subscription) -> None:
    """Forget that Basket had it, so that it is subscribed again if it is wanted."""
    row.state, row.opted_out_at = State.UNKNOWN, None
    row.confirmed_at = row.seen_at = row.missing_at = row.requested_at = None


def _is_owed(rows: Rows, row: Subscription, question: Question) -> bool:
    """
    Whether it was confirmed since the question began, or asked for since it went missing.

    An order that does not say "despite opt-outs" does not override what may be one. A
    subscription that was reopened was confirmed by no Basket.
    """
    members = rows.at(rows.contacts[row.contact_id])
    decisions = [rows.decision(member, row.newsletter) for member in members]
    confirmed_since = row.opted_out_at is None and after(row.confirmed_at, question.since)
    return confirmed_since or any(
        decision.wanted and decision.despite_opt_out and after(decision.decided_at, row.missing_at)
        for decision in decisions
    )


def _among(rows: Iterable[Subscription], contact_ids: Collection[int]) -> list[Subscription]:
    return [row for row in rows if row.contact_id in contact_ids]
