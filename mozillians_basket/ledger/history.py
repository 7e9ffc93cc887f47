"""Events for the history that follow from the rows before and after a change."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mozillians_basket.models import Event, Problem, Subscription
from mozillians_basket.rules.rows import DecidedBy, Decision, Rows, State, held, missing
from mozillians_basket.signals import Announcement

if TYPE_CHECKING:
    from mozillians_basket.ledger.share import Context

#: The outcome of an opt-out that a member made on the site.
ON_THE_SITE = "on the site"

#: The cause of what people did at Basket.
AT_BASKET = "at Basket"


def events(before: Rows, after: Rows, context: "Context") -> Iterator[Event]:
    """
    Return the events between two states of the same rows.

    Every contact of ``after`` is in ``before`` too; subscriptions and decisions may be new.
    """
    grouped: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for key, row in after.subscriptions.items():
        old = before.subscriptions.get(key)
        if old is None or old.__dict__ != row.__dict__:
            for kind, outcome in _of_subscription(old or Subscription(), row):
                grouped[kind, row.contact_id, None, outcome, row.error_code].append(row.newsletter)
    for key, decision in after.decisions.items():
        was_decided = before.decisions.get(key)
        member = after.members[decision.member_id]
        if _chose_to_leave(before, after, decision):
            group = Event.Kind.OPTED_OUT, member.contact_id, member.site_member_id, ON_THE_SITE, ""
            grouped[group].append(decision.newsletter)
        elif decision.decided_by in {DecidedBy.ADMIN, DecidedBy.MEMBER} and (
            was_decided is None
            or was_decided.decided_at != decision.decided_at
            or was_decided.wanted != decision.wanted
        ):
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
            its = context
            if cause := context.causes.get(moved.pk):
                its = replace(context, cause=cause, actor_id=context.actors.get(moved.pk))
            yield event(its, Event.Kind.MOVED, contact_id, moved.site_member_id)
    for pk, contact in after.contacts.items():
        if contact.parked and not before.contacts[pk].parked:
            key = _only_member(after, pk)
            yield event(context, Event.Kind.PARKED, pk, key, outcome=contact.problem)
    for pk in before.contacts.keys() - after.contacts.keys():
        gone = before.contacts[pk]
        yield event(replace(context, cause=gone.cause, actor_id=gone.actor_id), Event.Kind.ERASED)


def _of_subscription(old: Subscription, row: Subscription) -> Iterator[tuple[Event.Kind, str]]:
    if row.state != old.state and row.state == State.OPTED_OUT:
        if row.opted_out_at is None:  # the mailbox's owner has another address
            yield Event.Kind.RENAMED, ""
        else:
            yield Event.Kind.OPTED_OUT, "inferred" if row.missing_at else ""
    if row.state != old.state and row.state == State.REFUSED:
        yield Event.Kind.REFUSED, ""
    if old.state == State.OPTED_OUT and row.state == State.SUBSCRIBED and not row.missing_at:
        yield Event.Kind.RETURNED, ""
    if row.missing_at and not old.missing_at and row.state != State.OPTED_OUT:
        yield Event.Kind.MISSING, ""


def _chose_to_leave(before: Rows, after: Rows, decision: Decision) -> bool:
    """Whether a member has just opted out on the site: all other opt-outs have earlier dates."""
    member = before.members.get(decision.member_id)
    vetoed = member and before.veto(member, decision.newsletter)
    return decision.opted_out_at == after.now and not vetoed


def announcements(before: Rows, after: Rows, context: "Context") -> list[Announcement]:
    """Return the signals that follow from a change; for bare addresses there are none."""
    found = [
        each
        for key, row in after.subscriptions.items()
        if key not in before.subscriptions or before.subscriptions[key].__dict__ != row.__dict__
        for each in _about_contact(before, after, context, row)
    ]
    found += _about_refused_addresses(before, after)
    for decision in after.decisions.values():
        member = after.members[decision.member_id]
        chosen = decision.decided_by == DecidedBy.MEMBER and decision.decided_at == after.now
        signal = "opted_in" if chosen and decision.wanted else ""
        if signal := "opted_out" if _chose_to_leave(before, after, decision) else signal:
            cause = context.cause or context.causes.get(member.pk, "")
            name = decision.newsletter
            found.append(Announcement(signal, member.key, name, DecidedBy.MEMBER, cause))
    return [each for each in found if each.member_key]


def _about_contact(
    before: Rows, after: Rows, context: "Context", row: Subscription
) -> Iterator[Announcement]:
    """Return the signals about the members at a contact whose subscription changed."""
    contact, name = after.contacts[row.contact_id], row.newsletter
    was = before.contacts[contact.pk]
    old = before.subscriptions.get((contact.pk, name), Subscription())
    confirmed = held(row) and not missing(row) and not old.confirmed_at
    signal = "subscription_confirmed" if confirmed else ""
    if row.state == State.REFUSED and old.state != State.REFUSED and not held(row):
        signal = "subscription_refused"
    for member in after.at(contact) if signal else ():
        if after.wants(member, contact, name):
            by = after.decision(member, name).decided_by
            yield Announcement(signal, member.key, name, by, contact.cause, row.error_code)

    looked_up = contact.looked_up_at != was.looked_up_at
    concluded = row.opted_out_at == old.missing_at
    signal = ""
    if row.state == State.OPTED_OUT and old.state != State.OPTED_OUT and row.opted_out_at:
        # Without a lookup or a conclusion, it is an older opt-out that a member left there.
        signal = "opted_out" if looked_up or concluded else ""
    elif row.state == State.SUBSCRIBED and looked_up and row.seen_at == contact.looked_up_at:
        signal = "opted_in"
    for member in before.concerned(was) if signal else ():
        vetoed = bool(before.veto(member, name) or old.opted_out_at)
        ended = member.pk in after.members and not after.veto(after.members[member.pk], name)
        if (vetoed and ended) if signal == "opted_in" else not vetoed:
            cause = context.cause or AT_BASKET
            yield Announcement(signal, member.key, name, DecidedBy.MEMBER, cause)


def _about_refused_addresses(before: Rows, after: Rows) -> Iterator[Announcement]:
    """Return the signals about the members at contacts whose lookup Basket has just refused."""
    for pk, contact in after.contacts.items():
        was = before.contacts[pk]
        if was.parked or not contact.parked or contact.problem in Problem.values:
            continue
        if was.looked_up_at == contact.looked_up_at:  # code 9: a newsletter is unknown
            continue
        if was.problem == contact.problem:  # told already: only a removal was tried again
            continue
        for member in after.at(contact):
            for name in sorted(after.settings.newsletters):
                row = after.subscription(contact, name)
                if after.wants(member, contact, name) and not held(row):
                    by, code = after.decision(member, name).decided_by, contact.problem
                    yield Announcement(
                        "subscription_refused", member.key, name, by, contact.cause, code
                    )


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
        actor_id=contact.actor_id,
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
