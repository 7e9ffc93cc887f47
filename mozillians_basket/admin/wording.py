"""The admin's words for problems, outcomes and causes; the labels of ``Event.Kind`` are others."""

from collections.abc import Iterable
from typing import Any

from basket import errors
from django.apps import apps
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from mozillians_basket.api import CHOICE, CODE, ERASURE
from mozillians_basket.models import Approval, Event, Touch
from mozillians_basket.rules.answers import BLOCKED_DOMAIN
from mozillians_basket.site import get_site

#: By label (``BasketError.label``, ``Problem``, or ``BulkItem.Reason``) and Basket's code, as a
#: number here; ``None`` is for all codes that have no words of their own. Where Basket refused
#: somebody, the ledger keeps the code alone, as text: it is looked up as that of "refused".
WORDS: dict[tuple[str, int | str | None], str | Promise] = {
    ("unavailable", None): gettext_lazy("Basket fails: it gave no usable answer."),
    ("unavailable", errors.BASKET_NETWORK_FAILURE): gettext_lazy(
        "Basket is out of reach, or cannot reach its own database of people."
    ),
    ("unavailable", errors.BASKET_EMAIL_PROVIDER_AUTH_FAILURE): gettext_lazy(
        "Basket is not let into its own database of people."
    ),
    ("unavailable", errors.BASKET_MAINTENANCE_ERROR): gettext_lazy("Basket is in maintenance."),
    ("rate limit", None): gettext_lazy(
        "Basket was asked too often for this address in a short time."
    ),
    ("misconfigured", None): gettext_lazy(
        "Something else than Basket answers: the setting BASKET_URL is wrong, or a proxy is in "
        "the way."
    ),
    ("misconfigured", errors.BASKET_AUTH_ERROR): gettext_lazy(
        "Basket does not accept this site's key: the setting BASKET_API_KEY is wrong, or the key "
        "may not look people up."
    ),
    ("misconfigured", errors.BASKET_SSL_REQUIRED): gettext_lazy(
        "Basket wants https: the setting BASKET_URL is wrong."
    ),
    ("refused", None): gettext_lazy("Basket refuses this person."),
    ("refused", errors.BASKET_INVALID_EMAIL): gettext_lazy("Basket says the address is invalid."),
    ("refused", BLOCKED_DOMAIN): gettext_lazy(
        "Basket takes no addresses of this domain: it is blocked there."
    ),
    ("refused", errors.BASKET_INVALID_NEWSLETTER): gettext_lazy(
        "Basket does not know one of their newsletters."
    ),
    ("unexpected", None): gettext_lazy(
        "An error in this site's own code that nobody foresaw: the worker's log says where."
    ),
    ("worker died", None): gettext_lazy("The worker died while it worked on this."),
    ("missing at Basket", None): gettext_lazy(
        "Basket does not know this person any more, though it had confirmed them."
    ),
    ("no such member", None): gettext_lazy("There is no such member any more."),
    ("no address", None): gettext_lazy("They have no e-mail address."),
    ("opted out", None): gettext_lazy("They opted out themselves."),
    ("admins were asked", None): gettext_lazy(
        "They wait until an admin says whether Basket lost their subscription."
    ),
    ("superseded", None): gettext_lazy("There is a newer decision about them."),
}

