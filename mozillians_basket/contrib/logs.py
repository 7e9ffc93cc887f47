"""Log records as JSON, one object a line, with the keys of the rows that they are about."""

import json
import logging
from datetime import UTC, datetime
from traceback import walk_tb
from typing import Any

from celery import current_task
from django.core.serializers.json import DjangoJSONEncoder

from mozillians_basket.redaction import redacted


class JSONFormatter(logging.Formatter):
    """
    Format a record as a JSON object.

    ``basket`` has the keys of rows, where a record has some, and ``task`` the Celery
    task that wrote it. Addresses and tokens in the message are masked. Of an error
    only the class and the place are told: its text may quote an address.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the object as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if keys := getattr(record, "basket", None):
            line["basket"] = keys
        if current_task and current_task.request.id:
            line["task"] = {"id": current_task.request.id, "name": current_task.name}
        if record.exc_info and (error := record.exc_info[1]) is not None:
            kind = type(error)
            line["error"] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
            for frame, number in [*walk_tb(error.__traceback__)][-1:]:
                line["error"] |= {"file": frame.f_code.co_filename, "line": number}
        return json.dumps(line, cls=DjangoJSONEncoder, ensure_ascii=False)
