"""A handler that starts a task, and the tasks: ask the switch, look up, subscribe."""

from typing import Any

import basket
from basket import errors
from celery import chain
from django.db.models.signals import post_save
from django.dispatch import receiver
from waffle import switch_is_active

from benchmarks.naive import celery_app
from project.people.models import UserProfile, Vouch


@receiver(post_save, sender=Vouch)
def vouch_saved(instance: Vouch, **kwargs: Any) -> None:
    """Subscribe a vouched member to news by phone."""
    start.delay(instance.vouchee_id, "mozilla-phone")


@celery_app.task
def start(profile_id: int, newsletter: str) -> None:
    """Start the chain, if the switch is on."""
    if switch_is_active("BASKET_SWITCH_ENABLED"):
        email = UserProfile.objects.select_related("user").get(pk=profile_id).user.email
        chain(lookup.s(email), subscribe.s(email, newsletter)).delay()


@celery_app.task
def lookup(email: str) -> dict[str, Any] | None:
    """Look an address up in Basket."""
    try:
        found: dict[str, Any] = basket.lookup_user(email=email)
    except basket.BasketException as error:
        if error.code == errors.BASKET_UNKNOWN_EMAIL:
            return None
        raise
    return found


@celery_app.task
def subscribe(person: dict[str, Any] | None, email: str, newsletter: str) -> None:
    """Subscribe the address to the newsletter, unless the person has it."""
    if person is None or newsletter not in person["newsletters"]:
        basket.subscribe(email, newsletter, sync="Y", optin="Y", trigger_welcome="N")
