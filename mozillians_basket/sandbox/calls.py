"""Carries out calls: the change itself, and the messages that follow from it."""

import uuid
from collections.abc import Mapping

from mozillians_basket.sandbox import contacts, mail, maintenance
from mozillians_basket.sandbox.contacts import Change, Outcome, UnacceptableError

CONFIRM = "confirm"
RECOVER = "recover"
DETAILS = "details"


def change(
    what: Change, fields: Mapping[str, str], *, optin: bool = False, site: str = ""
) -> Outcome:
    """
    Subscribe, unsubscribe or set, and send the messages that follow from it.

    ``site`` is where the links in messages lead. Raises UnacceptableError.
    """
    outcome = contacts.apply(what, fields, optin=optin)
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


def catch_up() -> None:
    """Carry out what was held back in maintenance, once that is over."""
    for call in maintenance.held_calls():
        fields, site = call.data["fields"], call.data["site"]
        if call.kind == CONFIRM:
            confirm(fields["token"], site=site)
        elif call.kind == RECOVER:
            recover(fields["token"], site=site)
        elif call.kind == DETAILS:
            contacts.update_details(uuid.UUID(fields.pop("token")), fields)
        else:
            try:
                change(Change(call.kind), fields, optin=call.data["optin"], site=site)
            except UnacceptableError:
                continue
