"""The calls to send for a contact, in which order, and when to look it up again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mozillians_basket.rules.rows import (
    Contact,
    Member,
    Move,
    Rows,
    State,
    Subscription,
    after,
    held,
    lost_at_a_cleared,
    make_due,
    missing,
    unseen,
)

#: Basket answers 429 to the fifth equal call within five minutes (measured). These keep the app
#: below that; they are not the wait after a 429.
RATE_LIMIT_CALLS, RATE_LIMIT_WINDOW = 5, timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls left for a contact: the subscribe first, then the unsubscribe."""

    subscribe: frozenset[str] = frozenset()
    unsubscribe: frozenset[str] = frozenset()
    fields_of: int | None = None
    """The member whose ``fields`` are sent: the one whose decision is newest."""
    renamed: str = field(default="", repr=False)
    """The token of the renamed person who is unsubscribed, before the contact's own person."""

    def __bool__(self) -> bool:
        return bool(self.subscribe or self.unsubscribe)


def plan(rows: Rows, contact_id: int) -> Plan:
    """
    Name the calls left for a contact, judged by the rows as they are now.

    The first step of a sync looks the contact up, so the rows tell what Basket
    has; each later step asks again, so that a newer change counts.
    """
    contact = rows.contacts[contact_id]
    subscribe, unsubscribe, wishes = set(), set(), []
    limited = bool(contact.subscribe_calls) and rate_limited_until(rows, contact) is not None
    for name in rows.settings.newsletters - rows.paused:
        row = rows.subscription(contact, name)
        askers = [m for m in rows.at(contact) if rows.wants(m, contact, name)]
        if rows.moves:
            askers = [member for member in askers if not waits(rows, member, contact, name)]
        blocked = row.state in {State.REFUSED, State.LOST} or row.missing_at
        if askers and not (held(row) or blocked or limited):
            subscribe.add(name)
            wishes += [rows.decision(member, name) for member in askers]
        if _removable(rows, contact, name):
            unsubscribe.add(name)
    if contact.renamed_at and unsubscribe:
        subscribe.clear()  # a subscribe makes a new person
    renamed = ""
    if contact.renamed_people and (removal := _renamed_removal(rows, contact)):
        renamed, unsubscribe = removal
    newest = max(wishes, key=lambda wish: (wish.decided_at, wish.member_id), default=None)
    return Plan(
        frozenset(subscribe),
        frozenset(unsubscribe),
        fields_of=newest.member_id if newest and subscribe else None,
        renamed=renamed,
    )


def waits(rows: Rows, member: Member, contact: Contact, newsletter: str) -> bool:
    """
    Whether a member's wish waits for the contact that they came from.

    Until it was looked up after the move began, and while the newsletter is
    missing there undecided: an opt-out made just before the move is found first.
    """
    for move in rows.moves_of(member):
        source = rows.contacts[move.source_id]
        if move.target_id == contact.id and (
            not after(source.looked_up_at, move.moved_at)
            or missing(rows.subscription(source, newsletter))
        ):
            return True
    return False


def _is_shown(row: Subscription, contact: Contact) -> bool:
    """Whether Basket has a newsletter: the latest lookup, or a call after it, says so."""
    at = contact.looked_up_at
    return held(row) and (after(row.seen_at, at) or after(row.confirmed_at, at))


def _removable(rows: Rows, contact: Contact, newsletter: str) -> bool:
    """Whether a newsletter has to be unsubscribed, and may be now."""
    row = rows.subscription(contact, newsletter)
    if not _is_shown(row, contact) or removal_refused(row):
        return False
    moves = rows.moves_from(contact)
    if stays(rows, contact, newsletter) or not all(_arrived(rows, m, newsletter) for m in moves):
        return False
    if not row.removal_pending or row.error_code:  # or that call had no usable answer
        return True
    return _may_be_repeated(rows, contact, row.removed_at)


