"""The rows, settings and time that the rules work on."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

# Rows are any objects with the columns of these tables and ``__copy__``: models, or dataclasses
# in tests.
Member: TypeAlias = Any
Decision: TypeAlias = Any
Contact: TypeAlias = Any
Subscription: TypeAlias = Any
Move: TypeAlias = Any


class State(StrEnum):
    """The state of a subscription, as far as the ledger knows it."""

    UNKNOWN = "unknown"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    OPTED_OUT = "opted out"
    REFUSED = "refused"
    LOST = "missing at Basket"


class DecidedBy(StrEnum):
    """The origins of a decision; a row without one only carries an opt-out."""

    POLICY = "policy"
    ADMIN = "admin"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Question:
    """
    A possible loss. ``missing`` is the most that were missing; ``closed_at`` once over.

    ``lost`` says that an admin answered that Basket lost them.
    """

    newsletter: str
    since: datetime
    missing: int
    closed_at: datetime | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that the rules depend on."""

    newsletters: frozenset[str]
    """The newsletters of this site: nothing else is ever added or removed."""

    removal_grace: timedelta = timedelta(hours=1)
    """The time after an unsubscribe in which Basket may still carry it out."""

    queue_time: timedelta = timedelta(days=1)
    """The time for which Basket may keep a subscribe in its queue, as in read-only maintenance."""

    recheck: timedelta = timedelta(minutes=1)
    """The shortest time after which an open call is looked at again."""

    max_attempts: int = 10
    sample_size: int = 50
    sample_minimum: int = 3
    brake_ratio: float = 0.1
    brake_floor: int = 50
    reopened: timedelta = timedelta(days=1)
    """The time before a question in which inferred opt-outs are reopened with it."""


