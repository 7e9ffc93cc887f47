"""The members of a bulk request or of a question as CSV, streamed."""

import csv
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _

from mozillians_basket.admin.pages import addresses_of, may_export, may_see_addresses
from mozillians_basket.admin.wording import code_of
from mozillians_basket.models import Approval, BulkItem, BulkRequest
from mozillians_basket.upkeep import approvals

#: The number of members that are read at once.
CHUNK = 2000

Rows = list[tuple[Any, ...]]
"""Some lines, each of which begins with a member's key."""


class _Line:
    """A file for a CSV writer, which returns each line."""

    def write(self, text: str) -> str:
        return text


def csv_of(
    row: BulkRequest,
    request: HttpRequest,
    chosen: str,
    states: Collection[str],
    *,
    not_begun: bool,
) -> StreamingHttpResponse:
    """
    Return members of a bulk request, those whose order was not begun at the end.

    :param chosen: the name of the list that they are on; empty for all members.
    :param states: the states of those that were begun.
    """
    columns = ["member", "state", "reason", "finished"]
    chunks = chain(_begun(row, states), _not_begun(row) if not_begun else ())
    name = f"bulk-request-{row.pk}-{chosen}" if chosen else f"bulk-request-{row.pk}"
    return _csv(name, columns, chunks, request)


def csv_of_question(row: Approval, request: HttpRequest) -> StreamingHttpResponse:
    """Return all members whose removal is held back, or whose subscription is missing."""
    column = "held back" if row.kind == Approval.Kind.BRAKE else "missing"
    found = approvals.concerned(row).iterator(CHUNK)
    chunks = iter(lambda: list(islice(found, CHUNK)), [])
    return _csv(f"{row.kind}-{row.newsletter}", ["member", column], chunks, request)


def _csv(
    name: str, columns: list[str], chunks: Iterable[Rows], request: HttpRequest
) -> StreamingHttpResponse:
    """Add the members' addresses, for admins who may view members and export addresses."""
    addresses = may_export(request) and may_see_addresses(request)

    def lines() -> Iterator[str]:
        writer = csv.writer(_Line())
        yield writer.writerow([*columns, "address"] if addresses else columns)
        for some in chunks:
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


def _begun(row: BulkRequest, states: Collection[str]) -> Iterator[Rows]:
    items, last = BulkItem.objects.filter(request=row, state__in=states).order_by("pk"), 0
    while chunk := list(items.filter(pk__gt=last)[:CHUNK]):
        yield [
            (
                item.member_id,
                item.state,
                code_of(item.reason) if item.reason else "",
                item.finished_at,
            )
            for item in chunk
        ]
        last = chunk[-1].pk


def _not_begun(row: BulkRequest) -> Iterator[Rows]:
    for start in range(row.position, row.total, CHUNK):
        yield [(key, _("not begun"), "", None) for key in row.keys[start : start + CHUNK]]


def _cell(value: Any) -> object:
    """Mark text that a spreadsheet would take for a formula as text."""
    if value is None or isinstance(value, int):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
