"""Fills tables with many rows in one statement, whatever fields a model has besides."""

from django.core.management.color import no_style
from django.db import connection, models

NUMBER = "n"
"""The row's number, from 1 on, in the expressions."""


def fill(model: type[models.Model], count: int, *, where: str = "", **expressions: str) -> None:
    """
    Insert rows, made by the database from SQL expressions of ``n``.

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
    table = connection.ops.quote_name(model._meta.db_table)
    condition = f" WHERE {where.replace('%', '%%')}" if where else ""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "
            f"FROM generate_series(1, {count:d}) AS {NUMBER}{condition}",
            parameters,
        )
        cursor.execute("SET session_replication_role = DEFAULT")
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)
        cursor.execute(f"ANALYZE {table}")