@dataclass
class Rows:
    """
    All rows that bear on some contacts, as one transaction read them at ``now``.

    These are the contacts, their members, the moves from and to them, the
    members and contacts of those moves, and all decisions and subscriptions of
    these. A rule that changes something returns a changed copy.
    """

    settings: Settings
    now: datetime
    new_decision: Callable[..., Decision]
    new_subscription: Callable[..., Subscription]
    new_move: Callable[..., Move]
    members: dict[int, Member] = field(default_factory=dict)
    contacts: dict[int, Contact] = field(default_factory=dict)
    decisions: dict[tuple[int, str], Decision] = field(default_factory=dict)
    subscriptions: dict[tuple[int, str], Subscription] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    questions: Sequence[Question] = ()
    paused: frozenset[str] = frozenset()
    """Newsletters that Basket does not know at the moment (code 9)."""

    def __post_init__(self) -> None:
        self._at: dict[int | None, list[Member]] = defaultdict(list)
        for member in self.members.values():
            self._at[member.contact_id].append(member)
        self._no_decision = self.new_decision(member_id=0, newsletter="")
        self._no_subscription = self.new_subscription(contact_id=0, newsletter="")

    def copy(self) -> "Rows":
        """Copy every row; ``copy.copy()`` would take twice as long."""
        return replace(
            self,
            members={key: row.__copy__() for key, row in self.members.items()},
            contacts={key: row.__copy__() for key, row in self.contacts.items()},
            decisions={key: row.__copy__() for key, row in self.decisions.items()},
            subscriptions={key: row.__copy__() for key, row in self.subscriptions.items()},
            moves=[row.__copy__() for row in self.moves],
        )

    def decision(self, member: Member, newsletter: str) -> Decision:
        """Return a member's decision to read; an empty one where there is none."""
        return self.decisions.get((member.id, newsletter), self._no_decision)

    def decide(self, member: Member, newsletter: str, **values: Any) -> Decision:
        """Change a member's decision, or make it."""
        key = member.id, newsletter
        if key not in self.decisions:
            self.decisions[key] = self.new_decision(member_id=member.id, newsletter=newsletter)
        for column, value in values.items():
            setattr(self.decisions[key], column, value)
        return self.decisions[key]

    def subscription(self, contact: Contact, newsletter: str) -> Subscription:
        """Return a contact's subscription to read; an empty one where there is none."""
        return self.subscriptions.get((contact.id, newsletter), self._no_subscription)

    def record(self, contact: Contact, newsletter: str) -> Subscription:
        """Return a contact's subscription to write, made where there was none."""
        key = contact.id, newsletter
        if key not in self.subscriptions:
            row = self.new_subscription(contact_id=contact.id, newsletter=newsletter)
            self.subscriptions[key] = row
        return self.subscriptions[key]

    def is_decided_or_vetoed(self, contact: Contact, newsletter: str) -> bool:
        """Whether a member at this address decided on a newsletter, or opted out."""
        return any(
            (member.id, newsletter) in self.decisions or member.opted_out_at
            for member in self.at(contact)
        )

    def of(self, newsletter: str) -> list[Subscription]:
        """List the subscriptions of a newsletter."""
        return [row for row in self.subscriptions.values() if row.newsletter == newsletter]

    def at(self, contact: Contact) -> Sequence[Member]:
        """List the members at this address."""
        return self._at.get(contact.id, ())

    def home(self, member: Member) -> Contact | None:
        """Return a member's contact, if they have one."""
        return None if member.contact_id is None else self.contacts[member.contact_id]

    def place(self, member: Member, contact_id: int | None) -> None:
        """Give a member another contact."""
        self._at[member.contact_id].remove(member)
        self._at[contact_id].append(member)
        member.contact_id = contact_id

    def remove(self, member: Member) -> None:
        """Delete a member with their decisions and moves."""
        self._at[member.contact_id].remove(member)
        del self.members[member.id]
        for key in [key for key in self.decisions if key[0] == member.id]:
            del self.decisions[key]
        self.moves = [move for move in self.moves if move.member_id != member.id]

    def moves_of(self, member: Member) -> list[Move]:
        """List the open moves of a member."""
        return [move for move in self.moves if move.member_id == member.id]

    def moves_from(self, contact: Contact) -> list[Move]:
        """List the open moves away from a contact."""
        return [move for move in self.moves if move.source_id == contact.id]

    def moves_to(self, contact: Contact) -> list[Move]:
        """List the open moves to a contact."""
        return [move for move in self.moves if move.target_id == contact.id]

    def concerned(self, contact: Contact) -> list[Member]:
        """List the members there, and those with an open move away from there."""
        left = [self.members[move.member_id] for move in self.moves_from(contact)]
        return [*self.at(contact), *left]

    def question(self, newsletter: str) -> Question | None:
        """Return the open question about a newsletter, if there is one."""
        about = [question for question in self.questions if question.newsletter == newsletter]
        return next((question for question in about if not question.closed_at), None)

    def closed_since(self, newsletter: str, moment: datetime) -> bool:
        """Whether a question about a newsletter was closed then or later."""
        about = [question for question in self.questions if question.newsletter == newsletter]
        return any(after(question.closed_at, moment) for question in about)

    def losses_of(self, row: Subscription) -> list[Question]:
        """
        List the losses that may be why Basket does not have a subscription.

        It was confirmed while a question was open, of whatever newsletter, perhaps by the
        wrong Basket, and was not seen since that closed. Or it was last seen before a loss
        that an admin confirmed, and no lookup asked for it during that. An opt-out that was
        reopened was confirmed by no Basket then.
        """
        if row.opted_out_at is not None:
            return []
        last = row.seen_at or row.confirmed_at
        return [
            question
            for question in self.questions
            if (
                after(row.confirmed_at, question.since)
                and (question.closed_at is None or after(question.closed_at, row.confirmed_at))
                and not after(row.seen_at, question.closed_at)
            )
            or (
                question.lost
                and question.newsletter == row.newsletter
                and not after(last, question.since)
            )
        ]

    def veto(self, member: Member, newsletter: str) -> datetime | None:
        """Return when a member opted out of a newsletter, or of everything."""
        one: datetime | None = self.decision(member, newsletter).opted_out_at
        everything: datetime | None = member.opted_out_at
        return one or everything

    def mailbox_opted_out(self, contact: Contact, newsletter: str) -> bool:
        """Whether the mailbox opted out, or its owner took another address at Basket."""
        opted_out = self.subscription(contact, newsletter).state == State.OPTED_OUT
        return opted_out or contact.renamed_at is not None

    def wishes(self, member: Member, newsletter: str) -> bool:
        """Whether a member wants a newsletter and has not opted out of it."""
        decision = self.decision(member, newsletter)
        vetoed = self.veto(member, newsletter) and not decision.despite_opt_out
        return bool(decision.wanted and not vetoed)

    def wants(self, member: Member, contact: Contact, newsletter: str) -> bool:
        """Whether a member wants a newsletter at this contact: its opt-outs count too."""
        despite = self.decision(member, newsletter).despite_opt_out
        vetoed = self.mailbox_opted_out(contact, newsletter) and not despite
        return self.wishes(member, newsletter) and not vetoed

    def wanted(self, contact: Contact, newsletter: str) -> bool:
        """Whether a member at this address wants a newsletter: what Basket should have."""
        return any(self.wants(member, contact, newsletter) for member in self.at(contact))

    def despite_opt_outs(self, contact: Contact, newsletter: str) -> bool:
        """Whether a decision of somebody there overrides opt-outs."""
        decisions = [self.decision(member, newsletter) for member in self.at(contact)]
        return any(decision.despite_opt_out for decision in decisions)

    def decided(self, contact: Contact, newsletter: str) -> bool:
        """Whether somebody who is or was there decided on a newsletter."""
        members = self.at(contact)
        there = any(self.decision(member, newsletter).decided_by for member in members)
        return there or self.subscription(contact, newsletter).decided


def held(row: Subscription) -> bool:
    """Whether Basket has it, as far as a call or a lookup said."""
    return row.confirmed_at is not None and row.state != State.LOST


def unseen(row: Subscription) -> bool:
    """Whether a call confirmed it and no later lookup has shown it."""
    return held(row) and not after(row.seen_at, row.confirmed_at)


def missing(row: Subscription) -> bool:
    """Whether a lookup missed it, and it is undecided whether that is an opt-out or a loss."""
    return held(row) and row.missing_at is not None


def lost_at_a_cleared(contact: Contact, row: Subscription) -> bool:
    """Whether nobody was at Basket at an address whose last member has gone: looked up again."""
    return bool(contact.clear and row.state == State.LOST)


def make_due(contact: Contact, now: datetime) -> None:
    """Make a contact due; one that waits after a failure goes on waiting."""
    contact.touched_at = now
    if not contact.attempts:
        contact.not_before = None


def after(moment: datetime | None, other: datetime | None) -> bool:
    """Whether a moment is another one or later; false if either is missing."""
    return moment is not None and other is not None and moment >= other
