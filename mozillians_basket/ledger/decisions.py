"""Orders by admins and the site's code, and members' own choices."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from mozillians_basket.ledger.share import (
    NO_CONTEXT,
    Context,
    locked_members,
    read,
    write,
)
from mozillians_basket.ledger.touches import (
    drain_unnamed,
    drained_members,
    locked_touches,
    read_addresses,
)
from mozillians_basket.models import BulkItem, BulkRequest, Contact, Member, alias
from mozillians_basket.rules import evaluate
from mozillians_basket.rules.evaluate import Result, Standing, contact_key
from mozillians_basket.rules.rows import Rows, State, held, missing
from mozillians_basket.site import get_site

Results = dict[Any, dict[str, Result]]
"""The results of an order: by the site's key of the member, and by newsletter."""


def order(
    keys: Collection[Any],
    newsletters: Iterable[str],
    *,
    subscribe: bool,
    despite_opt_out: bool = False,
    context: Context = NO_CONTEXT,
) -> Results:
    """
    Decide as an admin orders. Earlier touches of the members are drained first.

    Members who do not exist are missing in the result.

    :param despite_opt_out: subscribe members who opted out too, which ends their opt-out.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    names, keys = get_site().chosen(newsletters), site_keys(keys)
    drain_unnamed()
    with transaction.atomic(using=alias()):
        drained = drained_members(locked_touches(keys), keys, context=context)
        ids = {key: pk for key, pk in drained.ids.items() if key in set(keys)}
        ids = {key: pk for key, pk in ids.items() if pk in drained.after.members}
        after, results = evaluate.order(
            drained.after, ids.values(), names, subscribe=subscribe, despite_opt_out=despite_opt_out
        )
        write(drained.before, after, drained.context)
    return {key: {name: results[pk, name] for name in names} for key, pk in ids.items()}


def keys_with_address(keys: Iterable[Any]) -> set[Any]:
    """Return the site's keys of those members who have a usable address."""
    rows = Member.objects.filter(site_member__in=list(keys), contact__isnull=False)
    return set(rows.values_list("site_member", flat=True))


def choose(
    key: Any, newsletters: Iterable[str], *, subscribe: bool, context: Context = NO_CONTEXT
) -> dict[str, Result]:
    """
    Subscribe a member by their own choice, or record their opt-out.

    A subscribe ends the member's and the mailbox's opt-outs. An opt-out concerns no
    other member at the same address.

    :return: for each newsletter ``decided``, or ``left`` because there is no such member.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    names, [key] = get_site().chosen(newsletters), site_keys([key])
    drain_unnamed()
    with transaction.atomic(using=alias()):
        drained = drained_members(locked_touches([key]), [key], context=context)
        after, known = drained.after, drained.ids.get(key) in drained.after.members
        if known:
            rule = evaluate.opt_in if subscribe else evaluate.opt_out
            after = rule(after, drained.ids[key], names)
        write(drained.before, after, drained.context)
    return dict.fromkeys(names, Result.DECIDED if known else Result.LEFT)


def unsubscribe_address(
    email: str, newsletters: Iterable[str], context: Context = NO_CONTEXT
) -> Mapping[str, Result]:
    """
    Unsubscribe all members with an address, or the bare address if nobody has it.

    :raises UnknownNewsletter: when a newsletter is not this site's.
    :raises ValueError: when Basket could not take the address.
    """
    names = get_site().chosen(newsletters)
    usable_key(email)
    drain_unnamed()
    with transaction.atomic(using=alias()):
        _place_members_of([email], context)
        contact_id = _contact(email)
        there = locked_members(Q(contact=contact_id))
        members = there or [Member.objects.create(contact_id=contact_id)]
        before = read([contact_id], members)
        ids = [m.pk for m in before.at(before.contacts[contact_id])]
        after, _results = evaluate.order(before, ids, names, subscribe=False)
        write(before, after, context)
    return dict.fromkeys(names, Result.DECIDED)


def move_address(old: str, new: str, context: Context = NO_CONTEXT) -> Mapping[str, Result]:
    """
    Give a new address those of our newsletters that the old one has, and clear the old one.

    Members of the site who have one of the addresses are evaluated: the site's
    own address wins. Where there are none, the bare address moves.

    :raises ValueError: when Basket could not take one of the addresses.
    """
    usable_key(old), usable_key(new)
    names = sorted(get_site().newsletters)
    drain_unnamed()
    with transaction.atomic(using=alias()):
        if _place_members_of([old, new], context, passed=old):
            return dict.fromkeys(names, Result.LEFT)
        source, target = _contact(old), _contact(new)
        if source == target:
            return dict.fromkeys(names, Result.LEFT)
        members = locked_members(Q(contact=source, site_member=None))
        members = members or [Member.objects.create(contact_id=source)]
        before = read([source, target], members)
        standings = [Standing(member.pk, target, new) for member in members]
        write(before, evaluate.evaluate(before, standings).rows, context)
    return dict.fromkeys(names, Result.DECIDED)


def erase_address(email: str, context: Context = NO_CONTEXT) -> bool:
    """
    Take our newsletters away from a bare address, and have it erased; tell if it was known.

    :raises ValueError: when Basket could not take the address, or a member of the site has it.
    """
    key = usable_key(email)
    drain_unnamed()
    with transaction.atomic(using=alias()):
        if _place_members_of([email], context):
            raise ValueError("A member of the site has this address: delete the member there.")
        contact_id = Contact.objects.filter(key=key).values_list("pk").first()
        if contact_id is None:
            return False
        before = read(contact_id, locked_members(Q(contact__in=contact_id)))
        if before.contacts:  # or a sync has just erased it
            write(before, evaluate.erase(before, *contact_id), context)
    return True


def site_keys(keys: Iterable[Any]) -> list[Any]:
    """Convert keys to the member model's type: a message may carry a number as text."""
    field = get_site().member_model._meta.pk
    try:
        return [field.to_python(key) for key in keys]
    except ValidationError:
        pass  # its text quotes the key, which may be an address given by mistake
    raise ValueError("That is no primary key of the member model.")


