"""What came of an event, in plain words with Basket's code beside them."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.plain_words import CLASSES, code_of, in_plain_words
from mozillians_basket.models import Event

#: The outcomes that are no failure: what was decided, and why a bulk request was cancelled.
DECISIONS: dict[str, Any] = {
    "subscribe": _("to be subscribed"),
    "unsubscribe": _("to be unsubscribed"),
    "remove": _("they are to lose it"),
    "opted_out": _("they all opted out"),
    "restore": _("Basket lost them"),
    "no admin": _("the admin who ordered it was gone"),
    "no permission": _("the admin who ordered it had lost the permission"),
    "no list": _("the list of members could not be built any more"),
}

#: All outcomes that the ledger writes, as the history filters by them.
WORDS: dict[str, Any] = {**CLASSES, **DECISIONS}


def outcome_of(event: Event) -> str:
    """The outcome of an event, with Basket's code beside it."""
    label = event.outcome
    if label in CLASSES:
        return f"{in_plain_words(label, event.error_code)} ({code_of(label, event.error_code)})"
    return str(DECISIONS.get(label, label))


def words_of(event: Event) -> str:
    """The outcome of an event, with Basket's code and an admin's note where there are any."""
    return " ".join(part for part in (outcome_of(event), event.remark) if part)
