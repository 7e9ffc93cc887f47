"""Take touches out of their table, for one worker alone, with what draining them must know."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import connections, router
from django.db.models import Count, Exists, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.ledger.compiled import Compiled, compiled, concrete_names
from mozillians_basket.ledger.statements import combines
from mozillians_basket.models import Contact, Pulse, Touch

#: Stands for the present while the query is compiled.
_NOW = datetime(9999, 12, 31, tzinfo=UTC)

#: What is read besides the touches themselves.
CIRCUMSTANCES = ("breaker_open", "under_way")


@dataclass(slots=True)
class Portion:
    """Touches that this worker has deleted in its transaction, in the order of their keys."""

    touches: list[Touch] = field(default_factory=list)

    breaker_open: bool = False
    """Whether nobody may be called now."""

    under_way: int = 0
    """How many contacts have workers now."""

    locked: Mapping[Any, Contact] | None = None
    """The rows of all the members named, as far as there are any, locked; none if not tried."""


def take_portion(keys: Collection[int] | None = None) -> Portion:
    """
    Take the oldest touches, up to ``BASKET_DRAIN_SIZE`` of them, or those with the named keys.

    Touches that another worker has taken are passed over. Call it in a transaction.
    """
    limit = conf.DRAIN_SIZE if keys is None else None
    using = router.db_for_write(Touch)
    if not combines(using):
        touches = list(_with_circumstances(_free(using, keys, limit), timezone.now()))
        Touch.objects.using(using).filter(pk__in=[row.pk for row in touches]).delete()
        first: Any = touches[0] if touches else None
        return Portion(touches, first.breaker_open, first.under_way) if touches else Portion()
    taking = _taking(using, limit) if keys is None else _put_together(using, _free(using, keys))
    with connections[using].cursor() as cursor:
        cursor.execute(taking.sql, taking.filled({_NOW: timezone.now()}))
        return _portion_of(taking, cursor.fetchall())


def _free(using: str, keys: Collection[int] | None, limit: int | None = None) -> QuerySet[Touch]:
    rows = Touch.objects.using(using).order_by("pk").select_for_update(skip_locked=True)
    return (rows if keys is None else rows.filter(pk__in=keys))[:limit]


def _with_circumstances(touches: QuerySet[Touch], now: datetime) -> QuerySet[Touch]:
    leased = Contact.objects.filter(leased_until__gt=now).order_by()
    counted = leased.annotate(one=Value(1)).values("one").annotate(n=Count("pk")).values("n")
    return touches.annotate(
        breaker_open=Exists(Pulse.objects.filter(pk=1, opened_at__isnull=False)),
        under_way=Coalesce(Subquery(counted), 0),
    )


@lru_cache(maxsize=8)
def _taking(using: str, limit: int | None) -> Compiled:
    return _put_together(using, _free(using, None, limit))


def _put_together(using: str, free: QuerySet[Touch]) -> Compiled:
    """
    Delete touches, read what they said, and lock the contacts of the members whom they name.

    Contacts are always locked in the order of their keys, so nobody is where
    some of the touches do not name their members.
    """
    quoted = connections[using].ops.quote_name
    touches, contacts = quoted(Touch._meta.db_table), quoted(Contact._meta.db_table)
    everything = _with_circumstances(Touch.objects.order_by(), _NOW)
    query = compiled(everything.values_list(*concrete_names(Touch), *CIRCUMSTANCES), using)
    chosen = compiled(free.values_list("pk"), using)
    columns = ", ".join(
        f'"locked".{quoted(str(each.column))}' for each in Contact._meta.concrete_fields
    )
    # Behind the part that deletes, the table's name stands for what was deleted.
    sql = (
        f"WITH {touches} AS (DELETE FROM {touches} WHERE id = ANY(ARRAY({chosen.sql})) "  # noqa: S608
        f'RETURNING *), "locked" AS (SELECT * FROM {contacts} '
        f"WHERE member_id IN (SELECT member_id FROM {touches}) "
        f"AND NOT EXISTS (SELECT 1 FROM {touches} WHERE member_id IS NULL) "
        f'ORDER BY id FOR UPDATE) SELECT "touch".*, {columns} FROM ({query.sql}) AS "touch" '
        f'LEFT JOIN "locked" ON "locked".member_id = "touch".member_id ORDER BY "touch".id'
    )
    return Compiled(using, sql, (*chosen.parameters, *query.parameters), query.converters)


@lru_cache(maxsize=2)
def _contacts(using: str) -> Compiled:
    return compiled(Contact.objects.order_by().values_list(*concrete_names(Contact)), using)


def _portion_of(taking: Compiled, found: Sequence[Sequence[Any]]) -> Portion:
    if not found:
        return Portion()
    using, names, contacts = taking.using, concrete_names(Touch), _contacts(taking.using)
    end = len(names)
    start = end + len(CIRCUMSTANCES)
    rows = [taking.read(row) for row in found]
    touches = [Touch.from_db(using, names, row[:end]) for row in rows]
    locked: dict[Any, Contact] = {}
    for touch, row in zip(touches, rows, strict=True):
        if row[start] is not None and touch.member_id not in locked:
            values = contacts.read(row, start)
            locked[touch.member_id] = Contact.from_db(using, concrete_names(Contact), values)
    tried = all(touch.member_id is not None for touch in touches)
    breaker_open, under_way = rows[0][end:start]
    return Portion(touches, breaker_open, under_way, locked if tried else None)
