"""Read a leased contact with all that a step must know, in one query."""

from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections, router
from django.db.models import BigIntegerField, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from mozillians_basket.ledger.compiled import Compiled, compiled, concrete_names
from mozillians_basket.ledger.leases import Lease, end_of_lease
from mozillians_basket.ledger.matching import is_at
from mozillians_basket.ledger.statements import (
    change_of_contact,
    combines,
    execute,
    switch_default,
)
from mozillians_basket.models import BatchItem, Contact, Pulse, Subscription
from mozillians_basket.switch import row_is_on

#: Stand for a contact's key and its lease's serial while the query is compiled.
_KEY, _SERIAL = 10**15 + 1, 10**15 + 2

#: What is read besides the rows themselves.
CIRCUMSTANCES = ("switched_on", "troubled", "shared", "ordered")


class Reading(NamedTuple):
    """A contact, its lines, and the circumstances of both."""

    contact: Contact
    lines: list[Subscription]
    switched_on: bool
    troubled: bool
    shared: bool
    ordered: bool


def read(lease: Lease) -> Reading | None:
    """What the rows say; ``None`` when somebody else has the lease."""
    using = router.db_for_write(Contact)  # a replica may not have the lease yet
    query = _query(using, taken=False, switch_default=switch_default())
    rows = _fetched(using, query.sql, _filled(query, lease))
    return _reading_of(query, rows) if rows else None


def take(lease: Lease) -> Reading | None:
    """
    Prolong a lease by a new serial, if the switch's row is on, and read the rows.

    ``None`` when it could not be prolonged.
    """
    using = router.db_for_write(Contact)
    until = end_of_lease()
    prolonging = change_of_contact(using, lease, {"leased_until": until}, keep=True)
    if not combines(using):
        return read(lease.prolonged) if execute(using, prolonging) else None
    query = _query(using, taken=True, switch_default=switch_default())
    rows = _fetched(
        using,
        f'WITH "taken" AS ({prolonging.sql} RETURNING "revision") {query.sql}',
        [*prolonging.parameters, *_filled(query, lease)],
    )
    revision = rows[0][-1] if rows else None
    if revision is None:
        return None
    found = _reading_of(query, rows)
    if found.contact.revision != revision:
        # Somebody changed the contact between the query's beginning and its turn at the row.
        return read(lease.prolonged)
    found.contact.lease, found.contact.leased_until = lease.serial + 1, until
    return found


def _filled(query: Compiled, lease: Lease) -> list[Any]:
    return query.filled({_KEY: lease.contact_id, _SERIAL: lease.serial})


def _fetched(using: str, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _reading_of(query: Compiled, found: list[tuple[Any, ...]]) -> Reading:
    names, line_names = concrete_names(Contact), concrete_names(Subscription)
    start, end = len(names), len(names) + len(line_names)
    rows = [query.read(row) for row in found]
    contact = Contact.from_db(query.using, names, rows[0][:start])
    lines = [
        Subscription.from_db(query.using, line_names, row[start:end])
        for row in rows
        if row[start] is not None
    ]
    return Reading(contact, lines, *map(bool, rows[0][end : end + len(CIRCUMSTANCES)]))


@lru_cache(maxsize=8)
def _query(using: str, *, taken: bool, switch_default: bool) -> Compiled:
    others = Contact.objects.exclude(pk=OuterRef("pk"))
    pulse = Pulse.objects.filter(pk=1)
    waiting = BatchItem.objects.filter(contact=OuterRef("pk"), state=BatchItem.State.PENDING)
    contacts = Contact.objects.annotate(
        switched_on=row_is_on(),
        troubled=Exists(pulse.filter(Q(failures__gt=0) | Q(opened_at__isnull=False))),
        shared=Exists(others.filter(is_at("email", OuterRef("email"))))
        | Exists(others.filter(is_at("wanted_email", OuterRef("email")))),
        ordered=Exists(waiting),
    )
    more: tuple[str, ...] = ()
    if taken:
        # All parts of a statement see the rows as they were at its beginning.
        revision = RawSQL('SELECT "revision" FROM "taken"', (), BigIntegerField())
        contacts, more = contacts.filter(pk=_KEY).annotate(taken_at=revision), ("taken_at",)
    else:
        contacts = contacts.filter(pk=_KEY, lease=_SERIAL, leased_until__isnull=False)
    rows = contacts.order_by().values_list(
        *concrete_names(Contact),
        *(f"subscriptions__{name}" for name in concrete_names(Subscription)),
        *CIRCUMSTANCES,
        *more,
    )
    return compiled(rows, using)
