"""Drain touches: bring the ledger up to date with the site."""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldError, ValidationError
from django.db import InterfaceError, OperationalError, router, transaction
from django.db.models import F, Model, Q, QuerySet, Subquery
from django.utils import timezone

from mozillians_basket.client.transport import unexpected
from mozillians_basket.conf import conf
from mozillians_basket.ledger.share import (
    NO_CONTEXT,
    Context,
    is_moving,
    locked_members,
    read,
    suppression_hashes,
    write,
)
from mozillians_basket.models import (
    Approval,
    Contact,
    Decision,
    Event,
    Member,
    Status,
    Subscription,
    Suppression,
    Touch,
    alias,
)
from mozillians_basket.rules.brake import Brake, ended, lately
from mozillians_basket.rules.evaluate import (
    Standing,
    contact_key,
    evaluate,
    suppress_again,
)
from mozillians_basket.rules.rows import Rows
from mozillians_basket.site import get_site

logger = logging.getLogger("mozillians_basket")

#: The number of members that a question shows as examples.
EXAMPLES = 20

#: The number of causes that a question keeps: those of most removals.
CAUSES = 10


@dataclass(slots=True)
class Drained:
    """The rows of some members in an open transaction: as they were, and as they are now."""

    before: Rows
    after: Rows
    ids: dict[Any, int]
    """The keys of the ledger's members by those of the site's."""

    context: Context
    """The circumstances for the history, with the cause for each member."""


def drain(
    touch_ids: Collection[int] | None = None, *, since: int = 0, unnamed: bool = False
) -> int:
    """
    Drain the named touches, or the oldest ones, in one transaction; return their number.

    Touches that another worker has locked are skipped.

    :param since: only this touch and those after it, and deletions of members before it:
        a new account at the same mailbox must not come before them.
    :param unnamed: only touches whose signal did not know the member.
    """
    with transaction.atomic(using=alias()):
        touches = Touch.objects.order_by("pk")
        if since:
            deletions = Q(cause=Touch.Cause.DELETED, source=get_site().member_model._meta.label)
            touches = touches.filter(Q(pk__gte=since) | deletions)
        if touch_ids is not None:
            touches = touches.filter(pk__in=touch_ids)
        if unnamed:
            touches = touches.filter(member=None)
        skip = transaction.get_connection(alias()).features.has_select_for_update_skip_locked
        made_for = Status.objects.filter(pk=1).values("member_model")
        touches = touches.annotate(tables_made_for=Subquery(made_for))
        found: list[Any] = list(touches.select_for_update(skip_locked=skip)[: conf.DRAIN_SIZE])
        if found:
            # No other column of the row matters here.
            status = Status(pk=1, member_model=found[0].tables_made_for or "")
            drained = drained_members(found, status=status)
            write(drained.before, drained.after, drained.context)
        return len(found)


def drain_all() -> None:
    """Drain all touches; after an error one by one, so that one does not hold up the others."""
    try:
        while drain():
            pass
        return
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - it is logged by its class and place
        unexpected(error)
    oldest = Touch.objects.order_by("pk").values_list("pk", flat=True)
    for touch_id in list(oldest[: conf.DRAIN_SIZE]):
        try:
            drain([touch_id])
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - the others go on
            unexpected(error)


