"""
The statements of each change and each step, put together once per process.

To build and compile them anew each time is most of what they cost a worker.
Each is a journey to the database and back, so what belongs together goes there
together, where the database can: PostgreSQL takes several writes as one
statement. Elsewhere they are made one after the other, in a transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from django.db import connections, router, transaction
from django.db.models import CharField, Field, Model
from waffle.utils import get_setting

from mozillians_basket.ledger.leases import Lease
from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.switch import row_is_on

#: What the write of the contact is called where others go by whether it found its row.
HELD = "held"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and its parameters."""

    sql: str
    parameters: list[Any]


def combines(using: str) -> bool:
    """Whether a database takes several writes as one statement."""
    return bool(connections[using].vendor == "postgresql")


def execute(using: str, statement: Statement) -> int:
    """Execute a write; return how many rows it found."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement.sql, statement.parameters)
        return int(cursor.rowcount)


def execute_together(using: str, statements: Sequence[Statement]) -> None:
    """
    Execute writes that do not build on each other, and are about different rows.

    Call it in a transaction.
    """
    if not statements:
        return
    if not combines(using):
        for statement in statements:
            execute(using, statement)
        return
    *first, last = statements
    execute(using, _with({f"part_{n}": each for n, each in enumerate(first)}, last))


def _with(parts: Mapping[str, Statement], last: Statement) -> Statement:
    if not parts:
        return last
    named = ", ".join(f'"{name}" AS ({part.sql})' for name, part in parts.items())
    parameters = [value for part in (*parts.values(), last) for value in part.parameters]
    return Statement(f"WITH {named} {last.sql}", parameters)


def write(
    lease: Lease,
    changes: Mapping[str, Any],
    *,
    revision: int | None = None,
    keep: bool = False,
    lines: Sequence[tuple[Collection[int], Mapping[str, Any]]] = (),
    events: Sequence[Mapping[str, Any]] = (),
) -> bool:
    """
    Change a leased contact and its lines, and add to its history: all of it, or nothing.

    :param revision: nobody else may have changed the contact since this one.
    :param keep: prolong the lease by a new serial, if the switch's row is on.
    :param lines: keys of subscriptions, and what they have in common from now on.
    :param events: values of all columns of the history but the key, by attribute.
    :return: whether the lease was still there to do so.
    """
    using = router.db_for_write(Contact)
    contact = change_of_contact(using, lease, changes, revision=revision, keep=keep)
    if not (lines or events):
        return bool(execute(using, contact))
    given = HELD if combines(using) else ""
    rest = [change(using, Subscription, keys, values, given=given) for keys, values in lines]
    if events:
        rest.append(insertion(using, Event, events, given=given))
    if given:
        found = Statement(f"{contact.sql} RETURNING 1", contact.parameters)
        parts = {HELD: found} | {f"part_{number}": each for number, each in enumerate(rest)}
        whole = _with(parts, Statement(f'SELECT COUNT(*) FROM "{HELD}"', []))  # noqa: S608
        with connections[using].cursor() as cursor:
            cursor.execute(whole.sql, whole.parameters)
            return bool(cursor.fetchone()[0])
    with transaction.atomic(using, savepoint=False):
        # Counts the row, and locks it against all other writers.
        if not execute(using, contact):
            return False
        for statement in rest:
            execute(using, statement)
    return True


def change_of_contact(
    using: str,
    lease: Lease,
    changes: Mapping[str, Any],
    *,
    revision: int | None = None,
    keep: bool = False,
) -> Statement:
    """A change of a leased contact, as :func:`write` makes it."""
    connection = connections[using]
    sql, parameters = _changing_contact(
        using, tuple(changes), keep=keep, switch_default=switch_default()
    )
    values = _prepared(Contact, changes, connection)
    given = [*values, lease.contact_id, lease.serial, *parameters]
    if revision is not None:
        sql, given = f"{sql} AND {connection.ops.quote_name('revision')} = %s", [*given, revision]
    return Statement(sql, given)


@lru_cache(maxsize=256)
def _changing_contact(
    using: str, names: tuple[str, ...], *, keep: bool, switch_default: bool
) -> tuple[str, tuple[Any, ...]]:
    quoted = connections[using].ops.quote_name
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


def change(
    using: str,
    model: type[Model],
    keys: Collection[int],
    changes: Mapping[str, Any],
    *,
    counted: Collection[str] = (),
    given: str = "",
) -> Statement:
    """
    Rows of a model that get the same new values.

    :param counted: columns that grow by one.
    :param given: the part of the same statement that must have found a row.
    """
    connection = connections[using]
    sql = _changing(using, model, tuple(changes), tuple(counted), len(keys), given)
    return Statement(sql, [*_prepared(model, changes, connection), *keys])


@lru_cache(maxsize=256)
def _changing(
    using: str,
    model: type[Model],
    names: tuple[str, ...],
    counted: tuple[str, ...],
    keys: int,
    given: str,
) -> str:
    quoted = connections[using].ops.quote_name
    settings = [f"{quoted(_column(model, name))} = %s" for name in names]
    settings += [f"{quoted(name)} = {quoted(name)} + 1" for name in counted]
    places = ", ".join(["%s"] * keys)
    sql = (
        f"UPDATE {quoted(model._meta.db_table)} SET {', '.join(settings)} "  # noqa: S608
        f"WHERE {quoted('id')} IN ({places})"
    )
    return f'{sql} AND EXISTS (SELECT 1 FROM "{given}")' if given else sql  # noqa: S608


def insertion(
    using: str, model: type[Model], rows: Sequence[Mapping[str, Any]], *, given: str = ""
) -> Statement:
    """
    New rows of a model; no signal is sent for them.

    :param rows: the values of all columns but the key, by attribute, in the same order.
    :param given: the part of the same statement that must have found a row.
    """
    connection = connections[using]
    sql = _inserting(using, model, tuple(rows[0]), len(rows), given)
    return Statement(sql, [value for row in rows for value in _prepared(model, row, connection)])


def most_rows(using: str, model: type[Model], rows: Sequence[Mapping[str, Any]]) -> int:
    """How many of these new rows a database takes in one statement; at least one."""
    fields = [_field(model, name) for name in rows[0]] if rows else []
    return max(1, connections[using].ops.bulk_batch_size(fields, rows))


@lru_cache(maxsize=256)
def _inserting(
    using: str, model: type[Model], names: tuple[str, ...], rows: int, given: str
) -> str:
    connection = connections[using]
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(_column(model, name)) for name in names)
    # Below a SELECT the database does not know by the column which type is meant.
    places = ", ".join(f"%s::{_type(model, name, connection)}" if given else "%s" for name in names)
    values = f"VALUES {', '.join([f'({places})'] * rows)}"
    if given:
        values = f'SELECT "new".* FROM ({values}) AS "new" CROSS JOIN "{given}"'  # noqa: S608
    return f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) {values}"


def insert(model: type[Model], values: Mapping[str, Any]) -> int:
    """
    Write a row; return its key. No signal is sent.

    :param values: of all columns but the key, by attribute.
    """
    using = router.db_for_write(model)
    connection = connections[using]
    statement = insertion(using, model, [values])
    returns = connection.features.can_return_columns_from_insert
    returning = f" RETURNING {connection.ops.quote_name('id')}" if returns else ""
    with connection.cursor() as cursor:
        cursor.execute(statement.sql + returning, statement.parameters)
        if returns:
            return int(cursor.fetchone()[0])
        return int(connection.ops.last_insert_id(cursor, model._meta.db_table, "id"))


def switch_default() -> bool:
    """Part of the key by which statements are kept, as the switch's condition depends on it."""
    return bool(get_setting("SWITCH_DEFAULT"))


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    return cast("Field[Any, Any]", model._meta.get_field(name))


@lru_cache(maxsize=256)
def _column(model: type[Model], name: str) -> str:
    return str(_field(model, name).column)


def _type(model: type[Model], name: str, connection: Any) -> str:
    """A column's type; of text without its length, to which a cast would cut it silently."""
    field = _field(model, name)
    return "varchar" if isinstance(field, CharField) else str(field.cast_db_type(connection))


def _prepared(model: type[Model], changes: Mapping[str, Any], connection: Any) -> list[Any]:
    return [
        _field(model, name).get_db_prep_save(value, connection) for name, value in changes.items()
    ]
