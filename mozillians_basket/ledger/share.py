"""Read the rows that bear on some contacts, with locks, and write what a rule changed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from mozillians_basket import dispatch
from mozillians_basket.conf import conf
from mozillians_basket.ledger import history
from mozillians_basket.models import (
    Approval,
    BulkRequest,
    Contact,
    Decision,
    Event,
    Member,
    Move,
    Status,
    Subscription,
    Suppression,
    alias,
)
from mozillians_basket.rules.evaluate import suppression_hash
from mozillians_basket.rules.rows import Question, Rows, Settings
from mozillians_basket.signals import SIGNALS
from mozillians_basket.site import get_site

#: The time for which a closed question counts for subscriptions confirmed while it was open.
REMEMBERED = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of a change, for the history."""

    cause: str = ""
    causes: Mapping[int, str] = field(default_factory=dict)
    """Other causes, by the ledger's members."""

    actors: Mapping[int, Any] = field(default_factory=dict)
    """The actors of these causes, where they are known."""

    actor_id: Any = None
    bulk_request: BulkRequest | None = None
    task_id: str = ""
    priority: Contact.Priority = Contact.Priority.CHANGE


NO_CONTEXT = Context()


def rules_settings() -> Settings:
    """The settings that the rules depend on, as they are now."""
    return Settings(
        newsletters=get_site().newsletters,
        removal_grace=timedelta(seconds=conf.REMOVAL_GRACE_SECONDS),
        recheck=timedelta(seconds=conf.RECHECK_SECONDS),
        max_attempts=conf.MAX_ATTEMPTS,
        brake_ratio=conf.BRAKE_RATIO,
        brake_floor=conf.BRAKE_FLOOR,
    )


def empty_rows(status: Status | None = None) -> Rows:
    """Return ``Rows`` with the present settings, time and questions, and no other rows."""
    status = status or Status.read()
    status.check_member_model()
    return Rows(
        rules_settings(),
        timezone.now(),
        Decision,
        Subscription,
        Move,
        questions=cast("list[Question]", SimpleLazyObject(_questions)),  # few syncs need them
        paused=status.unknown,
    )


def _questions() -> list[Question]:
    remembered = Q(closed_at__isnull=True) | Q(closed_at__gt=timezone.now() - REMEMBERED)
    losses = Approval.objects.filter(remembered, kind=Approval.Kind.LOSS)
    return [question_of(each) for each in losses]


def question_of(row: Approval) -> Question:
    """Return a possible loss as the rules know it."""
    lost = row.answer == Approval.Answer.LOST
    return Question(row.newsletter, row.since, row.number, row.closed_at, lost=lost)


def locked_members(found: Q, **columns: Any) -> list[Any]:
    """
    Lock members in the order of their keys. Members are locked before contacts.

    :param columns: annotations.
    """
    rows = Member.objects.filter(found).annotate(**columns).order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True))


def is_moving(contact: str, member: str = "") -> Exists:
    """
    Whether a row's contact is at an end of an open move, or its member has one.

    :param contact: the column with the contact's key; ``member`` is that of the member.
    """
    found = Q(source=OuterRef(contact)) | Q(target=OuterRef(contact))
    if member:
        found |= Q(member=OuterRef(member))
    return Exists(Move.objects.filter(found))


def locked_share(
    lease: str,
    status: Status,
    contact_ids: Collection[int] = (),
    *,
    lock_members: bool = True,
    moving: bool = False,
) -> tuple[Rows, list[int]]:
    """
    Lock and read the contacts of a share, and all that bears on them.

    Returns the rows, and the keys of the contacts that are still under the lease; no rows
    if there are none.

    :param contact_ids: the contacts, where an earlier transaction has read them. Without them
        only contacts under the lease are locked, and nothing else may be written.
    :param lock_members: not needed where nothing is written about members.
    :param moving: whether a contact was at an end of a move before.
    """
    if contact_ids:
        if lock_members:  # somebody may have come there since
            there = locked_members(Q(contact__in=contact_ids), is_moving=is_moving("contact", "pk"))
            moving = moving or any(member.is_moving for member in there)
        rows = read(contact_ids, status=status, moving=moving)
    else:
        rows = read(lease=lease, status=status)
    ids = [pk for pk in sorted(rows.contacts) if rows.contacts[pk].lease == lease]
    if not ids:  # another worker has the share: whatever is due there is no concern of this one
        rows = empty_rows(status)
    return rows, ids


