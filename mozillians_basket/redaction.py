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


class RedactingFilter(logging.Filter):
    """Rewrites records whose text holds an address or a token, as urllib3's request lines do."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: the record is kept, its secrets are not."""
        record.msg, record.args = redacted(record.getMessage()), None
        return True


class DroppingFilter(logging.Filter):
    """Drops every record: basket-client logs whole replies, and this app reports errors itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always false."""
        return False


class ReceiverFilter(logging.Filter):
    """Drops Django's line about a signal's receiver that failed: it quotes the error's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False while this app sends a signal of its own."""
        return not _announcing.get()


_announcing: ContextVar[bool] = ContextVar("basket_announces", default=False)


@contextmanager
def silencing_receivers() -> Iterator[None]:
    """Keep Django from logging errors of receivers; the app logs them without their text."""
    mark = _announcing.set(True)
    try:
        yield
    finally:
        _announcing.reset(mark)


def protect_logs() -> None:
    """Attach the filters, once; filters do not reach child loggers, so each is named."""
    filters: dict[str, logging.Filter] = {
        "basket.base": DroppingFilter(),
        "celery.pool": RedactingFilter(),
        "django.dispatch": ReceiverFilter(),
        "urllib3.connection": RedactingFilter(),
        "urllib3.connectionpool": RedactingFilter(),
        "urllib3.util.retry": RedactingFilter(),
    }
    for name, each in filters.items():
        logger = logging.getLogger(name)
        if not any(isinstance(present, type(each)) for present in logger.filters):
            logger.addFilter(each)
