"""Read the rows that bear on some contacts, with locks, and write what a rule changed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

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
)
from mozillians_basket.models import alias as alias  # most modules take it from here
from mozillians_basket.rules.evaluate import suppression_hash
from mozillians_basket.rules.rows import Question, Rows, Settings
from mozillians_basket.site import get_site

#: How long a closed question still counts for subscriptions confirmed while it was open.
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
    now, status = timezone.now(), status or Status.read()
    losses = Approval.objects.using(alias()).filter(
        Q(closed_at__isnull=True) | Q(closed_at__gt=now - REMEMBERED), kind=Approval.Kind.LOSS
    )
    questions = [
        Question(loss.newsletter, loss.since, loss.number, loss.closed_at) for loss in losses
    ]
    return Rows(
        rules_settings(), now, Decision, Subscription, Move, questions=questions,
        paused=status.unknown,
    )  # fmt: skip


def locked_members(found: Q) -> list[Member]:
    """Lock members in the order of their keys. Members are locked before contacts."""
    rows = Member.objects.using(alias()).filter(found).order_by("pk")
    return list(rows.select_for_update(no_key=True))


def locked_share(lease: str) -> tuple[Rows, list[int]]:
    """
    Lock and read the contacts of a share, and all that bears on them.

    Returns the rows, and the keys of the contacts that are still under the lease.
    """
    contacts = Contact.objects.using(alias()).filter(lease=lease)
    ids = list(contacts.values_list("pk", flat=True))
    locked_members(Q(contact__in=ids))
    rows = read(ids)
    return rows, [pk for pk in sorted(ids) if rows.contacts[pk].lease == lease]


def read(contact_ids: Iterable[int], members: Collection[Member] = ()) -> Rows:
    """
    Lock contacts, in the order of their keys, and read all that bears on them and on the members.

    A transaction that moves a member locks the contacts at both ends, so rows that
    are read after the locks do not change.
    """
    using, rows = alias(), empty_rows()
    movers = {member.pk for member in members}
    wanted = {*contact_ids, *(m.contact_id for m in members if m.contact_id is not None)}
    if moves := _moves(wanted, movers):  # their other ends, and the moves that these wait for
        wanted |= _ends(moves)
        wanted |= _ends(_moves(wanted, {move.member_id for move in moves}))
    contacts = Contact.objects.using(using).filter(pk__in=wanted).order_by("pk")
    rows.contacts = {row.pk: row for row in contacts.select_for_update(no_key=True)}

    moves = _moves(wanted, movers)
    rows.moves = [move for move in moves if _ends([move]) <= rows.contacts.keys()]
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
    for row in _changed(before.contacts, after.contacts):
        _follow_contact(before.contacts[row.pk], row, context, after.now)
        if row.touched_at != before.contacts[row.pk].touched_at:
            if row.pk in causes:
                row.cause, row.actor_id = causes[row.pk], actors.get(row.pk)
            elif context.cause:
                row.cause, row.actor_id = context.cause, context.actor_id
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
        rows = _changed(old, new)
        _upsert(model, [row for row in rows if row.pk is not None])
        model._base_manager.using(using).bulk_create([row for row in rows if row.pk is None])
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
    heard = signals.are_heard(get_site().member_model)
    if heard and (announced := history.announcements(before, after, context)):
        dispatch.send_after_commit(dispatch.ANNOUNCE, announced)


def suppress(erased: Mapping[int, Collection[str]], before: Rows) -> None:
    """Keep the opt-outs of erased mailboxes, under a keyed hash of their addresses."""
    Suppression.objects.using(alias()).bulk_create(
        [
            Suppression(
                hash=suppression_hash(before.contacts[pk].key, conf.SUPPRESSION_KEY.encode()),
                newsletters=sorted(names),
                erased_at=before.now,
            )
            for pk, names in erased.items()
            if names
        ],
        update_conflicts=True,
        unique_fields=["hash"],
        update_fields=["newsletters", "erased_at"],
    )


def _changed(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[Any]:
    """List the rows that are new or differ in a column."""
    return [
        row
        for key, row in after.items()
        if key not in before or before[key].__dict__ != row.__dict__
    ]


def _upsert(model: type[models.Model], rows: list[Any]) -> None:
    """Update rows in one statement that lists their values: bulk_update takes ten times as long."""
    if rows:
        model._base_manager.using(alias()).bulk_create(
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


def _follow_contact(before: Contact, row: Contact, context: Context, now: datetime) -> None:
    """Set the columns of a contact that only people and the queue read."""
    if row.touched_at and row.touched_at != before.touched_at:
        due = before.touched_at is not None
        row.priority = min(row.priority, context.priority) if due else context.priority
    if row.problem != before.problem:
        row.failing_since = (before.failing_since or now) if row.problem else None
        row.dismissed_at = None
