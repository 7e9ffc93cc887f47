"""Carries out calls: the change itself, and the messages that follow from it."""

import uuid
from collections.abc import Mapping
from contextlib import suppress

from django.db import DatabaseError, transaction
from django.http import HttpRequest

from mozillians_basket.sandbox import contacts, faults, mail, maintenance
from mozillians_basket.sandbox.contacts import Change, Outcome, UnacceptableError
from mozillians_basket.sandbox.models import Fault
from mozillians_basket.sandbox.store import StoreTroubleError
from mozillians_basket.sandbox.writing import writing

CONFIRM = "confirm"
RECOVER = "recover"
DETAILS = "details"


def change(
    what: Change,
    fields: Mapping[str, str],
    *,
    optin: bool = False,
    site: str = "",
    new_token: uuid.UUID | None = None,
) -> Outcome:
    """
    Subscribe, unsubscribe or set, and send the messages that follow from it.

    ``site`` is the base URL of the links in messages. A new person gets ``new_token``, if it is
    given. Raises UnacceptableError.
    """
    outcome = contacts.apply(what, fields, optin=optin, new_token=new_token)
    if outcome.person is None:
        return outcome
    if outcome.unconfirmed:
        mail.ask_to_confirm(outcome.person, site)
    elif what is Change.SUBSCRIBE and fields.get("trigger_welcome") != "N":
        mail.welcome(outcome.person, outcome.added, site)
    return outcome


def confirm(token: str, *, site: str = "") -> None:
    """Confirm the address of the person with this token, and welcome them."""
    person, newsletters = contacts.confirm(uuid.UUID(token))
    if person:
        mail.welcome(person, newsletters, site)


def recover(token: str, *, site: str = "") -> None:
    """Send the person with this token the link to their subscriptions."""
    person = contacts.find(token=uuid.UUID(token))
    if person:
        mail.lead_back(person, site)


def queue(
    request: HttpRequest, kind: str, fields: Mapping[str, str], *, optin: bool = False
) -> None:
    """
    Carry out a change that Basket only queues: now, unless a fault or maintenance holds it back.

    A change that fails is lost, as it would fail in the background.
    """
    site = request.build_absolute_uri("/")
    struck = faults.board.striking_queued(*request.META[maintenance.ABOUT])
    for fault in struck.values():
        maintenance.hold(kind, fields, optin=optin, site=site, fault=fault)
    if Fault.Kind.LATE in struck:
        return
    try:
        if not maintenance.holds(request):
            _carry_out(kind, fields, optin=optin, site=site)
            return
    except StoreTroubleError:
        pass
    maintenance.hold(kind, fields, optin=optin, site=site)


def catch_up() -> None:
    """Carry out the changes that were held back, if nothing holds them back any longer."""
    if not maintenance.are_held.now() or not maintenance.is_over():
        return
    if not maintenance.due_calls().exists():
        return
    # One request at a time: two would share the changes and mix up their order.
    with writing():
        for call in maintenance.take_due_calls():
            data = call.data
            token = uuid.UUID(data["token"]) if "token" in data else None
            # A change that the database refuses is lost, and the others are carried out.
            with suppress(DatabaseError), transaction.atomic():
                _carry_out(
                    call.kind,
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
        confirm(fields["token"], site=site)
    elif kind == RECOVER:
        recover(fields["token"], site=site)
    elif kind == DETAILS:
        contacts.update_details(uuid.UUID(fields["token"]), fields)
    else:
        with suppress(UnacceptableError):
            change(Change(kind), fields, optin=optin, site=site, new_token=new_token)