def drained_members(
    touches: Sequence[Touch],
    keys: Iterable[Any] = (),
    *,
    passed: Mapping[Any, Sequence[str]] | None = None,
    approved: Collection[tuple[Any, str]] = (),
    context: Context = NO_CONTEXT,
    status: Status | None = None,
) -> Drained:
    """
    Evaluate the members of locked touches, and others, and delete the touches.

    Call it in a transaction, and write what it returns. Members are locked
    first, or made, and read on the site after that: of two evaluations of one
    member, the later one sees the later state.

    :param keys: keys of further members to be evaluated.
    :param passed: earlier addresses of these members, besides those that touches name.
    :param approved: removals (member, newsletter) that pass the brake.
    """
    addresses: dict[Any, list[str]] = defaultdict(list)
    for key in keys:
        addresses[key] += (passed or {}).get(key, ())
    by_cause: dict[str, set[Any]] = defaultdict(set)
    for touch in touches:
        by_cause[touch.cause].add(touch.member_id)
    gone = by_cause[Touch.Cause.DELETED] - by_cause[Touch.Cause.CREATED]
    unnamed = [touch for touch in touches if touch.member_id is None]
    behind = _members_behind(unnamed) if unnamed else {}
    causes: dict[Any, dict[str, None]] = defaultdict(dict)
    actors: dict[Any, Any] = {}
    latest: dict[Any, datetime] = {}
    for touch in touches:
        named = [touch.member_id] if touch.member_id is not None else behind.get(_source(touch), [])
        for key in named:
            addresses[key] += [touch.email] if touch.email else []
            causes[key].setdefault(f"{touch.source} {touch.cause}")
            latest[key] = max(touch.created_at, latest.get(key, touch.created_at))
            actors |= {key: touch.actor_id} if touch.actor_id is not None else {}
    Touch.objects.filter(pk__in=[touch.pk for touch in touches]).delete()

    columns = {"contact_key": F("contact__key"), "is_moving": is_moving("contact", "pk")}
    found = locked_members(Q(site_member__in=list(addresses)), **columns)
    # Sorted, so that two workers that make the same rows do not wait for each other.
    unknown = sorted(addresses.keys() - {row.site_member_id for row in found}, key=str)
    if unknown:  # also those who are gone: another worker may be making their rows
        made = [Member(site_member_id=key) for key in unknown]
        Member.objects.bulk_create(made, ignore_conflicts=True)
        found += locked_members(Q(site_member__in=unknown), **columns)
    members = {member.site_member_id: member for member in found}
    standings = get_site().standings(addresses)
    # Nothing was sent for rows that came and went, or are no members: leave their addresses alone.
    for key in members.keys() - standings.keys() - gone:
        if members[key].contact_id is None:
            addresses[key].clear()
    emails = [standing.email for standing in standings.values()]
    emails += [email for some in addresses.values() for email in some]
    contacts, suppressed, before = read_addresses(emails, [*members.values()], status)

    rows = before.copy()
    for contact_id, suppression in suppressed.items():
        kept = suppression.opt_outs().values()
        rows = suppress_again(rows, contact_id, kept, suppression.erased_at)
    situations, suspects, policies = [], 0, get_site().policies
    for key, member in members.items():
        known, email, outcomes = standings.get(key), "", {}
        if known is not None:
            email = known.email
            outcomes = {each.newsletter: each.newsletter in known.entitled for each in policies}
        home = contacts.get(contact_key(email))
        left = tuple(contacts[k] for e in addresses[key] if (k := contact_key(e)))
        deleted, at = known is None, latest.get(key)
        situations.append(
            Standing(member.pk, home, email, outcomes, left, deleted=deleted, changed_at=at)
        )
        if home is None:
            suspects += before.members[member.pk].contact_id is not None
        else:
            suspects += bool(ended(before, member, outcomes))
    ids = {key: member.pk for key, member in members.items()}
    pairs = {(ids[key], name) for key, name in approved if key in ids}
    joined = {ids[key]: ", ".join(some)[:200] for key, some in causes.items() if key in ids}
    acted = {ids[key]: actor for key, actor in actors.items() if key in ids}
    context = replace(context, causes=joined, actors=acted)
    if suspects:  # only then the brakes are read
        after = _evaluated_under_brakes(rows, situations, suspects, pairs, context)
    else:
        after = evaluate(rows, situations).rows
    return Drained(before, after, ids, context)


