"""Handlers that start a task, and tasks: ask the switch, look up, subscribe or unsubscribe."""

from typing import Any

import basket
from basket import errors
from celery import chain
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from waffle import switch_is_active

from benchmarks.naive import celery_app
from project.groups.models import Membership
from project.people.models import UserProfile, Vouch

PHONE, NDA = "mozilla-phone", "mozillians-nda"


@receiver([post_save, post_delete], sender=Vouch)
def follow_vouch(instance: Vouch, **kwargs: Any) -> None:
    """Subscribe vouched members to news by phone, and unsubscribe them after their last vouch."""
    vouched = "created" in kwargs or Vouch.objects.filter(vouchee=instance.vouchee_id).exists()
    start.delay(instance.vouchee_id, PHONE, wanted=vouched)


@receiver([post_save, post_delete], sender=Membership)
def follow_membership(instance: Membership, **kwargs: Any) -> None:
    """Subscribe full members of the NDA group to its news, and unsubscribe others."""
    if instance.group.slug == "nda":
        inside = "created" in kwargs and instance.status == Membership.Status.MEMBER
        start.delay(instance.profile_id, NDA, wanted=inside)


@celery_app.task
def start(profile_id: int, newsletter: str, *, wanted: bool) -> None:
    """Start the chain, if the switch is on."""
    if switch_is_active("BASKET_SWITCH_ENABLED"):
        email = UserProfile.objects.select_related("user").get(pk=profile_id).user.email
        change = subscribe if wanted else unsubscribe
        chain(lookup.s(email), change.s(email, newsletter)).delay()


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


@celery_app.task
def unsubscribe(person: dict[str, Any] | None, email: str, newsletter: str) -> None:
    """Unsubscribe the person from the newsletter, if they have it."""
    if person is not None and newsletter in person["newsletters"]:
        basket.unsubscribe(person["token"], person["email"], newsletter)