def read(
    contact_ids: Iterable[int] = (),
    members: Collection[Member] = (),
    *,
    lease: str = "",
    status: Status | None = None,
    moving: bool = True,
    lock: bool = True,
) -> Rows:
    """
    Lock contacts, in the order of their keys, and read all that bears on them and on the members.

    A transaction that moves a member locks the contacts at both ends, so rows that
    are read after the locks do not change. A move that was committed during the wait
    for a lock shows contacts that must be locked too, out of order for once.

    :param lease: lock the contacts under this lease, and no others.
    :param moving: false if no contact was at an end of a move just before.
    :param lock: false for a page, which writes nothing.
    """
    rows = empty_rows(status)
    movers = {member.pk for member in members}
    own = {*contact_ids, *(m.contact_id for m in members if m.contact_id is not None)}
    wanted = own
    if moving and not lease and (found := _moves(own, movers)):
        wanted = own | _ends(found)  # their other ends, and the moves that these wait for
        wanted |= _ends(_moves(wanted, {move.member_id for move in found}))
    contacts = Contact.objects.order_by("pk")
    locked = contacts.select_for_update(no_key=True) if lock else contacts
    if lease:
        rows.contacts = {row.pk: row for row in locked.filter(lease=lease)}
        own = wanted = set(rows.contacts)
    known = set(rows.contacts)
    while True:
        if missing := wanted - known:
            more = (contacts if lease else locked).filter(pk__in=missing)
            rows.contacts |= {row.pk: row for row in more}
            known |= missing
        rows.members, rows.decisions = {}, {}
        found = _read_members(rows, known, movers)
        theirs = [m for m in found if m.member_id in movers or own & {m.source_id, m.target_id}]
        if not theirs or (wanted := known | _ends(theirs)) == known:
            break

    rows.moves = [move for move in found if _ends([move]) <= rows.contacts.keys()]
    if elsewhere := {move.member_id for move in rows.moves} - rows.members.keys():
        _read_members(rows, (), elsewhere)
    homes = {row.contact_id for row in rows.members.values()} - {None, *rows.contacts}
    for row in contacts.filter(pk__in=homes) if homes else ():
        rows.contacts[row.pk] = row
    subscriptions = Subscription.objects.filter(contact__in=list(rows.contacts))
    rows.subscriptions = {(row.contact_id, row.newsletter): row for row in subscriptions}
    return replace(rows)


def _read_members(
    rows: Rows, contact_ids: Collection[int], member_ids: Collection[int]
) -> list[Move]:
    """
    Read the members at contacts, and others, with their decisions, in one query.

    Returns the moves of these contacts and members, which are few: they are only read where
    a member shows one, or nobody is at a contact.
    """
    mine = [field.attname for field in Member._meta.concrete_fields]
    theirs = [field.attname for field in Decision._meta.concrete_fields]
    chosen = Q(contact__in=contact_ids)
    chosen = chosen | Q(pk__in=member_ids) if member_ids else chosen
    members = Member.objects.filter(chosen).annotate(is_moving=is_moving("contact", "pk"))
    columns = *mine, *(f"decisions__{name}" for name in theirs), "is_moving"
    moving, homes = False, set()
    for *values, moves in members.values_list(*columns):
        if values[0] not in rows.members:
            rows.members[values[0]] = member = Member.from_db(alias(), mine, values[: len(mine)])
            homes.add(member.contact_id)
            moving |= moves
        if values[len(mine)] is not None:
            decision = Decision.from_db(alias(), theirs, values[len(mine) :])
            rows.decisions[decision.member_id, decision.newsletter] = decision
    if moving or not homes.issuperset(rows.contacts.keys() & set(contact_ids)):
        return _moves(contact_ids, member_ids)
    return []


def _moves(contact_ids: Collection[int], member_ids: Collection[int]) -> list[Move]:
    found = Q(source__in=contact_ids) | Q(target__in=contact_ids) | Q(member__in=member_ids)
    return list(Move.objects.filter(found))


def _ends(moves: Iterable[Move]) -> set[int]:
    ends = {end for move in moves for end in (move.source_id, move.target_id)}
    return {end for end in ends if end is not None}