def usable_key(email: str) -> str:
    """
    Normalise an address.

    :raises ValueError: without quoting it, when Basket could not take it.
    """
    key = contact_key(email)
    if not key:
        raise ValueError("The address has no @ or is longer than 254 characters.")
    return key


def _contact(email: str) -> int:
    """Find, or make, the contact of an address, and lock it: a sync could erase it."""
    contacts, suppressed, before = read_addresses([email])
    [contact_id] = contacts.values()
    if row := suppressed.get(contact_id):
        kept = row.opt_outs().values()
        write(before, evaluate.suppress_again(before, contact_id, kept, row.erased_at))
    return contact_id


def _place_members_of(emails: Iterable[str], context: Context, passed: str = "") -> bool:
    """
    Evaluate the site's members who have one of these addresses, or have it in the ledger.

    Returns whether one of them is at such an address afterwards.

    :param passed: the one of the addresses that the members at the others had before.
    """
    keys = {contact_key(email) for email in emails}
    known = Member.objects.filter(contact__key__in=keys, site_member__isnull=False)
    found = [*known.values_list("site_member", flat=True), *get_site().members_at(emails)]
    moved = get_site().members_at({*emails} - {passed}) if passed else []
    earlier = {key: [passed] for key in moved}
    drained = drained_members(locked_touches(found), found, passed=earlier, context=context)
    write(drained.before, drained.after, drained.context)
    homes = {
        drained.after.members[pk].contact_id
        for pk in drained.ids.values()
        if pk in drained.after.members
    }
    ours = {pk for pk in homes if pk is not None and drained.after.contacts[pk].key in keys}
    return bool(ours)


def close_items(rows: Rows, contact_ids: Iterable[int]) -> bool:
    """
    End the items of bulk requests whose members' contacts are settled or parked.

    Returns whether there were any.
    """
    members = {
        member.site_member_id: member
        for pk in contact_ids
        if pk in rows.contacts
        for member in rows.at(rows.contacts[pk])
        if member.key
    }
    if not members:
        return False
    pending = BulkItem.objects.filter(state=BulkItem.State.PENDING, member__in=list(members))
    changed = []
    # The keys of 100,000 members are a megabyte.
    items = list(pending.select_related("request").defer("request__keys"))
    for item in items:
        before = item.state, item.reason
        item.state, item.reason = _outcome(rows, members[item.member_id], item)
        if item.state != BulkItem.State.PENDING:
            item.finished_at = rows.now
        if before != (item.state, item.reason):
            changed.append(item)
    BulkItem.objects.bulk_update(changed, ["state", "reason", "finished_at"])
    return bool(items)


def _outcome(rows: Rows, member: Member, item: BulkItem) -> tuple[str, str]:
    """Return state and reason of a bulk request's item, as the rows show them now."""
    contact, wanted = rows.home(member), item.request.action == BulkRequest.Action.SUBSCRIBE
    if contact is None:
        return BulkItem.State.SKIPPED, BulkItem.Reason.NO_ADDRESS
    pending, opted_out, asked = False, 0, False
    for name in item.request.newsletters:
        decision, row = rows.decision(member, name), rows.subscription(contact, name)
        vetoed = rows.veto(member, name) or rows.mailbox_opted_out(contact, name)
        if wanted and vetoed and not decision.despite_opt_out:
            opted_out += 1
            continue
        if decision.wanted != wanted:
            return BulkItem.State.SKIPPED, BulkItem.Reason.SUPERSEDED
        if row.state == State.REFUSED:
            return BulkItem.State.FAILED, row.error_code
        if row.missing_at and row.state != State.OPTED_OUT and rows.question(name):
            pending = asked = True
        elif wanted and row.state == State.LOST:
            return BulkItem.State.FAILED, BulkItem.Reason.LOST
        elif wanted:
            pending |= not held(row) or missing(row)
        else:  # Basket has queued the call, if there was one to send
            left = held(row) and not row.removal_pending and not rows.wanted(contact, name)
            pending |= left or row.requested_at is not None
    if opted_out == len(item.request.newsletters):
        return BulkItem.State.SKIPPED, BulkItem.Reason.OPTED_OUT
    if pending and contact.parked:
        return BulkItem.State.FAILED, contact.problem
    if asked:
        return BulkItem.State.PENDING, BulkItem.Reason.ASKED
    return (BulkItem.State.PENDING if pending else BulkItem.State.DONE), ""


def retry(contacts: "QuerySet[Contact]", context: Context = NO_CONTEXT) -> int:
    """
    Retry problems: refused, lost and parked contacts; return their number.

    One UPDATE: the next sync of each contact forgets the refusals.
    """
    return contacts.using(alias()).update(
        retry=True,
        touched_at=timezone.now(),
        not_before=None,
        attempts=0,
        parked=False,
        problem="",
        failing_since=None,
        dismissed_at=None,
        priority=context.priority,
        cause=context.cause,
        actor=context.actor_id,
    )


def dismiss(contacts: "QuerySet[Contact]") -> int:
    """Dismiss problems until another one comes up; return their number."""
    problems = contacts.using(alias()).filter(failing_since__isnull=False)
    return problems.update(dismissed_at=timezone.now())
