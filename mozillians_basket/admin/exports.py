"""Members as CSV, streamed: those of a bulk request or of a question."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse

from mozillians_basket.admin.pages import addresses_of, may_export, may_see_addresses

#: The number of members that are read at once.
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
    addresses = may_export(request) and may_see_addresses(request)

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
