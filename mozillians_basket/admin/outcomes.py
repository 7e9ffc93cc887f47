"""The outcomes of events, in plain words with Basket's code."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.plain_words import CLASSES, code_of, in_plain_words
from mozillians_basket.models import Event

#: The outcomes that are no failure: what was decided, asked and answered.
DECISIONS: dict[str, Any] = {
    "subscribe": _("to be subscribed"),
    "unsubscribe": _("to be unsubscribed"),
    "admin: wanted": _("an admin: to be subscribed"),
    "admin: not wanted": _("an admin: to be unsubscribed"),
    "member: wanted": _("the member's choice: to be subscribed"),
    "member: not wanted": _("the member's choice: to be unsubscribed"),
    "on the site": _("by their own choice on the site"),
    "inferred": _("inferred, as it is missing at Basket"),
    "loss": _("possible loss at Basket"),
    "brake": _("removals held back"),
    "opted out": _("they all opted out"),
    "lost": _("Basket lost them"),
    "remove": _("remove it from them"),
    "itself": _("closed by itself"),
    "unknown newsletter": _("one of its newsletters was not this site's any more"),
}

#: All outcomes that the ledger writes, as the history filters by them.
WORDS: dict[str, Any] = {**CLASSES, **DECISIONS}


def outcome_of(event: Event) -> str:
    """Return the outcome of an event, with Basket's code beside it."""
    label, code = event.outcome or event.error_code, event.error_code
    if label in DECISIONS:
        return str(DECISIONS[label])
    words = in_plain_words(label, code)
    return words if words == label else f"{words} ({code_of(label, code)})"


def words_of(event: Event) -> str:
    """Return the outcome of an event, with Basket's code and an admin's note if there are any."""
    return " ".join(part for part in (outcome_of(event), event.note) if part)
