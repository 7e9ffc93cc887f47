"""Compare what is wanted with what Basket has: pure, without a database and without HTTP."""

from dataclasses import dataclass, field, replace
from typing import Any

from mozillians_basket.addresses import same_address
from mozillians_basket.states import HELD, State

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as Basket's lookup shows them."""

    email: str = field(repr=False)
    """The address as Basket writes it; an unsubscribe must repeat it to the letter."""

    token: str = field(repr=False)
    """The person's own token: a secret."""

    newsletters: frozenset[str]
    """All newsletters that they have, also those that are none of this site's."""

    opted_out: bool = False
    """Whether they turned everything off."""

    confirmed: bool = True
    """Whether they may be written to: Basket's ``optin``."""

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` reads."""
        return {
            "email": self.email,
            "token": self.token,
            "newsletters": sorted(self.newsletters),
            "opted_out": self.opted_out,
            "confirmed": self.confirmed,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Person":
        """Undo :meth:`as_json`."""
        return cls(**{**data, "newsletters": frozenset(data["newsletters"])})


@dataclass(frozen=True, slots=True)
class Lookup:
    """What Basket answered at the beginning of a sync, kept up with what was done since."""

    target: str = field(repr=False)
    """The address that the sync is for: the wanted one while moving, else the current one."""

    current: Person | None
    """Who Basket has under the contact's address."""

    new: Person | None = None
    """Who Basket has under the target, while moving."""

    asked_for_new: bool = False
    """Whether the target was looked up; it need not be when there is nothing to carry there."""

    renamed: bool = False
    """Whether nobody has the current address any more, but its person another one."""

    removal_sent: bool = False
    """Whether an unsubscribe followed the lookup. Basket only queues those."""

    def after_subscribe(self, newsletters: frozenset[str], token: str, *, moving: bool) -> "Lookup":
        """
        As it would be answered now that these were subscribed at the target.

        But for ``opted_out``: the call clears it in Basket, and it still holds
        for all that the call did not name.
        """
        person = self.new if moving else self.current
        if person is None:
            person = Person(self.target, token, newsletters)
        else:
            person = replace(person, newsletters=person.newsletters | newsletters)
        return replace(self, new=person) if moving else replace(self, current=person)

    def after_unsubscribe(self, newsletters: frozenset[str]) -> "Lookup":
        """As it would be answered once these are unsubscribed at the current address."""
        person = self.current
        if person is not None:
            person = replace(person, newsletters=person.newsletters - newsletters)
        return replace(self, current=person, removal_sent=True)

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` reads."""
        return {
            "target": self.target,
            "current": self.current and self.current.as_json(),
            "new": self.new and self.new.as_json(),
            "asked_for_new": self.asked_for_new,
            "renamed": self.renamed,
            "removal_sent": self.removal_sent,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Lookup":
        """Undo :meth:`as_json`."""
        people = {
            name: Person.from_json(data[name]) if data[name] else None
            for name in ("current", "new")
        }
        return cls(**{**data, **people})


@dataclass(frozen=True, slots=True)
class Line:
    """One subscription as the ledger has it."""

    newsletter: str
    wanted: bool
    state: State = State.UNKNOWN
    entitled: bool = False
    despite_opt_out: bool = False
    """An admin said explicitly that an opt-out does not count."""

    removal_pending: bool = False
    """This site sent an unsubscribe that no lookup has shown to be done."""


@dataclass(frozen=True, slots=True)
class Account:
    """One contact as the ledger has it."""

    email: str = field(repr=False)
    wanted_email: str = field(repr=False)
    lines: tuple[Line, ...]
    ours: frozenset[str]
    """The newsletters that this site may change."""

    refused_email: str = field(default="", repr=False)
    kept: frozenset[str] = NOTHING
    """Newsletters that another member with the same address wants."""

    passing: bool = False
    """
    Whether somebody else who had the address for a while is being cleared from it: what it has
    besides the lines may be theirs.
    """

    @property
    def leaving(self) -> bool:
        """Whether the person is gone from the site, or has no address any more."""
        return bool(self.email) and not self.wanted_email

    @property
    def stranded(self) -> bool:
        """Whether Basket does not accept the address that they changed to."""
        return (
            bool(self.refused_email)
            and same_address(self.refused_email, self.wanted_email)
            and not same_address(self.email, self.wanted_email)
        )

    @property
    def moving(self) -> bool:
        """Whether the address changed and Basket is still to be told."""
        return (
            bool(self.wanted_email)
            and not self.stranded
            and not same_address(self.email, self.wanted_email)
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lookup showed and what is to be sent: the difference only."""

    subscribe: frozenset[str] = NOTHING
    """To be subscribed, at the target address, all in one call."""

    unsubscribe: frozenset[str] = NOTHING
    """To be unsubscribed, at the current address, after that."""

    states: dict[str, State] = field(default_factory=dict)
    """
    What is known now of the lines for which nothing is to be sent.

    While moving, at the new address: nothing of it but an opt-out is written
    down before the move is through.
    """

    returned: frozenset[str] = NOTHING
    """Subscribed again by themselves after an opt-out."""

    removed: frozenset[str] = NOTHING
    """Shown by the lookup to be gone, so that no removal is under way any more."""

    recheck: frozenset[str] = NOTHING
    """Wanted and there, but an unsubscribe of this site's may still take them away."""


