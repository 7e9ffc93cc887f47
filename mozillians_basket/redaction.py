"""Keep addresses and tokens out of the log lines of the libraries underneath."""

import logging
import re

_ADDRESS = re.compile(r"[^\s'\"=&?/<>(),:;]+(?:@|%40)[^\s'\"=&?/<>(),:;]+", re.IGNORECASE)
_TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
HIDDEN = "***"


def redacted(text: str) -> str:
    """The text without e-mail addresses and without anything shaped like a Basket token."""
    return _TOKEN.sub(HIDDEN, _ADDRESS.sub(HIDDEN, text))


def _redact(record: logging.LogRecord) -> bool:
    """Keep a record without its secrets: urllib3's request lines hold addresses and tokens."""
    record.msg, record.args = redacted(record.getMessage()), None
    return True


def protect_logs() -> None:
    """Attach the filters. Filters do not reach child loggers, so each is named."""
    # basket-client logs whole replies, and this app reports errors itself.
    logging.getLogger("basket.base").addFilter(lambda _record: False)
    for name in (
        "celery.pool",
        "urllib3.connection",
        "urllib3.connectionpool",
        "urllib3.util.retry",
    ):
        logging.getLogger(name).addFilter(_redact)
