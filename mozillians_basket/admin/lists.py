"""The common part of lists: paging, filters, and members as CSV."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.pages import addresses_of, may_export
from mozillians_basket.site import get_site

Choices = list[tuple[str, Any]]

#: Rows are counted, and pages offered, up to here.
COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than ``COUNTED``; older rows are reached by their date."""

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        return int(rows.values("pk")[: COUNTED + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._found, COUNTED)

    def page(self, number: int | str) -> Any:
        """A page, by the keys of its rows: what is before it is passed over in the index alone."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        rows: Any = self.object_list
        keys = list(rows.values_list("pk", flat=True)[first : min(first + self.per_page, COUNTED)])
        return Page(rows.filter(pk__in=keys), number, self)

    @property
    def capped(self) -> bool:
        return self._found > COUNTED


def valid(field: Any, text: str) -> Any:
    """
    A value for a column, from what somebody wrote into an address or a search box.

    :raises ValidationError: when the column cannot hold it, by its kind or its size.
    """
    target = field.target_field if field.is_relation else field
    value = target.to_python(text)
    target.run_validators(value)
    ProhibitNullCharactersValidator()(text)  # PostgreSQL holds none
    return value


class ChoiceFilter(admin.SimpleListFilter):
    """A filter whose choices are known; one that is not among them filters nothing."""

    choices_offered: dict[str, Any] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(self.choices_offered.items())

    def chosen(self) -> str:
        """The choice; empty for none, and for one that is not offered."""
        value = self.value() or ""
        return value if value in dict(self.lookup_choices) else ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.condition(self.chosen())) if self.chosen() else queryset

    def condition(self, chosen: str) -> Q:
        """The condition of a choice; none where ``LongList`` looks for it."""
        return Q()


class NewsletterChoice(ChoiceFilter):
    """Filter by one of the site's newsletters."""

    title = gettext_lazy("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, name) for name in sorted(get_site().newsletters)]


def members_with_key(text: str) -> set[Any]:
    """The key that a text is, if the member model can have such a key."""
    try:
        return {valid(get_site().member_model._meta.pk, text)}
    except ValidationError:
        return set()


#: The number of members that are read at once for a file.
CHUNK = 2000


class _Line:
    """A file for a CSV writer, which returns each line."""

    def write(self, text: str) -> str:
        return text


def csv_of(
    request: HttpRequest, name: str, columns: list[str], rows: Iterable[tuple[Any, ...]]
) -> StreamingHttpResponse:
    """
    Return rows, each of which begins with a member's key, to download.

    Admins who may view members and export addresses get the members' addresses, too.
    """
    addresses = may_export(request)

    def lines() -> Iterator[str]:
        writer, rest = csv.writer(_Line()), iter(rows)
        yield writer.writerow([*columns, "address"] if addresses else columns)
        while some := list(islice(rest, CHUNK)):
            found = addresses_of(key for key, *_more in some) if addresses else {}
            emails = {str(key): email for key, email in found.items()}
            for row in some:
                cells = [*row, emails.get(str(row[0]), "")] if addresses else row
                yield writer.writerow([_cell(value) for value in cells])

    return StreamingHttpResponse(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: Any) -> object:
    """Mark text that a spreadsheet would take for a formula as text."""
    if value is None or isinstance(value, int):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
