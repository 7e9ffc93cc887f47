"""
Changes that are accepted now and carried out later.

In maintenance, and while the store of contacts is in trouble, Basket keeps them. Faults of the
queue let it carry them out late, or twice.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from mozillians_basket.sandbox import faults, store
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import Fault, HeldCall
from mozillians_basket.sandbox.remembered import Remembered

ABOUT = "basket_sandbox.about"
"""The key in ``META`` for a request's endpoint and address, which faults may be limited to."""

KINDS = {Fault.Kind.MAINTENANCE, Fault.Kind.READ_ONLY_MAINTENANCE}
HOLDING = {*KINDS, *store.FOR_WRITING}


are_held = Remembered(HeldCall, HeldCall.objects.exists)


def begin(request: HttpRequest, fault: Fault) -> None:
    """Answer this request as in the maintenance that the fault asks for."""
    request.META[f"basket_sandbox.{fault.kind}"] = True


def applies_to(request: HttpRequest) -> bool:
    """Tell whether this request is answered as in maintenance, when lookups are refused."""
    return sandbox_settings.MAINTENANCE or "basket_sandbox.maintenance" in request.META


def holds(request: HttpRequest) -> bool:
    """Tell whether the changes of this request are kept for later."""
    return applies_to(request) or "basket_sandbox.read_only_maintenance" in request.META


def is_over() -> bool:
    """Tell whether neither maintenance nor trouble of the store applies to any request."""
    kinds = {fault.kind for fault in faults.board.current()}
    return not sandbox_settings.MAINTENANCE and not kinds & HOLDING


def hold(
    kind: str,
    fields: Mapping[str, str],
    *,
    optin: bool,
    site: str,
    token: uuid.UUID | None = None,
    fault: Fault | None = None,
) -> None:
    """
    Keep a change for later.

    With a fault, it is kept for the fault's seconds, but not beyond the end of the fault. A
    person created by the change gets the token, if one is given.
    """
    data = {"fields": dict(fields), "optin": optin, "site": site}
    if token:
        data["token"] = str(token)
    due = timezone.now() + timedelta(seconds=faults.seconds_of(fault) if fault else 0)
    HeldCall.objects.create(kind=kind, data=data, due=due, fault=fault)


def due_calls() -> QuerySet[HeldCall]:
    """Return the changes to be carried out now, in order."""
    return HeldCall.objects.filter(Q(fault=None) | Q(due__lte=timezone.now()))


def take_due_calls() -> list[HeldCall]:
    """Take the changes to be carried out now out of the queue. Needs a transaction."""
    calls = list(due_calls().select_for_update())
    for call in calls:
        call.delete()
    return calls
