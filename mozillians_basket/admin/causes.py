"""The causes of changes, in words for an admin who does not know the site's models."""

from typing import Any

from django.apps import apps
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.api import CHOICE, CODE, ERASURE
from mozillians_basket.models import Approval, Touch
from mozillians_basket.site import get_site

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
    return {cause: in_words(cause) for cause in [*changes, *OWN]}


def in_words(causes: str) -> str:
    """Translate the causes of a change; a cause without a translation stays as it is."""
    return ", ".join(_in_words(cause) for cause in causes.split(", "))


def _in_words(cause: str) -> str:
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
