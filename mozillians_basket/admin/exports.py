"""Lists of members as CSV, streamed: those of a bulk request, and those of a question."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket import bulk
from mozillians_basket.admin.addresses import may_see_addresses
from mozillians_basket.admin.pages import may_export_addresses
from mozillians_basket.admin.plain_words import code_of
from mozillians_basket.ledger.touches import held_back
from mozillians_basket.models import Approval, BulkItem, BulkRequest, Member
from mozillians_basket.upkeep import approvals

#: How many members are read at once.
CHUNK = 2000

#: The reason of members who wait for an answer to a possible loss.
WAITS = gettext_lazy("waits for an answer about a possible loss")

Chunks = Iterable[list[tuple[Any, ...]]]
"""Lines, each with a member's key first."""


def csv_of_bulk_request(row: BulkRequest, request: HttpRequest) -> StreamingHttpResponse:
    """Return all members of a bulk request, those whose order was not begun at the end."""
    columns = ("member", "state", "reason", "finished")
    return _response(request, f"bulk-request-{row.pk}", columns, chain(_begun(row), _rest(row)))


def csv_of_question(question: Approval, request: HttpRequest) -> StreamingHttpResponse:
    """Return all members that a question is about: held back, or missing at Basket."""
    rows: QuerySet[Any]
    if question.kind == Approval.Kind.BRAKE:
        rows = held_back(question.newsletter).order_by("pk")
        fields, columns = ("member__site_member", "member__held_back_at"), ("member", "held back")
    else:
        rows = approvals.about(approvals.question_of(question)).order_by("pk")
        rows = rows.filter(contact__members__site_member__isnull=False)
        fields, columns = ("contact__members__site_member", "missing_at"), ("member", "missing")
    lines = ([tuple(more) for _pk, *more in some] for some in _chunks(rows, "pk", *fields))
    return _response(request, f"{question.kind}-{question.pk}", columns, lines)


def _response(
    request: HttpRequest, name: str, columns: Iterable[str], chunks: Chunks
) -> StreamingHttpResponse:
    """
    Return lines as a file to download.

    The members' addresses are added for admins who may view members and may
    download addresses.
    """
    addresses = may_see_addresses(request) and may_export_addresses(request)
    return StreamingHttpResponse(
        _lines(columns, chunks, addresses=addresses),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


class _Line:
    """A file for a CSV writer, which returns each line."""

    def write(self, text: str) -> str:
        return text


def _lines(columns: Iterable[str], chunks: Chunks, *, addresses: bool) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow([*columns, "address"] if addresses else columns)
    for some in chunks:
        emails = _addresses_of(key for key, *_more in some) if addresses else {}
        for key, *more in some:
            cells = [key, *more, emails.get(str(key), "")] if addresses else [key, *more]
            yield writer.writerow([_cell(value) for value in cells])


def _begun(row: BulkRequest) -> Iterator[list[tuple[Any, ...]]]:
    items = BulkItem.objects.filter(request=row).order_by("pk")
    waiting = set(bulk.waiting_for_answer(row).values_list("pk", flat=True))
    for some in _chunks(items, "pk", "member_id", "state", "reason", "finished_at"):
        yield [
            (key, state, WAITS if pk in waiting else reason and code_of(reason), at)
            for pk, key, state, reason, at in some
        ]


def _rest(row: BulkRequest) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(row.position, row.total, CHUNK):
        keys = row.keys[start : start + CHUNK]
        yield [(key, _("not begun"), "", None) for key in keys]


def _chunks(rows: "QuerySet[Any]", *fields: str) -> Iterator[list[tuple[Any, ...]]]:
    last = 0
    while some := list(rows.filter(pk__gt=last).values_list(*fields)[:CHUNK]):
        yield some
        last = some[-1][0]


def _addresses_of(keys: Iterable[Any]) -> dict[str, str]:
    """Read members' addresses in the ledger, by their keys as text."""
    known = Member.objects.filter(site_member__in=list(keys), contact__isnull=False)
    pairs = known.values_list("site_member_id", "contact__email")
    return {str(key): email for key, email in pairs}


def _cell(value: Any) -> object:
    """Mark text that a spreadsheet would take for a formula as text."""
    if value is None or isinstance(value, int):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
