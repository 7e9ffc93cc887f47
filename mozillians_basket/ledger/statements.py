"""
The statements that each step of a sync makes, put together once per process.

To build and compile them anew each time is most of what they cost a worker.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from django.db import connections, router
from django.db.models import Exists, Field, Model, OuterRef, Q
from waffle.utils import get_setting

from mozillians_basket.ledger.leases import Lease
from mozillians_basket.ledger.matching import is_at
from mozillians_basket.models import BatchItem, Contact, Pulse, Subscription
from mozillians_basket.switch import row_is_on

#: Stand for a contact's key and its lease's serial while the query is compiled.
_KEY, _SERIAL = 10**15 + 1, 10**15 + 2

#: What is read besides the rows themselves.
CIRCUMSTANCES = ("switched_on", "troubled", "shared", "ordered")


def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def read(lease: Lease) -> tuple[Contact, list[Subscription], dict[str, bool]] | None:
    """
    A leased contact, its lines and the circumstances of both, in one query.

    ``None`` when somebody else has the lease.
    """
    using = router.db_for_write(Contact)  # a replica may not have the lease yet
    sql, parameters, converters = _reading(using, switch_default=_switch_default())
    given: dict[Any, Any] = {_KEY: lease.contact_id, _SERIAL: lease.serial}
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(sql, [given.get(each, each) for each in parameters])
        rows = [list(row) for row in cursor.fetchall()]
    if not rows:
        return None
    for row in rows:
        for place, (functions, expression) in converters.items():
            for convert in functions:
                row[place] = convert(row[place], expression, connection)
    names, line_names = _names(Contact), _names(Subscription)
    start, end = len(names), len(names) + len(line_names)
    contact = Contact.from_db(using, names, rows[0][:start])
    lines = [
        Subscription.from_db(using, line_names, row[start:end])
        for row in rows
        if row[start] is not None
    ]
    return contact, lines, dict(zip(CIRCUMSTANCES, map(bool, rows[0][end:]), strict=True))


@lru_cache(maxsize=8)
def _reading(using: str, *, switch_default: bool) -> tuple[str, tuple[Any, ...], dict[int, Any]]:
    """The query's SQL and parameters, and how its values become Python's, by their places."""
    others = Contact.objects.exclude(pk=OuterRef("pk"))
    pulse = Pulse.objects.filter(pk=1)
    waiting = BatchItem.objects.filter(contact=OuterRef("pk"), state=BatchItem.State.PENDING)
    rows = (
        Contact.objects.filter(pk=_KEY, lease=_SERIAL, leased_until__isnull=False)
        .annotate(
            switched_on=row_is_on(),
            troubled=Exists(pulse.filter(Q(failures__gt=0) | Q(opened_at__isnull=False))),
            shared=Exists(others.filter(is_at("email", OuterRef("email"))))
            | Exists(others.filter(is_at("wanted_email", OuterRef("email")))),
            ordered=Exists(waiting),
        )
        .order_by()
        .values_list(
            *_names(Contact),
            *(f"subscriptions__{name}" for name in _names(Subscription)),
            *CIRCUMSTANCES,
        )
    )
    compiler = rows.query.get_compiler(using=using)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([expression for expression, *_rest in compiler.select])
    return sql, tuple(parameters), converters


def update_contact(
    lease: Lease, changes: Mapping[str, Any], *, revision: int | None = None, keep: bool = False
) -> bool:
    """
    Change a leased contact in one statement; return whether the lease was still there to do so.

    :param revision: nobody else may have changed the contact since this one.
    :param keep: prolong the lease by a new serial, if the switch's row is on.
    """
    using = router.db_for_write(Contact)
    connection = connections[using]
    names = tuple(changes)
    sql, parameters = _updating(using, names, keep=keep, switch_default=_switch_default())
    values = _prepared(Contact, changes, connection)
    given = [*values, lease.contact_id, lease.serial, *parameters]
    if revision is not None:
        sql, given = f"{sql} AND {connection.ops.quote_name('revision')} = %s", [*given, revision]
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return bool(cursor.rowcount)


@lru_cache(maxsize=256)
def _updating(
    using: str, names: tuple[str, ...], *, keep: bool, switch_default: bool
) -> tuple[str, tuple[Any, ...]]:
    connection = connections[using]
    quoted = connection.ops.quote_name
    settings = [f"{quoted(_column(Contact, name))} = %s" for name in names]
    if keep or not settings:
        settings.append(f"{quoted('lease')} = {quoted('lease')} + {int(keep)}")
    sql = (
        f"UPDATE {quoted(Contact._meta.db_table)} SET {', '.join(settings)} "  # noqa: S608
        f"WHERE {quoted('id')} = %s AND {quoted('lease')} = %s "
        f"AND {quoted('leased_until')} IS NOT NULL"
    )
    parameters: tuple[Any, ...] = ()
    if keep:
        compiler = Contact.objects.filter(row_is_on()).query.get_compiler(using=using)
        condition, parameters = compiler.compile(compiler.query.where)
        sql = f"{sql} AND {condition}"
    return sql, tuple(parameters)


def update_lines(keys: list[int], changes: Mapping[str, Any]) -> None:
    """Give the named subscriptions the same new values, in one statement."""
    connection = connections[router.db_for_write(Subscription)]
    quoted = connection.ops.quote_name
    settings = ", ".join(f"{quoted(_column(Subscription, name))} = %s" for name in changes)
    places = ", ".join("%s" for _key in keys)
    sql = (
        f"UPDATE {quoted(Subscription._meta.db_table)} SET {settings} "  # noqa: S608
        f"WHERE {quoted('id')} IN ({places})"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*_prepared(Subscription, changes, connection), *keys])


def insert(model: type[Model], values: Mapping[str, Any]) -> int:
    """
    Write a row; return its key. No signal is sent.

    :param values: of all columns but the key, by attribute.
    """
    using = router.db_for_write(model)
    connection = connections[using]
    sql, returns = _inserting(using, model, tuple(values))
    with connection.cursor() as cursor:
        cursor.execute(sql, _prepared(model, values, connection))
        if returns:
            return int(cursor.fetchone()[0])
        return int(connection.ops.last_insert_id(cursor, model._meta.db_table, "id"))


@lru_cache(maxsize=8)
def _inserting(using: str, model: type[Model], names: tuple[str, ...]) -> tuple[str, bool]:
    """The statement, and whether it returns the key by itself."""
    connection = connections[using]
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(_column(model, name)) for name in names)
    places = ", ".join("%s" for _name in names)
    sql = f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608
    returns = connection.features.can_return_columns_from_insert
    if returns:
        sql = f"{sql} RETURNING {quoted('id')}"
    return sql, returns


def _switch_default() -> bool:
    """Part of the key by which statements are kept, as the switch's condition depends on it."""
    return bool(get_setting("SWITCH_DEFAULT"))


def _column(model: type[Model], name: str) -> str:
    return str(cast("Field[Any, Any]", model._meta.get_field(name)).column)


def _prepared(model: type[Model], changes: Mapping[str, Any], connection: Any) -> list[Any]:
    fields = model._meta
    return [
        cast("Field[Any, Any]", fields.get_field(name)).get_db_prep_save(value, connection)
        for name, value in changes.items()
    ]
