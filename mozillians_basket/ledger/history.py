"""Events for the history, derived from the rows before and after a change."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.rules.rows import DecidedBy, Rows, State

if TYPE_CHECKING:
    from mozillians_basket.ledger.share import Context


def events(before: Rows, after: Rows, context: "Context") -> Iterator[Event]:
    """Return the events between two states of the same rows."""
    grouped: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for key, row in after.subscriptions.items():
        old = before.subscriptions.get(key)
        if old is None or old.__dict__ != row.__dict__:
            contact = after.contacts[row.contact_id]
            for kind, outcome in _of_subscription(before, contact, old or Subscription(), row):
                grouped[kind, row.contact_id, None, outcome, row.error_code].append(row.newsletter)
    for key, decision in after.decisions.items():
        was_decided = before.decisions.get(key)
        if decision.decided_by in {DecidedBy.ADMIN, DecidedBy.MEMBER} and (
            was_decided is None
            or was_decided.decided_at != decision.decided_at
            or was_decided.wanted != decision.wanted
        ):
            member = after.members[decision.member_id]
            outcome = f"{decision.decided_by}: {'wanted' if decision.wanted else 'not wanted'}"
            group = Event.Kind.DECIDED, member.contact_id, member.site_member_id, outcome, ""
            grouped[group].append(decision.newsletter)
    for (kind, contact_id, key, outcome, code), names in grouped.items():
        member_key = key or _only_member(after, contact_id)
        yield event(context, kind, contact_id, member_key, names, outcome=outcome, error_code=code)

    known = {move.pk for move in before.moves}
    for move in after.moves:
        if move.pk not in known:
            moved = after.members[move.member_id]
            contact_id = move.target_id or move.source_id
            its = replace(context, cause=context.causes.get(moved.pk) or context.cause)
            yield event(its, Event.Kind.MOVED, contact_id, moved.site_member_id)
    for pk, contact in after.contacts.items():
        was_parked = pk in before.contacts and before.contacts[pk].parked
        if contact.parked and not was_parked:
            key = _only_member(after, pk)
            yield event(context, Event.Kind.PARKED, pk, key, outcome=contact.problem)
    for _pk in before.contacts.keys() - after.contacts.keys():
        yield event(context, Event.Kind.ERASED)


def _of_subscription(
    before: Rows, contact: Contact, old: Subscription, row: Subscription
) -> Iterator[tuple[Event.Kind, str]]:
    was = before.contacts.get(contact.pk, contact)
    if row.state != old.state and row.state == State.OPTED_OUT:
        if contact.renamed_at and not was.renamed_at:
            yield Event.Kind.RENAMED, ""
        else:
            yield Event.Kind.OPTED_OUT, "inferred" if row.missing_at else ""
    if row.state != old.state and row.state == State.REFUSED:
        yield Event.Kind.REFUSED, ""
    if old.state == State.OPTED_OUT and row.state == State.SUBSCRIBED and not row.missing_at:
        yield Event.Kind.RETURNED, ""
    if row.missing_at and not old.missing_at and row.state != State.OPTED_OUT:
        yield Event.Kind.MISSING, ""


def called(
    rows: Rows, kind: Event.Kind, contact_id: int, newsletters: Iterable[str], task_id: str = ""
) -> Event:
    """Make the event of a call that Basket carried out."""
    contact = rows.contacts[contact_id]
    return Event(
        kind=kind,
        contact_id=contact_id,
        member_id=_only_member(rows, contact_id),
        newsletters=sorted(newsletters),
        cause=contact.cause,
        task_id=task_id,
        created_at=rows.now,
    )


def event(
    context: "Context",
    kind: Event.Kind,
    contact_id: int | None = None,
    member_key: Any = None,
    newsletters: Iterable[str] = (),
    *,
    outcome: str = "",
    error_code: str = "",
) -> Event:
    """Make an event, with cause and actor of the change."""
    return Event(
        kind=kind,
        contact_id=contact_id,
        member_id=member_key,
        newsletters=sorted(newsletters),
        outcome=outcome,
        error_code=error_code,
        cause=context.cause,
        actor_id=context.actor_id,
        bulk_request=context.bulk_request,
        task_id=context.task_id,
    )


def _only_member(rows: Rows, contact_id: int | None) -> Any:
    """Return the key of the member at a contact, if there is exactly one."""
    if contact_id is None or contact_id not in rows.contacts:
        return None
    keys = [member.site_member_id for member in rows.at(rows.contacts[contact_id])]
    keys = [key for key in keys if key is not None]
    return keys[0] if len(keys) == 1 else None
