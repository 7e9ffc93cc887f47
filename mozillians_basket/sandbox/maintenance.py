"""
Changes that are accepted now and carried out later.

In maintenance, and while the store of contacts is in trouble, Basket keeps them.
"""

from collections.abc import Mapping

from django.http import HttpRequest

from mozillians_basket.sandbox import faults, store
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import Fault, HeldCall
from mozillians_basket.sandbox.remembered import Remembered

IN_MAINTENANCE = "basket_sandbox.maintenance"
HOLDING = {Fault.Kind.MAINTENANCE, *store.FOR_WRITING}


are_held = Remembered(HeldCall, HeldCall.objects.exists)


def applies_to(request: HttpRequest) -> bool:
    """Tell whether this request is answered as in maintenance."""
    return sandbox_settings.MAINTENANCE or IN_MAINTENANCE in request.META


def is_over() -> bool:
    """Tell whether no request at all is answered as in maintenance or with trouble."""
    kinds = {fault.kind for fault in faults.board.current()}
    return not sandbox_settings.MAINTENANCE and not kinds & HOLDING


def hold(kind: str, fields: Mapping[str, str], *, optin: bool, site: str) -> None:
    """Keep a change for later."""
    data = {"fields": dict(fields), "optin": optin, "site": site}
    HeldCall.objects.create(kind=kind, data=data)


def held_calls() -> list[HeldCall]:
    """Return the changes to be carried out now, none while maintenance lasts; they are gone."""
    if not are_held.now() or not is_over():
        return []
    calls = list(HeldCall.objects.all())
    return [call for call in calls if HeldCall.objects.filter(pk=call.pk).delete()[0]]