def write(
    before: Rows,
    after: Rows,
    context: Context = NO_CONTEXT,
    events: Iterable[Event] = (),
) -> None:
    """
    Write the rows that a rule changed, and the events that follow from the difference.

    ``events`` are further events, which the difference does not show: answered calls.
    """
    reasons: dict[int | None, tuple[str, Any]] = {}  # by contact that a member is at, or leaves
    for member_id, cause in context.causes.items():
        for rows in (before, after):
            if member := rows.members.get(member_id):
                for pk in (member.contact_id, *(m.source_id for m in rows.moves_of(member))):
                    actor = reasons.get(pk, (cause, None))[1]
                    reasons[pk] = cause, context.actors.get(member_id, actor)
    for pk, contact in after.contacts.items():  # the columns that only people and the queue read
        was = before.contacts[pk]
        cause, actor = reasons.get(pk, (context.cause, context.actor_id))
        if contact.touched_at and contact.touched_at != was.touched_at:
            due = was.touched_at is not None
            lowest = min(contact.priority, context.priority)
            contact.priority = lowest if due else context.priority
        if contact.touched_at != was.touched_at and cause:
            contact.cause, contact.actor_id = cause, actor
        if contact.problem != was.problem:
            contact.failing_since = (was.failing_since or after.now) if contact.problem else None
            contact.dismissed_at = None
    noted = [*history.events(before, after, context), *events]
    old_moves = {move.pk: move for move in before.moves}
    new_moves = {move.pk or id(move): move for move in after.moves}
    for model, old, new in (
        (Contact, before.contacts, after.contacts),
        (Member, before.members, after.members),
        (Decision, before.decisions, after.decisions),
        (Subscription, before.subscriptions, after.subscriptions),
        (Move, old_moves, new_moves),
    ):
        _update(model, old, new)
        model.objects.bulk_create([r for r in new.values() if r.pk is None])
    gone = old_moves.keys() - new_moves.keys()
    erased = before.contacts.keys() - after.contacts.keys()
    left = before.members.keys() - after.members.keys()
    if gone:
        Move.objects.filter(pk__in=gone).delete()
    if left:
        Decision.objects.filter(member__in=left).delete()
        Member.objects.filter(pk__in=left).delete()
    if erased:
        Subscription.objects.filter(contact__in=erased).delete()
        Event.objects.filter(contact__in=erased).delete()
        Contact.objects.filter(pk__in=erased).delete()
    Event.objects.bulk_create(noted)
    sender = get_site().member_model
    if heard := {name for name, signal in SIGNALS.items() if signal.has_listeners(sender)}:
        found = history.announcements(before, after, context)
        if announced := [each for each in found if each.signal in heard]:
            dispatch.send_after_commit(dispatch.ANNOUNCE, announced)


def suppression_hashes(key: str) -> list[str]:
    """Hash a contact's key under the present suppression key, then under each earlier one."""
    secrets = (conf.SUPPRESSION_KEY, *conf.SUPPRESSION_KEY_FALLBACKS)
    return [suppression_hash(key, secret.encode()) for secret in secrets]


def suppress(erased: Mapping[int, Iterable[Subscription]], before: Rows) -> None:
    """Keep the opt-outs of erased mailboxes, under a keyed hash of their addresses."""
    Suppression.objects.bulk_create(
        [
            Suppression(
                hash=suppression_hash(before.contacts[pk].key, conf.SUPPRESSION_KEY.encode()),
                newsletters={row.newsletter: Suppression.of(row) for row in opted_out},
                erased_at=before.now,
            )
            for pk, opted_out in erased.items()
            if opted_out
        ],
        update_conflicts=True,
        unique_fields=["hash"],
        update_fields=["newsletters", "erased_at"],
    )


def _update(model: type[Any], old: Mapping[Any, Any], new: Mapping[Any, Any]) -> None:
    """
    Update the rows that changed, in one statement.

    Most rows of a share change alike. If not, the statement lists all their values:
    ``bulk_update`` takes ten times as long.
    """
    rows, changes = [], []
    for key, row in new.items():
        if row.pk is not None and vars(row) != (before := vars(old[key])):
            rows.append(row)
            changes.append(
                {name: value for name, value in vars(row).items() if before[name] != value}
            )
    if rows and all(each == changes[0] for each in changes):
        model.objects.filter(pk__in=[row.pk for row in rows]).update(**changes[0])
    elif rows:
        model.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=[f.name for f in model._meta.concrete_fields if not f.primary_key],
        )