def _may_be_repeated(rows: Rows, contact: Contact, removed_at: datetime) -> bool:
    """Whether an unsubscribe that lookups still do not show is sent again: ever more rarely."""
    so_far = removed_at - min(contact.touched_at or rows.now, removed_at)
    return rows.now - removed_at >= max(rows.settings.removal_grace, so_far)


def _renamed_removal(rows: Rows, contact: Contact) -> tuple[str, set[str]] | None:
    """Name a renamed person, by token, and the newsletters to take away from them now."""
    at = contact.renamed_removal_at
    if at and not _may_be_repeated(rows, contact, at):
        return None
    for token, names in contact.renamed_people.items():
        unwanted = {
            name
            for name in set(names or ()) - rows.paused
            if not _is_wished(rows, contact, name)
            and all(_arrived(rows, move, name) for move in rows.moves_from(contact))
        }
        if unwanted:
            return token, unwanted
    return None


def removal_refused(row: Subscription) -> bool:
    """Whether Basket has refused to remove what it has."""
    return held(row) and bool(row.error_code) and not row.removal_pending


def stays(rows: Rows, contact: Contact, newsletter: str) -> bool:
    """Whether a newsletter is wanted at a contact, or nobody there ever decided on it."""
    if contact.renamed_at:
        wanted = _is_wished(rows, contact, newsletter)
    else:
        wanted = rows.wanted(contact, newsletter)
    return wanted or not (contact.clear or rows.decided(contact, newsletter))


def _is_wished(rows: Rows, contact: Contact, newsletter: str) -> bool:
    """Whether a member at an address wants a newsletter, at whatever address."""
    return any(rows.wishes(member, newsletter) for member in rows.at(contact))


def _arrived(rows: Rows, move: Move, newsletter: str) -> bool:
    """Whether a member who moved has a newsletter at the target, or does not want it there."""
    if move.target_id is None:
        return True
    target = rows.contacts[move.target_id]
    row = rows.subscription(target, newsletter)
    there = _is_shown(row, target) and not missing(row) and not row.removal_pending
    return there or not rows.wants(rows.members[move.member_id], target, newsletter)


def rate_limited_until(rows: Rows, contact: Contact) -> datetime | None:
    """Say until when one more subscribe call could run into Basket's rate limit, if now."""
    ends = [call + RATE_LIMIT_WINDOW for call in contact.subscribe_calls]
    ends = sorted(end for end in ends if end > rows.now)[1 - RATE_LIMIT_CALLS :]
    return ends[0] if len(ends) == RATE_LIMIT_CALLS - 1 else None


def look_again_at(rows: Rows, contact: Contact) -> datetime | None:
    """
    Say when a contact must be looked up again, although there is nothing to send now.

    A subscribe that was answered is left to verification, unless a lookup has
    missed it or only an order named the address. The waits grow with the time
    since the call, so they double from one look to the next.
    """
    now, looks = rows.now, []
    ordered = any(not member.key for member in rows.at(contact))
    for name in rows.settings.newsletters:
        row = rows.subscription(contact, name)
        suspect = unseen(row) and (ordered or after(contact.looked_up_at, row.confirmed_at))
        if lost_at_a_cleared(contact, row):
            looks.append(_growing(rows, row.missing_at, row.missing_at + rows.settings.queue_time))
        elif missing(row) or (row.missing_at and rows.question(name)):
            looks.append(_growing(rows, row.missing_at))
        elif row.requested_at or suspect or _may_reappear(row):
            since = queued_since(row)
            looks.append(_growing(rows, since, since + rows.settings.queue_time))
        if row.removed_at and (row.removal_pending or held(row)):
            end = row.removed_at + rows.settings.removal_grace
            if not row.removal_pending:
                end -= rows.settings.recheck
            if row.removal_pending or now < end:  # Basket may carry it out twice, or late
                looks.append(_growing(rows, row.removed_at, end))
        if ordered and _is_unshown(rows, contact, name):
            looks.append(_growing(rows, contact.touched_at or now))
        wanted = rows.wanted(contact, name)
        if name in rows.paused and (wanted or not _at_rest(rows, contact, name)):
            looks.append(_growing(rows, contact.touched_at or now))
        if wanted and not held(row) and (limited_until := rate_limited_until(rows, contact)):
            looks.append(limited_until)
    if at := contact.renamed_removal_at:
        looks.append(_growing(rows, at, at + rows.settings.removal_grace))
    if None in contact.renamed_people.values():
        looks.append(_growing(rows, contact.touched_at or now))
    return min(looks, default=None)


