"""The tasks: ask the switch, look up, subscribe or unsubscribe."""

from typing import Any

import basket
from basket import errors
from celery import chain
from waffle import switch_is_active

from benchmarks.plain.celery import app
from project.people.models import UserProfile

SWITCH = "BASKET_SWITCH_ENABLED"


def address_of(profile_id: int) -> str:
    """The member's address."""
    return UserProfile.objects.select_related("user").get(pk=profile_id).user.email


@app.task
def start_subscribing(profile_id: int, newsletter: str) -> None:
    """Start the chain, if the switch is on."""
    if switch_is_active(SWITCH):
        email = address_of(profile_id)
        chain(lookup.s(email), subscribe.s(email, newsletter)).delay()


@app.task
def start_unsubscribing(profile_id: int, newsletter: str) -> None:
    """Start the chain, if the switch is on."""
    if switch_is_active(SWITCH):
        email = address_of(profile_id)
        chain(lookup.s(email), unsubscribe.s(newsletter)).delay()


@app.task
def lookup(email: str) -> dict[str, Any] | None:
    """Who Basket has under this address, if anybody."""
    try:
        found: dict[str, Any] = basket.lookup_user(email=email)
    except basket.BasketException as error:
        if error.code == errors.BASKET_UNKNOWN_EMAIL:
            return None
        raise
    return found


@app.task
def subscribe(person: dict[str, Any] | None, email: str, newsletter: str) -> None:
    """Subscribe the address to the newsletter, if it has it not."""
    if person is None or newsletter not in person["newsletters"]:
        basket.subscribe(email, newsletter, sync="Y", optin="Y", trigger_welcome="N")


@app.task
def unsubscribe(person: dict[str, Any] | None, newsletter: str) -> None:
    """Unsubscribe the person from the newsletter, if they have it."""
    if person is not None and newsletter in person["newsletters"]:
        basket.unsubscribe(person["token"], person["email"], newsletter)
