"""Place members at addresses and decide what is wanted: policies, orders, members' choices."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import idna

from mozillians_basket.rules.brake import Brake, ended, gives, would_lose
from mozillians_basket.rules.plan import stays
from mozillians_basket.rules.rows import (
    Contact,
    DecidedBy,
    Member,
    Rows,
    State,
    Subscription,
    held,
    make_due,
    missing,
)
from mozillians_basket.rules.vetoes import end_mailbox_veto, end_veto, leave_behind, take_along

#: The longest address that Basket takes.
LONGEST_EMAIL = 254


def contact_key(email: str) -> str:
    """
    Normalise an address: one mailbox has one key, however it is spelled.

    Empty for an address that Basket cannot take: longer than 254 characters,
    or without an @. It is never cut, as that would be somebody else's mailbox.
    International domains are encoded by IDNA 2008, as Basket does: Python's own
    codec would take "straße" for "strasse", which is another domain.
    """
    email = email.strip()
    local, _, domain = email.lower().rpartition("@")
    if not domain.isascii():
        with suppress(idna.IDNAError):  # no domain name: Basket refuses it
            domain = idna.encode(domain, uts46=True).decode("ascii")
    key = f"{local}@{domain}"
    usable = local and domain and len(key) <= LONGEST_EMAIL and len(email) <= LONGEST_EMAIL
    return key if usable else ""


def suppression_hash(key: str, secret: bytes) -> str:
    """Hash a contact's key, so that an erased mailbox is recognised and not stored."""
    return hmac.new(secret, key.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """
    The site's word about a member now.

    ``contact_id`` is the contact of their address, ``None`` without a usable
    one; ``passed`` are those of the addresses that their touches name, in
    order; ``entitled`` is the outcome of each policy; ``changed_at`` is the time
    of their last touch, if there is one. Members and contacts have rows
    before they are evaluated.
    """

    member_id: int
    contact_id: int | None = None
    email: str = field(default="", repr=False)
    entitled: Mapping[str, bool] = field(default_factory=dict)
    passed: tuple[int, ...] = ()
    deleted: bool = False
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The rows after an evaluation; the members it removed from newsletters or held back."""

    rows: Rows
    removed: Mapping[str, list[int]]
    held_back: Mapping[str, list[int]]


def evaluate(
    rows: Rows,
    standings: Iterable[Standing],
    brakes: Mapping[str, Brake] | None = None,
    approved: Collection[tuple[int, str]] = (),
) -> Evaluated:
    """
    Bring members' places and decisions in line with what the site says about them.

    A policy decides when its outcome changes. A removal that a brake holds back
    is not applied: the member stays, and wants what they wanted, both marked ``held_back_at``;
    the rest of the change goes on. Removals in ``approved`` (member, newsletter)
    pass the brake. A decision made since a removal was held back stays.
    Changes come in the order of their times, as a deleted member's opt-outs stay with the
    mailbox against what others there want later. Without times, deletions come last.
    """
    before, rows, spent = rows, rows.copy(), Counter[str]()
    removed: dict[str, list[int]] = {name: [] for name in rows.settings.newsletters}
    held_back: dict[str, list[int]] = {name: [] for name in rows.settings.newsletters}
    arrived: set[int] = set()
    for standing in sorted(standings, key=_moment):
        member = rows.members[standing.member_id]
        goes = standing.deleted or standing.contact_id is None
        flips = ended(rows, member, standing.entitled)
        losses = rows.settings.newsletters if goes else flips
        losses = {name for name in losses if would_lose(rows, member, name, goes=goes)}
        waiting = frozenset(losses) if goes else frozenset()
        counted = {name for name in losses if (member.id, name) not in approved}
        kept = {
            name
            for name in counted
            if not (brakes or {}).get(name, Brake()).allows(spent[name] + 1, rows.settings)
        }
        if kept and goes:  # the member stays where they are
            losses &= flips
            for contact in [rows.contacts[i] for i in standing.passed if i != member.contact_id]:
                _leave(rows, member, contact)
            if standing.deleted:
                last = (member.contact_id, *standing.passed)[-1]
                leave_behind(rows, member, rows.contacts[last], arrived, standing.changed_at)
        elif standing.deleted:
            _delete(rows, member, standing.passed, arrived, standing.changed_at)
        if not standing.deleted:
            changed = _follow_policies(rows, member, standing.entitled, kept)
            if not (kept and goes) and _place(rows, member, standing):
                arrived.add(member.id)
                changed = True
            if changed and _concerns_basket(rows, member):
                _make_due(rows, member)
        spent.update(losses & counted - kept)
        if kept or member.held_back_at:
            _mark(rows, member, kept, waiting if kept else kept)
        for name in kept:
            held_back[name].append(member.id)
        for name in losses - kept:
            removed[name].append(member.id)
    _note_earlier(before, rows)
    return Evaluated(rows, removed, held_back)


def _moment(standing: Standing) -> tuple[object, ...]:
    """Sort standings: members without a time first, deletions without one last."""
    if standing.changed_at is None:
        return (2,) if standing.deleted else (0,)
    return (1, standing.changed_at, standing.deleted)


def _mark(rows: Rows, member: Member, kept: Collection[str], waiting: Collection[str]) -> None:
    """
    Mark the decisions that a brake holds back, and the member; end the marks of others.

    :param waiting: newsletters that leave together with those: their older marks stay.
    """
    member.held_back_at = (member.held_back_at or rows.now) if kept else None
    for name in rows.settings.newsletters if member.id in rows.members else ():
        since = rows.decision(member, name).held_back_at
        if name in kept or (since and name not in waiting):
            rows.decide(member, name, held_back_at=(since or rows.now) if name in kept else None)


def _follow_policies(
    rows: Rows,
    member: Member,
    entitled: Mapping[str, bool],
    kept: Collection[str],
) -> bool:
    """
    Decide where the outcome of a policy changed; tell whether one did.

    An end that is held back is noted, see :func:`~mozillians_basket.rules.brake.gives`: a
    decision made after it stays, until the outcome changes again.
    """
    changed = False
    for name, outcome in entitled.items():
        gave = gives(rows.decision(member, name))
        if gave and outcome:
            rows.decide(member, name, entitled=True)
        elif name in kept:
            if gave:
                rows.decide(member, name, entitled=False, decided_by=DecidedBy.POLICY)
        elif gave != outcome:
            decision = rows.decide(member, name, entitled=outcome)
            if decision.decided_at is None or decision.decided_at <= rows.now:
                decision.wanted, decision.decided_by = outcome, DecidedBy.POLICY
                decision.decided_at = rows.now
                decision.despite_opt_out &= outcome
            changed = True
    return changed


def _note_earlier(before: Rows, rows: Rows) -> None:
    """
    Note, where a member moves away, that a mate had decided before this decision.

    Its date alone would say that nobody had decided when the member left.
    """
    for key, earlier in before.decisions.items() if rows.moves else ():
        decision = rows.decisions.get(key)
        if decision and earlier.decided_by and decision.decided_at != earlier.decided_at:
            contact, name = rows.home(rows.members[key[0]]), key[1]
            if contact and (contact.id, name) in rows.subscriptions and rows.moves_from(contact):
                rows.subscriptions[contact.id, name].decided = True


def _place(rows: Rows, member: Member, standing: Standing) -> bool:
    """Put a member at the contact of their address, with a move from each one left behind."""
    target_id = standing.contact_id
    if target_id is not None and standing.email:
        rows.contacts[target_id].email = standing.email.strip()
    passed = dict.fromkeys([member.contact_id, *standing.passed])
    left = [rows.contacts[i] for i in passed if i not in {None, target_id}]
    if not left and member.contact_id == target_id:
        return False
    for move in rows.moves_of(member):
        move.target_id = target_id
        if move.source_id == target_id:
            rows.moves.remove(move)
    if target_id is not None and member.contact_id == target_id:  # they left it and came back
        _note_decided(rows, member, rows.contacts[target_id])
    rows.place(member, target_id)
    open_from = {move.source_id for move in rows.moves_of(member)}
    for contact in left:
        if contact.id not in open_from:
            ends = {"source_id": contact.id, "target_id": target_id}
            rows.moves.append(rows.new_move(member_id=member.id, moved_at=rows.now, **ends))
        _leave(rows, member, contact)
    if target_id is not None:
        rows.contacts[target_id].clear = False
        _forget_absence(rows, member, rows.contacts[target_id])
    return True


def _forget_absence(rows: Rows, member: Member, contact: Contact) -> None:
    """Forget that newsletters were absent: only a later lookup can show a return to them."""
    for name in rows.settings.newsletters:
        row = rows.subscription(contact, name)
        if row.state == State.UNSUBSCRIBED and rows.veto(member, name):
            row.state = State.UNKNOWN


def _delete(
    rows: Rows,
    member: Member,
    passed: Iterable[int] = (),
    arrived: Collection[int] = (),
    left_at: datetime | None = None,
) -> None:
    """Delete a member; their opt-outs stay with the mailbox, and what they decided leaves it."""
    sources = [move.source_id for move in rows.moves_of(member)]
    places = [*sources, member.contact_id, *passed]
    left = [rows.contacts[i] for i in dict.fromkeys(places) if i is not None]
    rows.place(member, None)
    for contact in left:
        _leave(rows, member, contact)
    for contact in left if places[-1] is None else [rows.contacts[places[-1]]]:
        leave_behind(rows, member, contact, arrived, left_at)
    rows.remove(member)


def _leave(rows: Rows, member: Member, contact: Contact) -> None:
    """Let a member leave a contact: note there what they had decided, and make it due."""
    take_along(rows, member, contact)
    _note_decided(rows, member, contact)
    if member.key and not any(other.key for other in rows.at(contact)):
        contact.clear = True
    _unpark(contact)
    make_due(contact, rows.now)


def _note_decided(rows: Rows, member: Member, contact: Contact) -> None:
    for (member_id, name), decision in rows.decisions.items():
        if member_id == member.id and decision.decided_by:
            rows.record(contact, name).decided = True


def _make_due(rows: Rows, member: Member) -> None:
    """
    Make a member's contact and the sources of their moves due.

    A contact that was parked after too many failures is tried again; one that Basket refuses
    stays parked, unless a newsletter must leave it: an opt-out is worth another try.
    """
    for contact_id in [member.contact_id, *(move.source_id for move in rows.moves_of(member))]:
        if contact_id is not None:
            contact = rows.contacts[contact_id]
            if contact.parked and contact.attempts:
                _unpark(contact)
            elif contact.parked and _loses_something(rows, contact):
                contact.parked = False  # the refusal stays its problem, until a lookup succeeds
            make_due(contact, rows.now)


def _loses_something(rows: Rows, contact: Contact) -> bool:
    """Whether a newsletter must leave a contact, as far as the ledger knows what Basket has."""
    return any(
        held(rows.subscription(contact, name)) and not stays(rows, contact, name)
        for name in rows.settings.newsletters
    )


def _concerns_basket(rows: Rows, member: Member) -> bool:
    """Whether Basket has to be asked: not about a new member who should get nothing."""
    names, contact = rows.settings.newsletters, rows.home(member)
    known = contact and any((contact.id, name) in rows.subscriptions for name in names)
    return bool(known or rows.moves_of(member) or any(rows.wishes(member, n) for n in names))


class Result(StrEnum):
    """The outcome of an order for one newsletter."""

    DECIDED = "decided"
    REFUSED = "refused"
    """An opt-out stands against it; no decision is left behind."""
    LEFT = "left"
    """Nothing was decided: it is not this site's newsletter, or the site's own data counts."""


def order(
    rows: Rows,
    member_ids: Iterable[int],
    newsletters: Iterable[str],
    *,
    subscribe: bool,
    despite_opt_out: bool = False,
    by: DecidedBy = DecidedBy.ADMIN,
) -> tuple[Rows, dict[tuple[int, str], Result]]:
    """
    Decide as an admin orders, for members whose touches were drained before.

    ``despite_opt_out`` ends the opt-outs of these newsletters and lasts until a
    lookup shows them. Returns the rows, and a result by member and newsletter.
    """
    before, rows, results, despite = rows, rows.copy(), {}, subscribe and despite_opt_out
    for member in [rows.members[member_id] for member_id in member_ids]:
        contact = rows.home(member)
        for name in newsletters:
            vetoed = rows.veto(member, name) or (contact and rows.mailbox_opted_out(contact, name))
            results[member.id, name] = Result.DECIDED
            if name not in rows.settings.newsletters:
                results[member.id, name] = Result.LEFT
            elif subscribe and vetoed and not despite:
                results[member.id, name] = Result.REFUSED
            else:
                if contact:
                    _ask_again(rows, contact, name, despite=despite)
                    contact.clear = False
                if despite:
                    end_veto(rows, member, name)
                decision = rows.decide(member, name, wanted=subscribe, decided_by=by)
                decision.decided_at = rows.now
                decision.despite_opt_out = subscribe and (despite or decision.despite_opt_out)
        _make_due(rows, member)
    _note_earlier(before, rows)
    return rows, results


def opt_in(rows: Rows, member_id: int, newsletters: Iterable[str]) -> Rows:
    """Subscribe a member by their own choice; it ends opt-outs, theirs and the mailbox's."""
    choice = {"subscribe": True, "despite_opt_out": True}
    return order(rows, [member_id], newsletters, **choice, by=DecidedBy.MEMBER)[0]


def opt_out(rows: Rows, member_id: int, newsletters: Iterable[str]) -> Rows:
    """Record a member's own opt-out: a veto of this member alone, beside what is wanted."""
    rows = rows.copy()
    member = rows.members[member_id]
    contact = rows.home(member)
    for name in rows.settings.newsletters.intersection(newsletters):
        own = {"opted_out_at": rows.now, "inferred": False, "despite_opt_out": False}
        decision = rows.decide(member, name, **own)
        if not decision.decided_by:
            decision.decided_by, decision.decided_at = DecidedBy.MEMBER, rows.now
        if contact:
            _forget_absence(rows, member, contact)
    _make_due(rows, member)
    return rows


def erase(rows: Rows, contact_id: int) -> Rows:
    """Clear a bare address, so that it is erased once nothing of ours is left at Basket."""
    rows = rows.copy()
    contact = rows.contacts[contact_id]
    for member in list(rows.at(contact)):
        _delete(rows, member)
    contact.clear = True
    _unpark(contact)
    make_due(contact, rows.now)
    return rows


def retry(rows: Rows, contact_ids: Iterable[int]) -> Rows:
    """Retry refused, lost and parked contacts, as an admin asks."""
    rows = rows.copy()
    for contact in [rows.contacts[contact_id] for contact_id in contact_ids]:
        contact.retry = False
        for name in rows.settings.newsletters:
            _ask_again(rows, contact, name)
        make_due(contact, rows.now)
    return rows


def _ask_again(rows: Rows, contact: Contact, newsletter: str, *, despite: bool = False) -> None:
    """Forget a refusal and a loss; while a question is open, the missing wait for its answer."""
    _unpark(contact)
    row = rows.subscription(contact, newsletter)
    if despite:
        end_mailbox_veto(rows, contact, newsletter)
    if row.state == State.LOST or (despite and missing(row)):
        row.confirmed_at = row.seen_at = None
        row.missing_at = row.missing_at if rows.question(newsletter) else None
    elif row.state != State.REFUSED and not row.error_code:
        return
    if row.state != State.OPTED_OUT:
        row.state = State.UNKNOWN
    row.error_code = ""


def _unpark(contact: Contact) -> None:
    contact.parked, contact.attempts, contact.problem, contact.not_before = False, 0, "", None


def suppress_again(
    rows: Rows, contact_id: int, opt_outs: Iterable[Subscription], erased_at: datetime
) -> Rows:
    """
    Give a mailbox that was erased and comes back the opt-outs of its suppression.

    It was erased because a lookup had shown that nothing was left.

    :param opt_outs: its subscriptions, as far as they were kept.
    """
    rows = rows.copy()
    contact = rows.contacts[contact_id]
    contact.looked_up_at = erased_at
    for known in opt_outs:
        row = rows.record(contact, known.newsletter)
        row.state, row.opted_out_at = State.OPTED_OUT, known.opted_out_at
        row.missing_at = known.missing_at
    return rows