def queued_since(row: Subscription) -> datetime:
    """Say when the last subscribe call was made that no lookup has shown, or a repeated one."""
    answered = row.confirmed_at if unseen(row) else None
    calls: list[datetime | None] = [row.requested_at, row.unanswered_at, answered]
    return max(call for call in calls if call is not None)


def _growing(rows: Rows, since: datetime, end: datetime | None = None) -> datetime:
    """Wait as long again as has passed since then, but look once when ``end`` comes."""
    look: datetime = rows.now + max(rows.settings.recheck, rows.now - since)
    return min(look, end) if end and rows.now < end else look


def settle(rows: Rows, contact_ids: Iterable[int]) -> tuple[Rows, dict[int, list[Subscription]]]:
    """
    End the sync of some contacts that were looked up: all their calls are answered.

    Closes moves, removes keyless members whose order is done, and erases the
    contacts without members, once no removal of ours can take effect late.
    Returns the rows and, by contact that was erased, the subscriptions that its
    mailbox had opted out of.
    """
    rows = rows.copy()
    erased = {}
    for contact in [rows.contacts[contact_id] for contact_id in contact_ids]:
        if contact.touched_at and not after(contact.looked_up_at, contact.touched_at):
            contact.not_before = None  # touched since then: look again at once
            continue
        partners = _partners(rows, contact)
        at_rest = all(
            _at_rest(rows, contact, name) and not _may_reappear(rows.subscription(contact, name))
            for name in rows.settings.newsletters
        )
        rows.moves = [
            move
            for move in rows.moves
            if contact.id not in {move.source_id, move.target_id} or not _is_over(rows, move)
        ]
        for member in [member for member in rows.at(contact) if not member.key]:
            if at_rest and _carried_out(rows, member, contact):
                _remove_keyless(rows, member, contact)
        if not contact.parked and not _fails_and_waits(rows, contact):
            contact.attempts, contact.not_before = 0, None
            contact.problem = _lasting_problem(rows, contact)
        if at_rest and not rows.at(contact) and not _partners(rows, contact):
            contact.not_before = _removals_end(rows, contact)
            if contact.not_before is None:
                erased[contact.id] = _erase(rows, contact)
        elif not plan(rows, contact.id):
            contact.not_before = look_again_at(rows, contact)
            if contact.not_before is None:
                contact.touched_at, contact.settled_at = None, rows.now
        for partner in partners:
            if plan(rows, partner.id) or _has_finished_order(rows, partner):
                make_due(partner, rows.now)
    return rows, erased


def _fails_and_waits(rows: Rows, contact: Contact) -> bool:
    """Whether a subscribe had no usable answer, and must not be repeated yet: its failures stay."""
    if not contact.problem or rate_limited_until(rows, contact) is None:
        return False
    names = rows.settings.newsletters
    unanswered = [name for name in names if rows.subscription(contact, name).requested_at]
    return any(rows.wanted(contact, name) for name in unanswered)


def _lasting_problem(rows: Rows, contact: Contact) -> str:
    """Name what Basket refused or lost: a retry, an order or the member's own choice ends it."""
    for name in sorted(rows.settings.newsletters):
        row = rows.subscription(contact, name)
        if row.state == State.LOST and not contact.clear:
            return str(State.LOST)
        if row.state == State.REFUSED or removal_refused(row):
            return str(row.error_code)
    return ""