def differs(account: Account) -> bool:
    """Whether the ledger alone shows that Basket must be asked."""
    if account.leaving or account.moving:
        return True
    return bool(account.email) and any(
        line_differs(line) for line in account.lines if line.newsletter in account.ours
    )


def line_differs(line: Line) -> bool:
    """Whether the ledger alone shows that something of this newsletter is still to be sent."""
    if line.wanted:
        return line.state in {State.UNKNOWN, State.UNSUBSCRIBED} or (
            line.state == State.OPTED_OUT and line.despite_opt_out
        )
    return line.state == State.UNKNOWN or line.state in HELD


def plan(account: Account, lookup: Lookup) -> Plan:
    """
    What to record and what to send, given what Basket answered.

    Repeating it with the lookup as it is after the calls gives nothing to
    send. An opted-out newsletter is in ``subscribe`` only when its line says
    ``despite_opt_out``.
    """
    current, new = lookup.current, lookup.new
    moving = account.moving
    here = current.newsletters & account.ours if current else NOTHING
    there = (new.newsletters & account.ours if new else NOTHING) if moving else here
    holder = new if moving else current
    opted_out = any(person is not None and person.opted_out for person in (current, new))

    subscribe: set[str] = set()
    unsubscribe: set[str] = set()
    states: dict[str, State] = {}
    returned: set[str] = set()
    for line in account.lines:
        name = line.newsletter
        if name not in account.ours:
            continue
        present = name in there
        wanted = line.wanted and not account.leaving
        opted_out_here = line.state == State.OPTED_OUT and not line.despite_opt_out
        if opted_out_here and not opted_out and (present or name in here):
            returned.add(name)
            wanted = line.entitled and not account.leaving
        left = _left_by_choice(line, present=present or name in here, opted_out=opted_out)
        if left and not account.leaving:
            states[name] = State.OPTED_OUT
        elif present and wanted:
            states[name] = State.SUBSCRIBED if holder and holder.confirmed else State.AWAITING
        elif present and moving:
            states[name] = State.UNKNOWN  # removed by the next sync, from its then current address
        elif present and name not in account.kept:
            unsubscribe.add(name)
        elif left:
            states[name] = State.OPTED_OUT
        elif wanted and (account.stranded or (line.state == State.REFUSED and not moving)):
            states[name] = State.REFUSED
        elif wanted:
            subscribe.add(name)
        elif line.wanted:
            states[name] = State.UNKNOWN  # no address to have it at
        else:
            states[name] = State.UNSUBSCRIBED
    if moving or account.leaving:
        unsubscribe |= here - account.kept
    if moving and not opted_out and not account.passing:
        undecided = here - {line.newsletter for line in account.lines} - account.kept
        subscribe |= undecided - there

    pending = {line.newsletter for line in account.lines if line.removal_pending}
    return Plan(
        subscribe=frozenset(subscribe),
        unsubscribe=frozenset(unsubscribe),
        states=states,
        returned=frozenset(returned),
        removed=frozenset(pending - here),
        recheck=frozenset(
            name for name in pending & here if not moving and states.get(name) in HELD
        ),
    )


def _left_by_choice(line: Line, *, present: bool, opted_out: bool) -> bool:
    """Whether the person turned this newsletter off themselves, now or earlier."""
    if line.despite_opt_out:
        return False
    if opted_out:
        return True
    if present:
        return False
    return line.state == State.OPTED_OUT or (line.state in HELD and not line.removal_pending)
