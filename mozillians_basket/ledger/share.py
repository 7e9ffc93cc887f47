"""Read the rows that bear on some contacts, with locks, and write what a rule changed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from mozillians_basket import dispatch, signals
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
    losses = Approval.objects.using(alias()).filter(remembered, kind=Approval.Kind.LOSS)
    return [question_of(each) for each in losses]


def question_of(row: Approval) -> Question:
    """Return a possible loss as the rules know it."""
    lost = row.answer == Approval.Answer.LOST
    return Question(row.newsletter, row.since, row.number, row.closed_at, lost=lost)


def locked_members(found: Q) -> list[Member]:
    """Lock members in the order of their keys. Members are locked before contacts."""
    rows = Member.objects.using(alias()).filter(found).order_by("pk")
    return list(rows.select_for_update(no_key=True))


def locked_share(
    lease: str, status: Status, *, lock_members: bool = True
) -> tuple[Rows, list[int]]:
    """
    Lock and read the contacts of a share, and all that bears on them.

    Returns the rows, and the keys of the contacts that are still under the lease.

    :param lock_members: not needed where nothing is written about members.
    """
    contacts = with_moves(Contact.objects.using(alias()).filter(lease=lease))
    found = dict(contacts.values_list("pk", "is_moving"))
    if lock_members:
        locked_members(Q(contact__in=list(found)))
    rows = read(found, status=status, moving=any(found.values()))
    return rows, [pk for pk in sorted(found) if rows.contacts[pk].lease == lease]


def with_moves(contacts: "models.QuerySet[Contact]") -> "models.QuerySet[Any]":
    """Tell of each contact, as ``is_moving``, whether it is at an end of an open move."""
    moves = Move.objects.using(alias()).filter(Q(source=OuterRef("pk")) | Q(target=OuterRef("pk")))
    return contacts.annotate(is_moving=Exists(moves))


def read(
    contact_ids: Iterable[int],
    members: Collection[Member] = (),
    *,
    status: Status | None = None,
    moving: bool = True,
) -> Rows:
    """
    Lock contacts, in the order of their keys, and read all that bears on them and on the members.

    A transaction that moves a member locks the contacts at both ends, so rows that
    are read after the locks do not change. A move that was committed during the wait
    for a lock shows contacts that must be locked too, out of order for once.

    :param moving: false if no contact was at an end of a move just before.
    """
    using, rows = alias(), empty_rows(status)
    movers = {member.pk for member in members}
    own = {*contact_ids, *(m.contact_id for m in members if m.contact_id is not None)}
    wanted, found = own, []
    if moving and (found := _moves(own, movers)):
        wanted = own | _ends(found)  # their other ends, and the moves that these wait for
        wanted |= _ends(_moves(wanted, {move.member_id for move in found}))
    locked: set[int] = set()
    while missing := wanted - locked:
        contacts = Contact.objects.using(using).filter(pk__in=missing).order_by("pk")
        rows.contacts |= {row.pk: row for row in contacts.select_for_update(no_key=True)}
        locked |= missing
        found = _moves(locked, movers)
        theirs = [m for m in found if m.member_id in movers or own & {m.source_id, m.target_id}]
        wanted = locked | _ends(theirs)

    rows.moves = [move for move in found if _ends([move]) <= rows.contacts.keys()]
    movers |= {move.member_id for move in rows.moves}
    there = Member.objects.using(using).filter(Q(contact__in=wanted) | Q(pk__in=movers))
    rows.members = {row.pk: row for row in there}
    elsewhere = {row.contact_id for row in rows.members.values()} - {None, *rows.contacts}
    for row in Contact.objects.using(using).filter(pk__in=elsewhere) if elsewhere else ():
        rows.contacts[row.pk] = row
    decisions = Decision.objects.using(using).filter(member__in=list(rows.members))
    rows.decisions = {(row.member_id, row.newsletter): row for row in decisions}
    subscriptions = Subscription.objects.using(using).filter(contact__in=list(rows.contacts))
    rows.subscriptions = {(row.contact_id, row.newsletter): row for row in subscriptions}
    return replace(rows)


def _moves(contact_ids: Collection[int], member_ids: Collection[int]) -> list[Move]:
    found = Q(source__in=contact_ids) | Q(target__in=contact_ids) | Q(member__in=member_ids)
    return list(Move.objects.using(alias()).filter(found))


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
    using = alias()
    causes = _by_contact(before, after, context.causes)
    actors = _by_contact(before, after, context.actors)
    for pk, row in after.contacts.items():
        reason = (causes[pk], actors.get(pk)) if pk in causes else (context.cause, context.actor_id)
        _follow_contact(before.contacts[pk], row, context, reason, after.now)
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
        model._base_manager.using(using).bulk_create([r for r in new.values() if r.pk is None])
    gone = old_moves.keys() - new_moves.keys()
    erased = before.contacts.keys() - after.contacts.keys()
    left = before.members.keys() - after.members.keys()
    if gone:
        Move.objects.using(using).filter(pk__in=gone).delete()
    if left:
        Decision.objects.using(using).filter(member__in=left).delete()
        Member.objects.using(using).filter(pk__in=left).delete()
    if erased:
        Subscription.objects.using(using).filter(contact__in=erased).delete()
        Event.objects.using(using).filter(contact__in=erased).delete()
        Contact.objects.using(using).filter(pk__in=erased).delete()
    Event.objects.using(using).bulk_create(noted)
    if heard := signals.heard(get_site().member_model):
        found = history.announcements(before, after, context)
        if announced := [each for each in found if each.signal in heard]:
            dispatch.send_after_commit(dispatch.ANNOUNCE, announced)


def suppression_hashes(key: str) -> list[str]:
    """Hash a contact's key under the present suppression key, then under each earlier one."""
    secrets = (conf.SUPPRESSION_KEY, *conf.SUPPRESSION_KEY_FALLBACKS)
    return [suppression_hash(key, secret.encode()) for secret in secrets]