def _partners(rows: Rows, contact: Contact) -> list[Contact]:
    """List the contacts at the other end of a contact's moves."""
    ends = [{move.source_id, move.target_id} for move in rows.moves]
    ids = set().union(*(pair for pair in ends if contact.id in pair)) - {contact.id, None}
    return [rows.contacts[contact_id] for contact_id in sorted(ids)]


def _is_over(rows: Rows, move: Move) -> bool:
    """
    Whether a move can be closed: nothing is left to leave its source, or to arrive first.

    A subscribe at the source without an answer holds it open only until the member has the
    newsletter at the target. After that, an opt-out at the source is that of its next owner.
    """
    source = rows.contacts[move.source_id]
    if not after(source.looked_up_at, move.moved_at):
        return False
    for name in rows.settings.newsletters:
        row = rows.subscription(source, name)
        may_have_it = held(row) or row.requested_at
        if may_have_it and not _arrived(rows, move, name):
            return False
        if not _agrees(rows, source, name):
            return False
    return True


def _at_rest(rows: Rows, contact: Contact, newsletter: str) -> bool:
    """Whether Basket has a newsletter or not as it should, with no call and no question open."""
    open_call = rows.subscription(contact, newsletter).requested_at
    return not open_call and _agrees(rows, contact, newsletter)


def _agrees(rows: Rows, contact: Contact, newsletter: str) -> bool:
    """Whether Basket has a newsletter or not as it should, but for a subscribe that is open."""
    row = rows.subscription(contact, newsletter)
    if row.removal_pending or unseen(row) or missing(row):
        return False
    if lost_at_a_cleared(contact, row):
        return False
    for names in contact.renamed_people.values():
        if names is None or (newsletter in names and not _is_wished(rows, contact, newsletter)):
            return False
    return not held(row) or stays(rows, contact, newsletter)


def _may_reappear(row: Subscription) -> bool:
    """Whether Basket may yet carry out a subscribe that was repeated, where it has nothing now."""
    return row.unanswered_at is not None and not held(row)


def _has_finished_order(rows: Rows, contact: Contact) -> bool:
    """Whether a keyless member there waited for nothing but the end of their move."""
    return any(not member.key and not rows.moves_of(member) for member in rows.at(contact))


def _carried_out(rows: Rows, member: Member, contact: Contact) -> bool:
    """Whether a member that only an order named has what was ordered, or was refused it."""
    for name in rows.settings.newsletters:
        row = rows.subscription(contact, name)
        if (member.id, name) in rows.decisions and _is_unshown(rows, contact, name):
            return False
        refused = row.state == State.REFUSED or contact.parked
        if rows.wants(member, contact, name) and not held(row) and not refused:
            return False
    return not rows.moves_of(member)


def _is_unshown(rows: Rows, contact: Contact, newsletter: str) -> bool:
    """Whether no person was ever shown there, while Basket may have lost some with a newsletter."""
    return not contact.token and rows.question(newsletter) is not None


def _remove_keyless(rows: Rows, member: Member, contact: Contact) -> None:
    """Remove a keyless member; the address keeps what it got."""
    decided = [name for member_id, name in rows.decisions if member_id == member.id]
    rows.remove(member)
    for name in decided:
        rows.record(contact, name).decided = False


def _removals_end(rows: Rows, contact: Contact) -> datetime | None:
    """Say when the last removal's grace ends: an erased contact could not recognise it."""
    removals = [rows.subscription(contact, name).removed_at for name in rows.settings.newsletters]
    ends = [moment + rows.settings.removal_grace for moment in removals if moment]
    return max((end for end in ends if end > rows.now), default=None)


def _erase(rows: Rows, contact: Contact) -> list[Subscription]:
    """Delete a contact and its subscriptions; return those that its mailbox opted out of."""
    del rows.contacts[contact.id]
    gone = [rows.subscriptions.pop(key) for key in [*rows.subscriptions] if key[0] == contact.id]
    return [row for row in gone if row.state == State.OPTED_OUT]
