"""Note whose situation may have changed, and work the notes into the ledger."""

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldError, ValidationError
from django.db import router, transaction
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.ledger import statements
from mozillians_basket.ledger.evaluation import evaluate, locked_contacts
from mozillians_basket.ledger.leases import Lease
from mozillians_basket.ledger.portions import take_portion
from mozillians_basket.models import Contact, Touch

logger = logging.getLogger("mozillians_basket")


def touch(
    source: str,
    cause: Touch.Cause,
    *,
    member_id: Any = None,
    source_key: Any = "",
    path: str = "",
    email: str = "",
) -> int:
    """
    Write "look at this member again" in the caller's transaction: one INSERT.

    Name the member by key, or say by which path the worker gets to the members
    from the row that changed.

    :param source: the model that changed, as ``"app_label.Model"``.
    :param email: the member's address before the event, where it is known.
    :return: the touch's key, for a hint to the worker.
    """
    return statements.insert(
        Touch,
        {
            "source": source,
            "cause": cause,
            "member_id": member_id,
            "source_key": str(source_key),
            "path": path,
            "email": email,
            "created_at": timezone.now(),
        },
    )


@dataclass(slots=True)
class Drained:
    """What a portion of touches led to."""

    touch_ids: list[int] = field(default_factory=list)
    """Those that were worked through."""

    contact_ids: list[int] = field(default_factory=list)
    """The contacts that Basket must hear of."""

    leases: list[Lease] = field(default_factory=list)
    """Leases on those of them that may be worked on now, if they were asked for."""

    held_back: bool = False
    """Whether none was taken because the breaker is open."""


def drain(touch_ids: Collection[int] | None = None, *, claim: bool = False) -> Drained:
    """
    Work touches into the ledger: the named ones, and the oldest besides.

    Touches that another worker is draining are passed over. It costs a few
    statements, however many there are up to ``BASKET_DRAIN_SIZE``.

    :param claim: take leases on the contacts, as many as may be under way.
    """
    drained = Drained()
    _drain_portion(drained, None, claim=claim)
    if len(drained.touch_ids) == conf.DRAIN_SIZE:
        # In a transaction of its own: in each, contacts are locked in one order.
        later = [pk for pk in touch_ids or () if pk > drained.touch_ids[-1]]
        if later:
            _drain_portion(drained, later, claim=claim)
    return drained


def _drain_portion(drained: Drained, keys: Collection[int] | None, *, claim: bool) -> None:
    with transaction.atomic(router.db_for_write(Touch)):
        portion = take_portion(keys)
        members = _members_of(portion.touches)
        held_back = claim and portion.breaker_open
        room = max(conf.MAX_IN_FLIGHT - portion.under_way, 0) if claim and not held_back else 0
        contact_ids: list[int] = []
        leases: list[Lease] = []
        for chunk in _in_chunks(sorted(members, key=str), conf.DRAIN_SIZE):
            locked = locked_contacts(chunk, portion.locked)
            waiting, claimed = _evaluate_members(locked, chunk, members, room - len(leases))
            contact_ids += [contact.pk for contact in waiting]
            leases += claimed
    drained.touch_ids += [row.pk for row in portion.touches]
    drained.contact_ids += contact_ids
    drained.leases += leases
    drained.held_back = drained.held_back or held_back


def _evaluate_members(
    locked: tuple[list[Contact], set[Any]],
    chunk: list[Any],
    members: dict[Any, list[Touch]],
    claim: int,
) -> tuple[list[Contact], list[Lease]]:
    contacts, fresh = locked
    own = conf.MEMBER_MODEL.lower()
    newborn = {
        pk
        for pk in chunk
        if any(
            row.cause == Touch.Cause.CREATED and row.source.lower() == own for row in members[pk]
        )
    }
    return evaluate(
        contacts,
        fresh=fresh,
        earlier={pk: next((row.email for row in members[pk] if row.email), "") for pk in chunk},
        newborn=newborn,
        leftovers=fresh - newborn,
        moments={pk: members[pk][-1].created_at for pk in chunk},
        cause={pk: f"{members[pk][-1].source} {members[pk][-1].cause}" for pk in chunk},
        claim=claim,
    )


def _members_of(touches: list[Touch]) -> dict[Any, list[Touch]]:
    """The members that each touch is about; a path is followed by one query per kind of touch."""
    members: dict[Any, list[Touch]] = defaultdict(list)
    indirect: dict[tuple[str, str], list[Touch]] = defaultdict(list)
    for row in touches:
        if row.member_id is not None:
            members[row.member_id].append(row)
        else:
            indirect[row.source, row.path].append(row)
    for (source, path), rows in indirect.items():
        by_key = defaultdict(list)
        for row in rows:
            by_key[row.source_key].append(row)
        try:
            changed = apps.get_model(source)._base_manager.filter(pk__in=list(by_key))
            pairs = list(changed.values_list("pk", f"{path}__pk").distinct())
        except (LookupError, FieldError, ValueError, ValidationError):
            # Written before the site was changed; raised, it would stop everybody's touches.
            logger.warning("Dropped %d touches: %s leads to no member now.", len(rows), source)
            continue
        for key, member in pairs:
            if member is not None:
                members[member].extend(by_key[str(key)])
    return {key: sorted(rows, key=lambda row: row.pk) for key, rows in members.items()}


def _in_chunks(keys: list[Any], size: int) -> list[list[Any]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]