def _evaluated_under_brakes(
    rows: Rows,
    standings: list[Standing],
    suspects: int,
    approved: Collection[tuple[int, str]],
    context: Context,
) -> Rows:
    """
    Evaluate where newsletters may be taken away, and count the removals.

    :param suspects: the number of members who may lose one.
    """
    status = Status.objects.select_for_update().get(pk=1)
    rows.now = timezone.now()  # after the wait: marks get times in the order of the commits
    brakes = read_brakes(status, rows, suspects)
    evaluated = evaluate(rows, standings, brakes, approved)
    counts = {}
    for name in sorted(rows.settings.newsletters):
        minutes, now = lately(status.removals.get(name, {}), rows.now), rows.now.timestamp() // 60
        removed = [pk for pk in evaluated.removed[name] if (pk, name) not in approved]
        if removed:
            minutes[str(int(now))] = minutes.get(str(int(now)), 0) + len(removed)
        if minutes:
            counts[name] = minutes
        if evaluated.held_back[name]:
            gone = sum(minutes.values())
            _hold_back(rows, name, evaluated.held_back[name], brakes[name], gone, context)
    if counts != status.removals:
        status.removals = counts
        status.save(update_fields=["removals"])
    return evaluated.rows


def read_brakes(status: Status, rows: Rows, more: int) -> dict[str, Brake]:
    """Read the brakes; subscriptions are only counted where the floor is exceeded."""
    on = Approval.objects.filter(kind=Approval.Kind.BRAKE, closed_at__isnull=True)
    held_back = set(on.values_list("newsletter", flat=True))
    brakes = {}
    for name in rows.settings.newsletters:
        removed = sum(lately(status.removals.get(name, {}), rows.now).values())
        confirmed = 0
        if removed + more > rows.settings.brake_floor:
            held = Subscription.objects.filter(newsletter=name, confirmed_at__isnull=False)
            confirmed = held.count()
        brakes[name] = Brake(confirmed, removed, on=name in held_back)
    return brakes


def held_back(newsletter: str) -> "QuerySet[Decision]":
    """Return the decisions whose removals from a newsletter a brake holds back."""
    return Decision.objects.filter(newsletter=newsletter, held_back_at__isnull=False)


def _hold_back(
    rows: Rows, newsletter: str, ids: list[int], brake: Brake, gone: int, context: Context
) -> None:
    """
    Ask admins about removals that are held back, or add these to the open question.

    :param gone: the removals of the last hour that needed no approval.
    """
    members = [rows.members[pk] for pk in ids]
    approval, made = Approval.objects.get_or_create(
        newsletter=newsletter,
        kind=Approval.Kind.BRAKE,
        closed_at=None,
        defaults={
            "since": rows.now,
            "total": brake.confirmed,
            "went_before": gone,
            "examples": [member.site_member_id for member in members[:EXAMPLES]],
        },
    )
    known = held_back(newsletter).exclude(member__in=ids).count()
    approval.number = known + len(ids)
    causes = Counter({(cause, actor): number for cause, actor, number in approval.causes})
    causes.update(
        (
            context.causes.get(member.pk) or context.cause,
            str(context.actors.get(member.pk, context.actor_id) or "") or None,
        )
        for member in members
        if made or rows.decision(member, newsletter).held_back_at is None
    )
    approval.causes = [[*key, number] for key, number in causes.most_common(CAUSES)]
    approval.save(update_fields=["number", "causes"])
    if made:
        Event.objects.create(
            kind=Event.Kind.ASKED,
            newsletters=[newsletter],
            outcome=approval.kind,
            cause=approval.causes[0][0],
        )


def _source(touch: Touch) -> tuple[str, str, str]:
    return touch.source, touch.path, touch.source_key


