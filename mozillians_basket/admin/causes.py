"""What a change began with, in words for an admin who does not know the site's models."""

from typing import Any

from django.apps import apps
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.ledger import VERIFICATION
from mozillians_basket.ledger.repairs import ORDER, RETRY, SYNC
from mozillians_basket.models import Touch
from mozillians_basket.site import get_site
from mozillians_basket.verification import RESTORED

#: The app's own causes, as the ledger writes them.
OWN: dict[str, Any] = {
    "reconcile": gettext_lazy("comparison of policies and ledger"),
    VERIFICATION: gettext_lazy("verification at Basket"),
    RESTORED: gettext_lazy("restored after a loss at Basket"),
    ORDER: gettext_lazy("ordered on the member's page"),
    SYNC: gettext_lazy("sync asked for by an admin"),
    RETRY: gettext_lazy("retry asked for by an admin"),
    "address changed": gettext_lazy("another address, the one before is looked at again"),
    "subscribe_user_to_basket": gettext_lazy("subscribed by the site's own code"),
    "unsubscribe_from_basket_task": gettext_lazy("unsubscribed by the site's own code"),
    "update_email_in_basket": gettext_lazy("address changed by the site's own code"),
}


def known_causes() -> dict[str, str]:
    """Changes of the watched models, and the app's own causes, each with its words."""
    site = get_site()
    models = {site.member_model._meta.label, *(trigger.model for trigger in site.triggers)}
    changes = [f"{model} {cause}" for model in sorted(models) for cause in Touch.Cause.values]
    return {cause: in_words(cause) for cause in [*changes, *OWN]}


def in_words(cause: str) -> str:
    """What a cause means; the cause itself where there are no words for it."""
    if cause in OWN:
        return str(OWN[cause])
    what, _space, more = cause.rpartition(" ")
    if what == "batch":
        return _("batch %(number)s") % {"number": more}
    try:
        name = apps.get_model(what)._meta.verbose_name
    except (LookupError, ValueError):
        return cause
    said = {
        Touch.Cause.CREATED: _("%(model)s: created"),
        Touch.Cause.CHANGED: _("%(model)s: changed"),
        Touch.Cause.DELETED: _("%(model)s: deleted"),
    }
    return said[Touch.Cause(more)] % {"model": name} if more in Touch.Cause.values else cause
