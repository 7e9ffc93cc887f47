"""Keeps addresses, tokens and keys out of what is sent to Sentry."""

from typing import Any

from mozillians_basket.conf import conf
from mozillians_basket.redaction import HIDDEN, redacted

#: Ids that have the shape of a Basket token.
IDS = frozenset({"celery_task_id", "event_id", "task_id"})

#: Shorter keys, as in tests, would hide ordinary words.
SHORTEST_KEY = 8


def redact(event: Any, hint: Any = None) -> Any:
    """
    Mask addresses, Basket tokens and the app's keys in an event, or in a breadcrumb.

    It masks all texts of the site's events, those of frames' local variables and of
    task arguments among them. Use it as ``before_send``, ``before_send_transaction``
    and ``before_breadcrumb``.
    """
    keys = (conf.API_KEY, conf.SUPPRESSION_KEY, *conf.SUPPRESSION_KEY_FALLBACKS)
    return _masked(event, [key for key in keys if len(key) >= SHORTEST_KEY])


def _masked(value: Any, keys: list[str]) -> Any:
    match value:
        case str():
            for key in keys:
                value = value.replace(key, HIDDEN)
            return redacted(value)
        case dict():
            return {
                _masked(name, keys): each if name in IDS else _masked(each, keys)
                for name, each in value.items()
            }
        case list() | tuple():
            return [_masked(each, keys) for each in value]
    return value
