"""Note whose situation may have changed, and work the notes into the ledger."""

import logging
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldError, ValidationError
from django.db import transaction

from mozillians_basket.conf import conf
from mozillians_basket.ledger.evaluation import evaluate, locked_contacts
from mozillians_basket.models import Touch

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
    row = Touch.objects.create(
        source=source,
        cause=cause,
        member_id=member_id,
        source_key=str(source_key),
        path=path,
        email=email,
    )
    return row.pk


def drain(touch_ids: Collection[int] | None = None) -> tuple[int, list[int]]:
    """
    Work touches into the ledger: the named ones, or the oldest.

    Touches that another worker is draining are passed over.

    :return: how many touches were worked through, and the keys of the contacts
        that Basket must hear of.
    """
    with transaction.atomic():
        rows = Touch.objects.order_by("pk").select_for_update(skip_locked=True)
        if touch_ids is not None:
            rows = rows.filter(pk__in=list(touch_ids))
        touches = list(rows[: conf.DRAIN_SIZE])
        if not touches:
            return 0, []
        found: list[int] = []
        members = _members_of(touches)
        for chunk in _in_chunks(sorted(members, key=str), conf.DRAIN_SIZE):
            found += _evaluate_members(chunk, members)
        Touch.objects.filter(pk__in=[row.pk for row in touches]).delete()
        return len(touches), found


def _evaluate_members(chunk: list[Any], members: dict[Any, list[Touch]]) -> list[int]:
    contacts, fresh = locked_contacts(chunk)
    own = conf.MEMBER_MODEL.lower()
    newborn = {
        pk
        for pk in chunk
        if any(
            row.cause == Touch.Cause.CREATED and row.source.lower() == own for row in members[pk]
        )
    }
    waiting = evaluate(
        contacts,
        fresh=fresh,
        earlier={pk: next((row.email for row in members[pk] if row.email), "") for pk in chunk},
        newborn=newborn,
        leftovers=fresh - newborn,
        moments={pk: members[pk][-1].created_at for pk in chunk},
        cause={pk: f"{members[pk][-1].source} {members[pk][-1].cause}" for pk in chunk},
    )
    return [contact.pk for contact in waiting]


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
