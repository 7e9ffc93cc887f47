"""The common parts of the tables."""

from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from django.db import models, router

_Row = TypeVar("_Row", bound=models.Model, covariant=True)


class Ledger(models.Manager[_Row]):
    """Reads from the database that the app writes to: a replica may be behind."""

    def get_queryset(self) -> "models.QuerySet[_Row]":
        """Return all rows, of another database if ``db_manager`` or ``using`` names one."""
        rows = super().get_queryset()
        return rows if self._db else rows.using(router.db_for_write(self.model))


class Row(models.Model):
    """
    A row of this app, which rules copy and compare.

    The copy shares only values that rules never change in place. Django's own way,
    by pickling, takes ten times as long, and a sync copies each row several times.
    """

    objects: ClassVar[Ledger[Self]] = Ledger()

    class Meta:
        abstract = True

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin


def moment(name: Any, help_text: Any = "") -> "models.DateTimeField[Any, datetime | None]":
    """Make a column for a time that may be missing."""
    return models.DateTimeField(name, null=True, blank=True, help_text=help_text)


def reference(
    to: str | type[models.Model], name: Any, help_text: Any = "", *, db_index: bool = False
) -> "models.ForeignKey[Any, Any]":
    """Make a column for a row that may be missing, or gone: the database has no constraint."""
    return models.ForeignKey(
        to,
        verbose_name=name,
        help_text=help_text,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=db_index,
        related_name="+",
    )
