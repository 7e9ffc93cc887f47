"""What came of it, in plain words: the ledger's labels, and Basket's error codes."""

from typing import Any

from basket import errors
from django.utils.translation import gettext_lazy as _

from mozillians_basket.models import Event

#: The labels that the ledger writes into ``Event.outcome``.
WORDS: dict[str, Any] = {
    "subscribe": _("to be subscribed"),
    "unsubscribe": _("to be unsubscribed"),
    "refused": _("Basket refuses it"),
    "refused by Basket": _("Basket refuses it"),
    "rate limit": _("too many calls for this person"),
    "misconfigured": _("Basket refuses this site"),
    "unavailable": _("Basket is out of reach or broken"),
    "unexpected": _("an unexpected failure"),
    "remove": _("they are to lose it"),
    "opted_out": _("they all opted out"),
    "restore": _("Basket lost them"),
}

#: What Basket's codes say (basket.errors).
CODES: dict[int, Any] = {
    errors.BASKET_NETWORK_FAILURE: _("Basket could not reach its own back end"),
    errors.BASKET_INVALID_EMAIL: _("Basket says the address is invalid"),
    errors.BASKET_UNKNOWN_EMAIL: _("Basket does not know the address"),
    errors.BASKET_UNKNOWN_TOKEN: _("Basket does not know the person's token"),
    errors.BASKET_USAGE_ERROR: _("Basket did not understand the call, or had too many"),
    errors.BASKET_EMAIL_PROVIDER_AUTH_FAILURE: _("Basket's own back end refused it"),
    errors.BASKET_AUTH_ERROR: _("Basket does not accept the site's key"),
    errors.BASKET_SSL_REQUIRED: _("Basket wants https"),
    errors.BASKET_INVALID_NEWSLETTER: _("Basket does not know the newsletter"),
    errors.BASKET_INVALID_TOKEN: _("Basket does not accept the person's token"),
    errors.BASKET_MAINTENANCE_ERROR: _("Basket is in maintenance"),
    errors.BASKET_UNKNOWN_ERROR: _("Basket failed without saying why"),
}


def words_of(event: Event) -> str:
    """The outcome of an event, with Basket's code and an admin's note where there are any."""
    text = str(WORDS.get(event.outcome, event.outcome))
    if event.error_code is not None:
        reason = CODES.get(event.error_code, text)
        text = f"{reason or text} ({_('code')} {event.error_code})"
    return ": ".join(part for part in (text, event.remark) if part)
