"""What went wrong, in words for an admin who knows neither Basket's codes nor this app's labels."""

from basket import errors
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from mozillians_basket.client import BLOCKED

#: By label (``exceptions.label_of``, "refused" of the ledger, or the reason of a batch item) and
#: Basket's code; ``None`` is for all codes that have no words of their own.
WORDS: dict[tuple[str, int | None], str | Promise] = {
    ("unavailable", None): _("Basket is broken: it gave no usable answer."),
    ("unavailable", errors.BASKET_NETWORK_FAILURE): _(
        "Basket is out of reach, or cannot reach its own database of people."
    ),
    ("unavailable", errors.BASKET_EMAIL_PROVIDER_AUTH_FAILURE): _(
        "Basket is not let into its own database of people."
    ),
    ("unavailable", errors.BASKET_MAINTENANCE_ERROR): _("Basket is in maintenance."),
    ("rate limit", None): _("Basket was asked too often for this address in a short time."),
    ("misconfigured", None): _(
        "Something else than Basket answers: the setting BASKET_URL is wrong, or a proxy is in "
        "the way."
    ),
    ("misconfigured", errors.BASKET_AUTH_ERROR): _(
        "Basket does not accept this site's key: the setting BASKET_API_KEY is wrong, or the key "
        "may not look people up."
    ),
    ("misconfigured", errors.BASKET_SSL_REQUIRED): _(
        "Basket wants https: the setting BASKET_URL is wrong."
    ),
    ("misconfigured", errors.BASKET_INVALID_NEWSLETTER): _(
        "Basket does not know one of this site's newsletters."
    ),
    ("refused", None): _("Basket refuses this person."),
    ("refused", errors.BASKET_INVALID_EMAIL): _("Basket says the address is invalid."),
    ("refused", BLOCKED): _("Basket takes no addresses of this domain: it is blocked there."),
    ("refused by Basket", None): _("Basket refused what this site asked of it for this person."),
    ("refused by Basket", errors.BASKET_INVALID_EMAIL): _("Basket says the address is invalid."),
    ("refused by Basket", BLOCKED): _(
        "Basket takes no addresses of this domain: it is blocked there."
    ),
    ("unexpected", None): _(
        "An error in this site's own code that nobody foresaw: the worker's log says where."
    ),
    ("no such member", None): _("There is no such member any more."),
    ("no address", None): _("They have no e-mail address."),
    ("opted out", None): _("They opted out themselves."),
    ("a newer decision came first", None): _("Something newer was decided about them meanwhile."),
}

#: The labels of problems, as the list of problems filters by them.
CLASSES: dict[str, str | Promise] = {
    "unavailable": _("Basket out of reach or broken"),
    "rate limit": _("asked too often"),
    "misconfigured": _("Basket refuses this site"),
    "refused": _("address or person refused"),
    "refused by Basket": _("request refused"),
    "unexpected": _("error in this site's code"),
}


def in_plain_words(label: str, code: int | None = None) -> str:
    """What a label and a code mean; the label itself where there are no words for it."""
    words = WORDS.get((label, code)) or WORDS.get((label, None)) or label
    return str(words)


def code_of(label: str, code: int | None = None) -> str:
    """What to show beside the words, for those who ask others for help: "unavailable, code 15"."""
    if code is None:
        return label
    if code == BLOCKED:
        return _now("%(label)s, no token") % {"label": label}
    return _now("%(label)s, code %(code)d") % {"label": label, "code": code}
