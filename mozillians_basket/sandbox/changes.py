"""
Changes that callers ask for: carried out, with the messages that follow, or kept for later.

In maintenance, and while the store of contacts is in trouble, Basket keeps what it queues. Faults
of the queue let it carry changes out late, or twice.
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from mozillians_basket.sandbox import contacts, faults, mail
from mozillians_basket.sandbox.answers import ServerFailure
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.contacts import Action, Outcome
from mozillians_basket.sandbox.faults import StoreTrouble
from mozillians_basket.sandbox.models import Fault, HeldCall
from mozillians_basket.sandbox.storage import CachedRows, write_transaction

# The kinds of queued changes besides the actions on newsletters.
CONFIRM = "confirm"
RECOVER = "recover"
DETAILS = "details"

CALL = "basket_sandbox.call"
"""The key in ``META`` for the :class:`Call` of a request."""

_any_held = CachedRows(HeldCall, HeldCall.objects.exists)


@dataclass
class Call:
    """The part of a request that faults go by, and the maintenance that they put it in."""

    endpoint: str
    email: str
    in_maintenance: bool = False
    is_read_only: bool = False


def in_maintenance(request: HttpRequest) -> bool:
    """Tell whether this request is answered as in maintenance, when lookups are refused."""
    call: Call = request.META[CALL]
    return sandbox_settings.MAINTENANCE or call.in_maintenance


def are_kept(request: HttpRequest) -> bool:
    """Tell whether the changes of this request are kept for later."""
    call: Call = request.META[CALL]
    return in_maintenance(request) or call.is_read_only


def carry_out(
    action: Action,
    fields: Mapping[str, str],
    *,
    optin: bool = False,
    site: str = "",
    new_token: uuid.UUID | None = None,
) -> Outcome:
    """
    Subscribe, unsubscribe or set, and send the messages that follow from it.

    ``site`` is the base URL of the links in messages. A new person gets ``new_token``, if it is
    given.

    :raises ServerFailure: if the store of contacts does not accept the change.
    :raises StoreTrouble: if a fault keeps the store from being written.
    """
    outcome = contacts.change(action, fields, optin=optin, new_token=new_token)
    if outcome.person is None:
        return outcome
    if outcome.unconfirmed:
        mail.send_confirmation(outcome.person, site)
    elif action is Action.SUBSCRIBE and fields.get("trigger_welcome") != "N":
        mail.send_welcome(outcome.person, outcome.added, site)
    return outcome


def confirm(token: uuid.UUID, *, site: str = "") -> None:
    """
    Confirm the address of the person with this token, and welcome them.

    :raises StoreTrouble: if a fault keeps the store from being written.
    """
    person, newsletters = contacts.confirm(token)
    if person:
        mail.send_welcome(person, newsletters, site)


def queue(
    request: HttpRequest, kind: str, fields: Mapping[str, str], *, optin: bool = False
) -> None:
    """
    Carry out a change that Basket only queues: now, unless a fault or maintenance keeps it.

    A change that fails is lost, as it would fail in the background.
    """
    site = request.build_absolute_uri("/")
    call: Call = request.META[CALL]
    struck = faults.striking_queued(call.endpoint, call.email)
    for fault in struck.values():
        keep(kind, fields, optin=optin, site=site, fault=fault)
    if Fault.Kind.LATE in struck:
        return
    try:
        if not are_kept(request):
            _carry_out(kind, fields, optin=optin, site=site)
            return
    except StoreTrouble:
        pass
    keep(kind, fields, optin=optin, site=site)


def keep(
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


def catch_up() -> None:
    """Carry out the changes that were kept, if nothing keeps them any longer."""
    if not _any_held.get() or sandbox_settings.MAINTENANCE:
        return
    kinds = {fault.kind for fault in faults.active()}
    if kinds & {*faults.MAINTENANCE, *faults.STORE_UNWRITABLE}:
        return
    due = HeldCall.objects.filter(Q(fault=None) | Q(due__lte=timezone.now()))
    if not due.exists():
        return
    # One request at a time: two would share the changes and mix up their order.
    with write_transaction():
        held_calls = list(due.select_for_update())
        for held in held_calls:
            held.delete()
        for held in held_calls:
            data = held.data
            token = uuid.UUID(data["token"]) if "token" in data else None
            # A change that the database refuses is lost, and the others are carried out.
            with suppress(DatabaseError), transaction.atomic():
                _carry_out(
                    held.kind,
                    data["fields"],
                    optin=data["optin"],
                    site=data["site"],
                    new_token=token,
                )


def _carry_out(
    kind: str,
    fields: Mapping[str, str],
    *,
    optin: bool,
    site: str,
    new_token: uuid.UUID | None = None,
) -> None:
    if kind == CONFIRM:
        confirm(uuid.UUID(fields["token"]), site=site)
    elif kind == RECOVER:
        person = contacts.find(token=uuid.UUID(fields["token"]))
        if person:
            mail.send_recovery(person, site)
    elif kind == DETAILS:
        contacts.change_details(uuid.UUID(fields["token"]), fields)
    else:
        with suppress(ServerFailure):
            carry_out(Action(kind), fields, optin=optin, site=site, new_token=new_token)
