"""Problems and codes, in words for an admin who does not know them."""

from basket import errors
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from mozillians_basket.rules.answers import BLOCKED_DOMAIN

_INVALID = _("Basket says the address is invalid.")
_BLOCKED = _("Basket takes no addresses of this domain: it is blocked there.")

#: By label (``BasketError.label``, ``Problem``, or ``BulkItem.Reason``) and Basket's code;
#: ``None`` is for all codes that have no words of their own. Where Basket refused somebody, the
#: ledger keeps the code alone: it is looked up as that of "refused".
WORDS: dict[tuple[str, int | str | None], str | Promise] = {
    ("unavailable", None): _("Basket fails: it gave no usable answer."),
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
    ("refused", None): _("Basket refuses this person."),
    ("refused", errors.BASKET_INVALID_EMAIL): _INVALID,
    ("refused", BLOCKED_DOMAIN): _BLOCKED,
    ("refused by Basket", None): _("Basket refused what this site asked of it for this person."),
    ("refused by Basket", errors.BASKET_INVALID_EMAIL): _INVALID,
    ("unexpected", None): _(
        "An error in this site's own code that nobody foresaw: the worker's log says where."
    ),
    ("worker died", None): _("The worker died while it worked on this."),
    ("missing at Basket", None): _(
        "Basket does not know this person any more, though it had confirmed them."
    ),
    ("no such member", None): _("There is no such member any more."),
    ("no address", None): _("They have no e-mail address."),
    ("opted out", None): _("They opted out themselves."),
    ("admins were asked", None): _(
        "They wait until an admin says whether Basket lost their subscription."
    ),
    ("superseded", None): _("There is a newer decision about them."),
}

#: The kinds of problems, as the list of problems filters by them.
CLASSES: dict[str, str | Promise] = {
    "unavailable": _("Basket out of reach or failing"),
    "rate limit": _("asked too often"),
    "misconfigured": _("Basket refuses this site"),
    "refused": _("address or person refused"),
    "missing at Basket": _("missing at Basket"),
    "unexpected": _("error in this site's code"),
    "worker died": _("the worker died"),
}


def is_refusal(label: str) -> bool:
    """Whether a problem is an error code with which Basket refused somebody."""
    return label == BLOCKED_DOMAIN or label.isdecimal()


def in_plain_words(label: str, code: int | str | None = None) -> str:
    """The meaning of a label and a code; the label itself where there are no words for it."""
    if is_refusal(label):
        label, code = "refused", label
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    words = WORDS.get((label, code)) or WORDS.get((label, None)) or label
    return str(words)


def code_of(label: str, code: int | str | None = None) -> str:
    """The label and the code to quote in a request for help: "unavailable, code 15"."""
    if is_refusal(label):
        label, code = "refused", label
    if code in {None, ""}:
        return label
    if code == BLOCKED_DOMAIN:
        return _now("%(label)s, no token") % {"label": label}
    return _now("%(label)s, code %(code)s") % {"label": label, "code": code}
