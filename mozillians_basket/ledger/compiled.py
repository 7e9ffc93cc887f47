"""Queries that are compiled once per process, and rows that are read without a query set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet


@lru_cache(maxsize=8)
def concrete_names(model: type[Model]) -> tuple[str, ...]:
    """The attributes that hold the values of a model's columns, in the order of these."""
    return tuple(field.attname for field in model._meta.concrete_fields)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query's SQL, and how its values become Python's, by their places."""

    using: str
    sql: str
    parameters: tuple[Any, ...]
    converters: Mapping[int, Any]

    def filled(self, values: Mapping[Any, Any]) -> list[Any]:
        """The parameters, with values in place of those that stood for them while compiling."""
        return [values.get(each, each) for each in self.parameters]

    def read(self, row: Sequence[Any], first: int = 0) -> list[Any]:
        """The values of a row as Python's, from the place on where those of this query begin."""
        connection = connections[self.using]
        values = list(row[first:])
        for place, (functions, expression) in self.converters.items():
            for convert in functions:
                values[place] = convert(values[place], expression, connection)
        return values


def compiled(rows: "QuerySet[Any, Any]", using: str) -> Compiled:
    """Compile a query set of ``values()``."""
    compiler = rows.query.get_compiler(using=using)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([expression for expression, *_rest in compiler.select])
    return Compiled(using, sql, tuple(parameters), converters)
