"""The items of a bulk request as CSV, streamed."""

import csv
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse

from mozillians_basket.admin.addresses import may_see_addresses
from mozillians_basket.models import Batch, BatchItem
from mozillians_basket.site import get_site

#: How many items are read at once.
CHUNK = 2000

COLUMNS = ["member", "state", "reason", "code", "finished"]


class _Line:
    """What a CSV writer writes to; it hands each line back."""

    def write(self, text: str) -> str:
        return text


def csv_of(batch: Batch, request: HttpRequest) -> StreamingHttpResponse:
    """All items; with the members' addresses for those who may view members."""
    addresses = may_see_addresses(request)
    return StreamingHttpResponse(
        _lines(batch, addresses=addresses),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="batch-{batch.pk}.csv"'},
    )


def _lines(batch: Batch, *, addresses: bool) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow([*COLUMNS, "address"] if addresses else COLUMNS)
    fields = ["pk", "member_id", "state", "reason", "error_code", "finished_at"]
    if addresses:
        fields.append(f"member__{get_site().email}")
    last = 0
    items = BatchItem.objects.filter(batch=batch).order_by("pk")
    while chunk := list(items.filter(pk__gt=last).values_list(*fields)[:CHUNK]):
        for row in chunk:
            yield writer.writerow([_cell(value) for value in row[1:]])
        last = chunk[-1][0]


def _cell(value: Any) -> object:
    """Text that a spreadsheet would take for a formula is marked as text."""
    if value is None or isinstance(value, int):
        return value
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