#: The kinds of problems, as the list of problems filters by them.
CLASSES: dict[str, str | Promise] = {
    "unavailable": gettext_lazy("Basket out of reach or failing"),
    "rate limit": gettext_lazy("asked too often"),
    "misconfigured": gettext_lazy("Basket refuses this site"),
    "refused": gettext_lazy("address or person refused"),
    "missing at Basket": gettext_lazy("missing at Basket"),
    "unexpected": gettext_lazy("error in this site's code"),
    "worker died": gettext_lazy("the worker died"),
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
        return _("%(label)s, no token") % {"label": label}
    return _("%(label)s, code %(code)s") % {"label": label, "code": code}


#: The outcomes that are no failure: what was decided, asked and answered.
DECISIONS: dict[str, Any] = {
    "subscribe": gettext_lazy("to be subscribed"),
    "unsubscribe": gettext_lazy("to be unsubscribed"),
    "admin: wanted": gettext_lazy("an admin: to be subscribed"),
    "admin: not wanted": gettext_lazy("an admin: to be unsubscribed"),
    "member: wanted": gettext_lazy("the member's choice: to be subscribed"),
    "member: not wanted": gettext_lazy("the member's choice: to be unsubscribed"),
    "on the site": gettext_lazy("by their own choice on the site"),
    "inferred": gettext_lazy("inferred, as it is missing at Basket"),
    "loss": gettext_lazy("possible loss at Basket"),
    "brake": gettext_lazy("removals held back"),
    "opted out": gettext_lazy("they all opted out"),
    "lost": gettext_lazy("Basket lost them"),
    "remove": gettext_lazy("remove it from them"),
    "itself": gettext_lazy("closed by itself"),
    "unknown newsletter": gettext_lazy("one of its newsletters was not this site's any more"),
}

#: All outcomes that the ledger writes, as the history filters by them.
OUTCOMES: dict[str, Any] = {**CLASSES, **DECISIONS}


def outcome_of(event: Event) -> str:
    """Return the outcome of an event, with Basket's code beside it."""
    label, code = event.outcome or event.error_code, event.error_code
    if label in DECISIONS:
        return str(DECISIONS[label])
    return label if in_plain_words(label, code) == label else with_code(label, code)


#: Causes of what admins order one by one.
ORDER = "ordered on the member's page"
SYNC = "sync asked for by an admin"
RETRY = "retry asked for by an admin"

#: The app's own causes, as the ledger writes them.
OWN: dict[str, Any] = {
    "reconcile": gettext_lazy("comparison of policies and ledger"),
    "verification": gettext_lazy("verification at Basket"),
    "control sample": gettext_lazy("control sample, as something is missing at Basket"),
    ORDER: gettext_lazy("ordered on the member's page"),
    SYNC: gettext_lazy("sync asked for by an admin"),
    RETRY: gettext_lazy("retry asked for by an admin"),
    CODE: gettext_lazy("ordered by the site's code"),
    ERASURE: gettext_lazy("erasure asked for"),
    CHOICE: gettext_lazy("the member's own choice"),
}


def known_causes() -> dict[str, str]:
    """Changes of the watched models, and the app's own causes, each with its words."""
    site = get_site()
    models = {site.member_model._meta.label, *(trigger.model for trigger in site.triggers)}
    changes = [f"{model} {cause}" for model in sorted(models) for cause in Touch.Cause.values]
    return {cause: cause_in_words(cause) for cause in [*changes, *OWN]}


def cause_in_words(causes: str) -> str:
    """Translate the causes of a change; a cause without a translation stays as it is."""
    return separated(_cause_in_words(cause) for cause in causes.split(", "))


def _cause_in_words(cause: str) -> str:
    if cause in OWN:
        return str(OWN[cause])
    newsletter, _colon, kind = cause.partition(": ")
    if kind in Approval.Kind.values:
        said = {"newsletter": newsletter, "kind": Approval.Kind(kind).label}
        return _("question about %(newsletter)s: %(kind)s") % said
    what, _space, more = cause.rpartition(" ")
    if what == "bulk request":
        return _("bulk request %(number)s") % {"number": more}
    try:
        name = apps.get_model(what)._meta.verbose_name
    except (LookupError, ValueError):
        return cause
    texts = {
        Touch.Cause.CREATED: _("%(model)s: created"),
        Touch.Cause.CHANGED: _("%(model)s: changed"),
        Touch.Cause.DELETED: _("%(model)s: deleted"),
    }
    return texts[Touch.Cause(more)] % {"model": name} if more in Touch.Cause.values else cause


def with_code(label: str, code: int | str | None = None) -> str:
    """The meaning of a label and a code in a plain sentence, with the code beside it."""
    return f"{in_plain_words(label, code)} ({code_of(label, code)})"


def separator() -> str:
    """The text between two others of a list, in the admin's language."""
    return pgettext("between the texts of a list", ", ")


def separated(texts: Iterable[str]) -> str:
    """Texts as one: "a, b"."""
    return separator().join(texts)


def listed(names: Iterable[str]) -> str:
    """Names as one text, in the order given and the way of the admin's language: "a, b and c"."""
    *first, last = [*names] or [""]
    if not first:
        return last
    text = pgettext("the end of a list", "%(first)s and %(last)s")
    return text % {"first": separated(first), "last": last}


def grouped(number: int) -> str:
    """A number with its thousands apart."""
    return formats.number_format(number, force_grouping=True)
