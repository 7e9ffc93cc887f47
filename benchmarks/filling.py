"""Fills tables with many rows in one statement, whatever fields a model has besides."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models

#: From so many rows on, making the indexes anew afterwards is faster than filling them meanwhile.
MANY = 100_000


def fill(model: type[models.Model], count: int, **expressions: str) -> None:
    """
    Insert rows, made by the database from SQL expressions of ``n``, the row's number from 1 on.

    Fields that are not named get NULL where they may, and the model's default otherwise.
    Foreign keys are not checked, as that would take longer than the rest.
    """
    columns, values, parameters = [], [], []
    for field in model._meta.concrete_fields:
        expression = expressions.pop(field.attname, None)
        if expression is None:
            if isinstance(field, models.AutoField) or field.generated:
                continue
            default = None if field.null and not field.has_default() else field.get_default()
            expression = "%s"
            parameters.append(field.get_db_prep_save(default, connection))
        else:
            expression = expression.replace("%", "%%")
        columns.append(connection.ops.quote_name(str(field.column)))
        values.append(expression)
    if expressions:
        raise ValueError(f"{model.__name__} has no {', '.join(expressions)}")
    table = model._meta.db_table
    with connection.cursor() as cursor, without_indexes(cursor, table if count >= MANY else ""):
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f'INSERT INTO "{table}" ({", ".join(columns)}) SELECT {", ".join(values)} '
            f"FROM generate_series(1, {count:d}) AS n",
            parameters,
        )
        cursor.execute("SET session_replication_role = DEFAULT")
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)


@contextmanager
def without_indexes(cursor: Any, table: str) -> Iterator[None]:
    """Drop a table's indexes, but for those of constraints, and make them again afterwards."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s "
        "AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        [table],
    )
    indexes = cursor.fetchall()
    for name, _definition in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _name, definition in indexes:
        cursor.execute(definition)