def _members_behind(touches: Iterable[Touch]) -> dict[tuple[str, str, str], list[Any]]:
    """Follow the paths of touches whose signal did not know the member; one query for each path."""
    sources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for touch in touches:
        if touch.path:
            sources[touch.source, touch.path].append(touch.source_key)
    found: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for (label, path), keys in sources.items():
        try:
            model = apps.get_model(label)
            usable = [key for key in keys if _is_key(model, key)]
            rows = model._base_manager.using(router.db_for_write(model)).filter(pk__in=usable)
            for source_key, key in rows.values_list("pk", f"{path}__pk"):
                if key is not None:
                    found[label, path, str(source_key)].append(key)
        except (LookupError, FieldError) as error:
            # The site's models have changed since. The reconciler finds such changes.
            kind = type(error).__qualname__
            logger.warning("Touches of %s lead nowhere (%s): they are dropped.", label, kind)
    return found


def _is_key(model: type[Model], key: str) -> bool:
    try:
        model._meta.pk.to_python(key)
    except ValidationError:
        return False
    return True


def read_addresses(
    emails: Collection[str], members: Collection[Any] = (), status: Status | None = None
) -> tuple[dict[str, int], dict[int, Suppression], Rows]:
    """
    Lock and read the contacts of some addresses, and all that bears on them and on the members.

    Returns the contacts' keys by normalised address, the suppressions that the caller
    applies, and the rows.

    :param members: locked members, each with ``contact_key`` and ``is_moving``.
    """
    by_key = {key: email.strip() for email in emails if (key := contact_key(email))}
    homes = {member.contact_key: member.contact_id for member in members}  # these are not erased
    suppressed: dict[int, Suppression] = {}
    while True:  # a sync may erase a contact just before it is locked: then it is made again
        moving = any(member.is_moving for member in members)
        contacts = {key: homes[key] for key in by_key if key in homes}
        if others := sorted(by_key.keys() - contacts.keys()):
            there = Contact.objects.filter(key__in=others).annotate(is_moving=is_moving("pk"))
            for key, contact_id, moves in there.values_list("key", "pk", "is_moving"):
                contacts[key] = contact_id
                moving |= moves
        if missing := sorted(by_key.keys() - contacts.keys()):
            made, found = _made_contacts({key: by_key[key] for key in missing})
            contacts, suppressed = contacts | made, suppressed | found
        rows = read(contacts.values(), members, status=status, moving=moving)
        if rows.contacts.keys() >= set(contacts.values()):
            return contacts, suppressed, rows


def _made_contacts(emails: Mapping[str, str]) -> tuple[dict[str, int], dict[int, Suppression]]:
    """
    Create the contacts of addresses, given by normalised address.

    Returns their keys, and the suppressions of those that had been erased before. These
    are deleted.
    """
    made = [Contact(key=key, email=email) for key, email in emails.items()]
    Contact.objects.bulk_create(made, ignore_conflicts=True)
    contacts = Contact.objects.filter(key__in=list(emails))
    keys = dict(contacts.values_list("key", "pk"))
    hashes = {each: keys[key] for key in emails for each in suppression_hashes(key)}
    rows_of = Suppression.objects.filter(hash__in=hashes)
    found = list(rows_of.select_for_update().order_by("erased_at"))
    suppressed: dict[int, Suppression] = {}
    for row in found:  # under two keys, if a fallback was missing for a while
        earlier = suppressed.get(hashes[row.hash])
        if earlier:
            row.newsletters = earlier.newsletters | row.newsletters
        suppressed[hashes[row.hash]] = row
    rows_of.filter(pk__in=[row.pk for row in found]).delete()
    return keys, suppressed


def drain_unnamed() -> None:
    """Drain the touches that may concern any member, so that an order has few left to drain."""
    while drain(unnamed=True) >= conf.DRAIN_SIZE:
        pass


def locked_touches(keys: Collection[Any]) -> list[Touch]:
    """Lock the touches that may concern some members, before an order decides on them."""
    touches = Touch.objects.order_by("pk").select_for_update()
    named = list(touches.filter(member__in=list(keys)))
    return named + list(touches.filter(member=None)[: conf.DRAIN_SIZE])
