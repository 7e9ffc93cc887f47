"""Keep addresses and tokens out of the log lines of the libraries underneath."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ADDRESS = re.compile(r"[^\s'\"=&?/<>(),:;]+(?:@|%40)[^\s'\"=&?/<>(),:;]+", re.IGNORECASE)
_TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
HIDDEN = "***"


def redacted(text: str) -> str:
    """The text without e-mail addresses and without anything shaped like a Basket token."""
    return _TOKEN.sub(HIDDEN, _ADDRESS.sub(HIDDEN, text))


_announcing: ContextVar[bool] = ContextVar("basket_announces", default=False)


@contextmanager
def silencing_receivers() -> Iterator[None]:
    """Keep Django from logging errors of receivers; the app logs them without their text."""
    mark = _announcing.set(True)
    try:
        yield
    finally:
        _announcing.reset(mark)


def _redact(record: logging.LogRecord) -> bool:
    """Keep a record without its secrets: urllib3's request lines hold addresses and tokens."""
    record.msg, record.args = redacted(record.getMessage()), None
    return True


def _drop(record: logging.LogRecord) -> bool:
    """Drop a record: basket-client logs whole replies, and this app reports errors itself."""
    return False


def _drop_if_announcing(record: logging.LogRecord) -> bool:
    """Drop Django's line about a receiver that failed: it quotes the error's text."""
    return not _announcing.get()


def protect_logs() -> None:
    """Attach the filters. Filters do not reach child loggers, so each is named."""
    for name, function in (
        ("basket.base", _drop),
        ("celery.pool", _redact),
        ("django.dispatch", _drop_if_announcing),
        ("urllib3.connection", _redact),
        ("urllib3.connectionpool", _redact),
        ("urllib3.util.retry", _redact),
    ):
        logging.getLogger(name).addFilter(function)