def suppress(erased: Mapping[int, Mapping[str, datetime | None]], before: Rows) -> None:
    """Keep the opt-outs of erased mailboxes, under a keyed hash of their addresses."""
    Suppression.objects.using(alias()).bulk_create(
        [
            Suppression(
                hash=suppression_hash(before.contacts[pk].key, conf.SUPPRESSION_KEY.encode()),
                newsletters=sorted(names),
                inferred={name: at.isoformat() for name, at in names.items() if at},
                erased_at=before.now,
            )
            for pk, names in erased.items()
            if names
        ],
        update_conflicts=True,
        unique_fields=["hash"],
        update_fields=["newsletters", "inferred", "erased_at"],
    )


def _update(model: type[models.Model], old: Mapping[Any, Any], new: Mapping[Any, Any]) -> None:
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
    manager = model._base_manager.using(alias())
    if rows and all(each == changes[0] for each in changes):
        manager.filter(pk__in=[row.pk for row in rows]).update(**changes[0])
    elif rows:
        manager.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=[f.name for f in model._meta.concrete_fields if not f.primary_key],
        )


def _by_contact(before: Rows, after: Rows, by_member: Mapping[int, Any]) -> dict[int, Any]:
    """Give the values of members to the contacts that they are at, or leave."""
    found: dict[int, Any] = {}
    for member_id, value in by_member.items():
        for rows in (before, after):
            member = rows.members.get(member_id)
            places = [member.contact_id] if member else []
            places += [move.source_id for move in rows.moves_of(member)] if member else []
            found |= {pk: value for pk in places if pk is not None}
    return found


def _follow_contact(
    before: Contact, row: Contact, context: Context, reason: tuple[str, Any], now: datetime
) -> None:
    """
    Set the columns of a contact that only people and the queue read.

    :param reason: the cause, if there is one, and its actor.
    """
    if row.touched_at != before.touched_at and reason[0]:
        row.cause, row.actor_id = reason
    if row.touched_at and row.touched_at != before.touched_at:
        due = before.touched_at is not None
        row.priority = min(row.priority, context.priority) if due else context.priority
    if row.problem != before.problem:
        row.failing_since = (before.failing_since or now) if row.problem else None
        row.dismissed_at = None
