"""The meaning of Basket's answers, and the changes that follow from it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from operator import attrgetter

from mozillians_basket.rules.plan import RATE_LIMIT_CALLS, queued_since, stays, waits
from mozillians_basket.rules.rows import (
    Contact,
    DecidedBy,
    Move,
    Rows,
    State,
    Subscription,
    after,
    held,
    lost_at_a_cleared,
    make_due,
    unseen,
)
from mozillians_basket.rules.vetoes import end_veto, mark, opt_out_mailbox, opt_out_of_all

#: The code of a subscribe that Basket takes without storing anything. It has none of its own.
BLOCKED_DOMAIN = "blocked domain"

#: The codes of refusals that are counted as "Address not accepted", as text: an invalid one has
#: code 2.
ADDRESS_CODES = frozenset({"2", BLOCKED_DOMAIN})


@dataclass(frozen=True, slots=True)
class Person:
    """A person as Basket's lookup shows them."""

    email: str = field(repr=False)
    token: str = field(repr=False)
    newsletters: frozenset[str] = frozenset()
    optout: bool = False
    optin: bool = True
    """False while Basket waits for the person's confirmation."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """
    Basket's answer about one contact.

    ``person`` has the contact's address. Where there is nobody, or somebody with
    another token, ``by_token`` is the person who has the contact's token: they changed
    their address at Basket. ``elsewhere`` says that this new address is a contact with
    members. ``renamed`` are the newsletters of people who were renamed earlier, by token:
    ``None`` where nobody has it, and none where their new address has members.
    """

    began_at: datetime
    person: Person | None = None
    by_token: Person | None = None
    elsewhere: bool = False
    renamed: Mapping[str, frozenset[str] | None] = field(default_factory=dict, repr=False)


class Kind(Enum):
    """The kinds of answers to a call."""

    DONE = auto()
    UNCLEAR = auto()
    """No usable answer: the call may have been carried out."""
    NOT_DONE = auto()
    """Not carried out, for a reason that is not the contact's: rate limit, key, switch, slug."""
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The answer to a subscribe or unsubscribe call, or to a lookup that failed.

    ``token`` is what a subscribe returns.
    ``wait`` is how long the contact waits after a failure of its own.
    """

    kind: Kind
    code: str = ""
    token: str = field(default="", repr=False)
    wait: timedelta | None = None


class Meaning(Enum):
    """The meaning of a lookup for one newsletter: the first that fits counts."""

    OPTED_OUT = auto()  # the person is shown with optout, and no order overrides it
    CAME_BACK = auto()  # shown after an opt-out that a lookup has seen, and not by a call of ours
    WANTED = auto()  # shown and wanted
    UNWANTED = auto()  # shown, decided (or the contact is cleared), and not wanted
    LEFT_ALONE = auto()  # shown, and nobody who is or was there decided on it
    REMOVED = auto()  # not shown, and our unsubscribe explains it, on time or late
    UNANSWERED = auto()  # not shown, wanted, and a subscribe call is unanswered
    QUEUED = auto()  # not shown, but a subscribe call may still be in Basket's queue
    RENAMED = auto()  # nobody has the address, but somebody has the token
    OUTDATED = auto()  # not shown though Basket had it, and the loss has ended since the lookup
    MISSING = auto()  # the person is there, or back, without it, though Basket had it
    LOST = auto()  # nobody is there, neither by address nor by token, though Basket had it
    LACKING = auto()  # not shown and wanted
    ABSENT = auto()  # not shown and not wanted


def ask_by_token(contact: Contact, subscriptions: Iterable[Subscription]) -> bool:
    """Whether the token must be looked up too, where the address shows nobody."""
    known = any(row.confirmed_at for row in subscriptions)
    return bool(contact.token) and (known or contact.renamed_at is not None)


def meaning(rows: Rows, contact: Contact, newsletter: str, lookup: Lookup) -> Meaning:
    """Say what a lookup means for one newsletter."""
    row, person = rows.subscription(contact, newsletter), lookup.person
    found = person or lookup.by_token
    wanted = rows.wanted(contact, newsletter)
    despite = rows.despite_opt_outs(contact, newsletter)
    vetoed = any(rows.veto(member, newsletter) for member in rows.at(contact))
    if found and found.optout and not despite:
        return Meaning.OPTED_OUT
    if person and newsletter in person.newsletters and not person.optout:
        if _came_back(rows, contact, newsletter):
            return Meaning.CAME_BACK
        if wanted:
            return Meaning.WANTED
        return Meaning.LEFT_ALONE if stays(rows, contact, newsletter) else Meaning.UNWANTED

    if lookup.by_token and row.confirmed_at and newsletter in lookup.by_token.newsletters:
        return Meaning.RENAMED
    if row.removal_pending or (row.removed_at and _struck(rows, row, lookup.began_at)):
        if found or contact.clear or wanted or not vetoed:
            return Meaning.REMOVED
        # Nobody is there: an opt-out must not look like a return if the person comes back.
        if lookup.began_at - row.removed_at < rows.settings.queue_time:
            return Meaning.QUEUED
        if held(row):
            return Meaning.LOST
    if row.requested_at and wanted:
        return Meaning.UNANSWERED
    if row.requested_at or unseen(row):
        if lookup.began_at - queued_since(row) < rows.settings.queue_time:
            return Meaning.QUEUED
        if not wanted and not (contact.clear and held(row) and not found):
            return Meaning.ABSENT
        if wanted and not found:
            return Meaning.LACKING
    back = row.state == State.LOST and row.seen_at is not None and found is not None
    if (held(row) and row.state != State.OPTED_OUT) or back:
        if rows.closed_since(newsletter, lookup.began_at):
            return Meaning.OUTDATED
        doubts = rows.losses_of(row)
        if despite or (doubts and all(asked.closed_at for asked in doubts)):
            return Meaning.LACKING
        if not found:
            doubted = row.opted_out_at is not None  # see vetoes.doubt
            return Meaning.MISSING if doubted else Meaning.LOST
        return Meaning.MISSING if person else Meaning.RENAMED
    if wanted and row.state not in {State.REFUSED, State.LOST}:
        return Meaning.LACKING
    return Meaning.ABSENT


def _came_back(rows: Rows, contact: Contact, newsletter: str) -> bool:
    """Whether a person who opted out has subscribed again at Basket, and no call of ours did."""
    row = rows.subscription(contact, newsletter)
    if row.requested_at or row.unanswered_at:
        return False
    if row.confirmed_at or row.state == State.UNKNOWN:
        return False
    if row.missing_at and row.state != State.OPTED_OUT:  # absent because of a loss
        return False
    vetoes = [rows.veto(member, newsletter) for member in rows.at(contact)]
    if row.state == State.OPTED_OUT:
        vetoes.append(row.opted_out_at or contact.looked_up_at)
    return any(after(contact.looked_up_at, veto) for veto in vetoes)


def _struck(rows: Rows, row: Subscription, now: datetime) -> bool:
    """Whether our last unsubscribe may have been carried out late, after a newer subscribe."""
    until = row.removed_at + rows.settings.removal_grace
    return bool(now < until or (unseen(row) and row.confirmed_at < until))


def apply_lookups(rows: Rows, lookups: Mapping[int, Lookup]) -> Rows:
    """Write down what Basket showed of some contacts."""
    rows = rows.copy()
    for contact_id, lookup in lookups.items():
        contact = rows.contacts[contact_id]
        if lookup.person:
            if lookup.by_token:  # somebody else has taken the address in the meantime
                _rename(rows, contact, lookup, lookup.by_token)
            _note_token(rows, contact, lookup.person.token)
            contact.optin = lookup.person.optin
        if contact.renamed_people:
            _follow_renamed_people(rows, contact, lookup)
        names = sorted(rows.settings.newsletters)
        for name in names:
            row = rows.subscription(contact, name)
            if unseen(row) and lookup.began_at - row.confirmed_at >= rows.settings.queue_time:
                _end_orders(rows, contact, name, row.confirmed_at)
            if not after(row.unanswered_at, lookup.began_at - rows.settings.queue_time):
                row.unanswered_at = None
        meanings = {name: meaning(rows, contact, name, lookup) for name in names}
        if Meaning.OPTED_OUT in meanings.values():
            opt_out_of_all(rows, contact, lookup.began_at)
        elif lookup.by_token and (contact.renamed_at or Meaning.RENAMED in meanings.values()):
            _rename(rows, contact, lookup, lookup.by_token)
            meanings = {}
        for name, meant in meanings.items():
            # Most contacts need no row for most newsletters, and a subscribe makes its own.
            known = (contact.id, name) in rows.subscriptions
            needed = meant not in {Meaning.LACKING, Meaning.ABSENT}
            if meant == Meaning.ABSENT:
                needed = rows.is_decided_or_vetoed(contact, name)
            if known or needed:
                _apply(rows, contact, rows.record(contact, name), meant, lookup.began_at)
        before, contact.looked_up_at = contact.looked_up_at, lookup.began_at
        if rows.moves_from(contact):
            _adopt(rows, contact, before)
    return rows


def _apply(rows: Rows, contact: Contact, row: Subscription, meant: Meaning, at: datetime) -> None:
    """Write down what a lookup that began ``at`` means for one newsletter."""
    match meant:
        case Meaning.OPTED_OUT:
            opt_out_mailbox(rows, contact, row.newsletter, at)
            if row.requested_at and at - row.requested_at >= rows.settings.queue_time:
                row.requested_at = None
        case Meaning.CAME_BACK:
            _come_back(rows, contact, row)
            _show(row, at)
        case Meaning.WANTED:
            row.state, row.error_code = State.SUBSCRIBED, ""
            _show(row, at)
            _outlive_removal(rows, row, at)
            _end_orders(rows, contact, row.newsletter, at)
        case Meaning.UNWANTED | Meaning.LEFT_ALONE:
            _show(row, at)
        case Meaning.REMOVED:
            if unseen(row):  # the call may still be in Basket's queue
                row.requested_at = row.confirmed_at
            _gone(row)
        case Meaning.OUTDATED:
            make_due(contact, rows.now)
        case Meaning.MISSING:
            if row.state == State.LOST:
                row.state, row.missing_at = State.SUBSCRIBED, None
            row.missing_at, row.requested_at = row.missing_at or at, None
        case Meaning.LOST:
            if row.state != State.LOST:  # a date from before a loss would not belong to it
                row.state, row.missing_at = State.LOST, at
                row.removal_pending = False
        case Meaning.LACKING:
            row.requested_at = None
            if row.state == State.LOST:
                row.state = State.UNKNOWN
            if row.missing_at and (held(row) or not rows.question(row.newsletter)):
                row.missing_at = None
            _gone(row)
        case Meaning.ABSENT:
            row.requested_at = None
            _gone(row)
    # A Basket that shows nobody may be the wrong one, or be restored within the day.
    if lost_at_a_cleared(contact, row) and not (
        rows.question(row.newsletter) or at - row.missing_at < rows.settings.queue_time
    ):
        row.state, row.missing_at = State.UNSUBSCRIBED, None
        _gone(row)


def _note_token(rows: Rows, contact: Contact, token: str) -> None:
    """
    Write down a person's token. With another token it is another person, made again.

    This one cannot have opted out of what was lost with the former: ``seen_at`` is emptied.
    A renamed person is remembered, with what they have at their new address.
    """
    if contact.renamed_at:
        if contact.token not in {"", token}:
            contact.renamed_people = {**contact.renamed_people, contact.token: None}
        for name in rows.settings.newsletters:
            row = rows.record(contact, name)  # the renamed person had these elsewhere
            row.confirmed_at, row.seen_at, row.removal_pending = None, None, False
        contact.renamed_at = None
    for name in rows.settings.newsletters if contact.token not in {"", token} else ():
        row = rows.subscription(contact, name)
        if row.state == State.LOST:
            row.seen_at = None
    contact.token = token


def _show(row: Subscription, at: datetime) -> None:
    """Write down that a lookup showed it; an opt-out and a refusal to remove it stay."""
    if row.state == State.REFUSED and not row.confirmed_at:  # Basket refused a subscribe
        row.state, row.error_code = State.SUBSCRIBED, ""
    if row.state not in {State.OPTED_OUT, State.REFUSED}:
        row.state, row.opted_out_at = State.SUBSCRIBED, None
    row.missing_at = None
    row.confirmed_at, row.seen_at, row.requested_at = row.confirmed_at or at, at, None


def _outlive_removal(rows: Rows, row: Subscription, at: datetime) -> None:
    """End a removal that can strike no more, as a lookup after its grace still shows the row."""
    if row.removed_at and at - row.removed_at >= rows.settings.removal_grace:
        row.removal_pending = False


def _gone(row: Subscription) -> None:
    """Write down that Basket does not have it; an opt-out, a refusal and a loss stay."""
    row.removal_pending = False
    if row.state != State.LOST:
        row.confirmed_at = row.seen_at = None
        row.decided = row.decided and bool(row.requested_at or row.unanswered_at)
    if row.state in {State.UNKNOWN, State.SUBSCRIBED}:
        row.state, row.opted_out_at = State.UNSUBSCRIBED, None


def _come_back(rows: Rows, contact: Contact, row: Subscription) -> None:
    """
    End the vetoes of a newsletter that the person subscribed to again at Basket.

    It is wanted as of the last lookup that did not show it; a later decision
    supersedes that. An opt-out that a member made on the site since then stays.
    """
    name, since = row.newsletter, contact.looked_up_at
    for member in rows.concerned(contact):
        veto, here = rows.veto(member, name), member.contact_id == contact.id
        if veto and veto != row.opted_out_at and not (here and after(since, veto)):
            continue
        if not veto and not (here and row.state == State.OPTED_OUT):
            continue
        end_veto(rows, member, name)
        if not after(rows.decision(member, name).decided_at, since):
            rows.decide(member, name, wanted=True, decided_by=DecidedBy.MEMBER, decided_at=since)
    row.state, row.opted_out_at, row.missing_at = State.SUBSCRIBED, None, None


def _rename(rows: Rows, contact: Contact, lookup: Lookup, person: Person) -> None:
    """
    Write down that the mailbox's owner has another address at Basket.

    The mailbox counts as opted out, its members do not. Subscriptions at the other
    address stay on record here, and are removed by token; unless that address is a
    contact with members, which is synced by itself.
    """
    contact.renamed_at = contact.renamed_at or lookup.began_at
    for name in rows.settings.newsletters:
        row = rows.record(contact, name)
        if rows.despite_opt_outs(contact, name):
            row.state, row.confirmed_at, row.seen_at = State.UNKNOWN, None, None
            continue
        mark(row, None)
        if name in person.newsletters and not lookup.elsewhere:
            _show(row, lookup.began_at)
            if stays(rows, contact, name):
                _outlive_removal(rows, row, lookup.began_at)
        else:
            # A call without an answer may yet make a new person at this address.
            row.unanswered_at, row.requested_at = row.requested_at or row.unanswered_at, None
            _gone(row)


def _follow_renamed_people(rows: Rows, contact: Contact, lookup: Lookup) -> None:
    """
    Write down what people who were renamed earlier still have.

    Only newsletters count that members here had decided on when the next person took the
    address, or all if no member was left. Where nobody has the token, Basket may have lost
    its people: it is kept for a day, and while a question is open.
    """
    found = dict(lookup.renamed)
    if lookup.by_token:
        shown_now = frozenset() if lookup.elsewhere else lookup.by_token.newsletters
        found[lookup.by_token.token] = shown_now
    names, at, people = rows.settings.newsletters, lookup.began_at, {}
    waits = at - (contact.touched_at or at) < rows.settings.queue_time
    for token, known in contact.renamed_people.items():
        shown = found.get(token)
        if lookup.person and lookup.person.token == token:  # has the address again
            continue
        if shown is None:
            if waits or any(rows.question(name) for name in known or names):
                people[token] = known
            continue
        if known is None:
            known = sorted(n for n in names if contact.clear or rows.decided(contact, n))
        if still := [name for name in known if name in shown]:
            people[token] = still
    if people != contact.renamed_people:
        contact.renamed_people, contact.renamed_removal_at = people, None


def _adopt(rows: Rows, contact: Contact, before: datetime | None) -> None:
    """
    Give the members there, or moved away, an own decision where nobody had decided.

    A keyless member there only carries an order, or has moved there: it adopts nothing. Of
    those that moved away, the first one takes all that a bare address had.

    :param before: when the contact had been looked up before.
    """
    moves = sorted(rows.moves_from(contact), key=attrgetter("moved_at"))
    moves = [move for move in moves if move is moves[0] or rows.members[move.member_id].key]
    for name in rows.settings.newsletters:
        row, at = rows.subscription(contact, name), contact.looked_up_at
        if not held(row) or row.seen_at != at or row.state == State.OPTED_OUT:
            continue
        there = [member for member in rows.at(contact) if member.key]
        left = moves
        if rows.decided(contact, name):
            there, left = [], [m for m in moves if _had(rows, m, contact, row, before)]
        for member in [*there, *(rows.members[move.member_id] for move in left)]:
            row.decided = True
            if not rows.decision(member, name).decided_by:
                choice = {"wanted": True, "decided_by": DecidedBy.MEMBER, "decided_at": at}
                rows.decide(member, name, **choice)


def _had(
    rows: Rows, move: Move, contact: Contact, row: Subscription, before: datetime | None
) -> bool:
    """
    Whether a newsletter was there, undecided, when a member moved away.

    The first lookup after that tells. Members who decided or came since do not count.
    """
    known = row.confirmed_at == contact.looked_up_at or after(move.moved_at, row.confirmed_at)
    if row.decided or not known or after(before, move.moved_at):
        return False
    came = {
        each.member_id for each in rows.moves_to(contact) if after(each.moved_at, move.moved_at)
    }
    decisions = [rows.decision(m, row.newsletter) for m in rows.at(contact) if m.id not in came]
    return all(after(each.decided_at, move.moved_at) for each in decisions if each.decided_by)


def _end_orders(rows: Rows, contact: Contact, newsletter: str, at: datetime) -> None:
    """
    Clear ``despite_opt_out`` of orders that were carried out ``at`` a moment or before.

    An opt-out that a lookup finds afterwards counts again. The answer to the call alone
    does not end an order: while the call is in Basket's queue, lookups show the opt-out
    that it ends. Once it can be there no more, it does.
    """
    for member in rows.at(contact):
        decision = rows.decision(member, newsletter)
        # An opt-out at an address that they came from would be found later, and is older.
        is_over = after(at, decision.decided_at) and not waits(rows, member, contact, newsletter)
        if decision.despite_opt_out and is_over:
            rows.decide(member, newsletter, despite_opt_out=False)


def fail_lookups(rows: Rows, answers: Mapping[int, Answer], began_at: datetime) -> Rows:
    """
    Write down lookups that failed.

    A contact whose lookup Basket refuses counts as looked up, so that nobody waits
    for it; where a member is, it is parked for an admin.
    """
    rows = rows.copy()
    for contact_id, answer in answers.items():
        contact = rows.contacts[contact_id]
        if answer.kind == Kind.REFUSED:
            contact.looked_up_at, contact.problem = began_at, answer.code
            contact.parked = bool(rows.at(contact))
            contact.attempts = 0  # earlier failures are over: a change must not wake it
            for move in rows.moves_from(contact):
                if move.target_id is not None:
                    make_due(rows.contacts[move.target_id], rows.now)
        _wait(rows, contact, answer)
    return rows


def _wait(rows: Rows, contact: Contact, answer: Answer) -> None:
    """Let a contact wait after a failure of its own; after too many it is parked."""
    if answer.wait is not None:
        contact.attempts += 1
        contact.not_before, contact.problem = rows.now + answer.wait, answer.code
        contact.parked = contact.attempts >= rows.settings.max_attempts


def begin_subscribe(rows: Rows, newsletters: Mapping[int, frozenset[str]]) -> Rows:
    """Write down, before the calls, the newsletters that each contact is subscribed to."""
    rows = rows.copy()
    for contact_id, names in newsletters.items():
        contact = rows.contacts[contact_id]
        contact.subscribe_calls = [*contact.subscribe_calls, rows.now][1 - RATE_LIMIT_CALLS :]
        for row in [rows.record(contact, name) for name in names]:
            row.unanswered_at = row.requested_at or row.unanswered_at
            row.requested_at = rows.now
    return rows


def end_subscribe(
    rows: Rows, before: Rows, answers: Mapping[int, tuple[frozenset[str], Answer]]
) -> Rows:
    """Write down the answers to subscribe calls; ``before`` are the rows before they began."""
    rows = rows.copy()
    for contact_id, (names, answer) in answers.items():
        contact = rows.contacts[contact_id]
        _wait(rows, contact, answer)
        if answer.kind == Kind.DONE:
            _note_token(rows, contact, answer.token)
        for row in [rows.record(contact, name) for name in names]:
            known = before.subscription(contact, row.newsletter)
            if answer.kind == Kind.NOT_DONE:
                row.requested_at, row.unanswered_at = known.requested_at, known.unanswered_at
            elif answer.kind != Kind.UNCLEAR:
                row.requested_at = None
            if answer.kind == Kind.DONE:
                row.confirmed_at, row.seen_at, row.missing_at = rows.now, None, None
            if row.state == State.OPTED_OUT and known.state != State.OPTED_OUT:
                continue  # an opt-out that was made during the call stands
            if answer.kind == Kind.DONE:
                row.state, row.error_code, row.opted_out_at = State.SUBSCRIBED, "", None
            elif answer.kind == Kind.REFUSED:
                row.state, row.error_code = State.REFUSED, answer.code
    return rows


def begin_unsubscribe(
    rows: Rows, newsletters: Mapping[int, frozenset[str]], renamed: Collection[int] = ()
) -> Rows:
    """
    Write down, before the calls, the newsletters that each contact is unsubscribed from.

    :param renamed: the contacts where it is a renamed person who is unsubscribed.
    """
    rows = rows.copy()
    for contact_id, names in newsletters.items():
        if contact_id in renamed:
            rows.contacts[contact_id].renamed_removal_at = rows.now
            continue
        for row in [rows.record(rows.contacts[contact_id], name) for name in names]:
            row.removal_pending, row.removed_at, row.error_code = True, rows.now, ""
    return rows


def end_unsubscribe(
    rows: Rows,
    before: Rows,
    answers: Mapping[int, tuple[frozenset[str], Answer]],
    renamed: Collection[int] = (),
) -> Rows:
    """Write down the answers to unsubscribe calls; Basket only queued what it took."""
    rows = rows.copy()
    for contact_id, (names, answer) in answers.items():
        contact = rows.contacts[contact_id]
        _wait(rows, contact, answer)
        if contact_id in renamed:
            if answer.kind in {Kind.NOT_DONE, Kind.UNCLEAR}:
                contact.renamed_removal_at = before.contacts[contact_id].renamed_removal_at
            continue
        for row in [rows.record(contact, name) for name in names]:
            if answer.kind in {Kind.NOT_DONE, Kind.REFUSED}:
                known = before.subscription(contact, row.newsletter)
                row.removal_pending, row.removed_at = known.removal_pending, known.removed_at
            if answer.kind == Kind.REFUSED and row.state != State.OPTED_OUT:
                row.state = State.REFUSED
            if answer.kind in {Kind.REFUSED, Kind.UNCLEAR}:
                row.error_code = answer.code or answer.kind.name
    return rows
