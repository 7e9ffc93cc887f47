"""What follows for newsletters when a vouch or a membership is saved or deleted."""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from benchmarks.plain.tasks import start_subscribing, start_unsubscribing
from project.groups.models import Membership
from project.people.models import Vouch

PHONE, NDA = "mozilla-phone", "mozillians-nda"


@receiver(post_save, sender=Vouch)
def subscribe_vouchee(instance: Vouch, **kwargs: Any) -> None:
    """Whoever is vouched for gets news by phone."""
    start_subscribing.delay(instance.vouchee_id, PHONE)


@receiver(post_delete, sender=Vouch)
def unsubscribe_vouchee(instance: Vouch, **kwargs: Any) -> None:
    """With the last vouch goes the newsletter."""
    if not Vouch.objects.filter(vouchee_id=instance.vouchee_id).exists():
        start_unsubscribing.delay(instance.vouchee_id, PHONE)


@receiver(post_save, sender=Membership)
def follow_membership(instance: Membership, **kwargs: Any) -> None:
    """Members of the NDA group get its news, others don't."""
    if instance.group.slug == "nda":
        inside = instance.status == Membership.Status.MEMBER
        task = start_subscribing if inside else start_unsubscribing
        task.delay(instance.profile_id, NDA)


@receiver(post_delete, sender=Membership)
def follow_end_of_membership(instance: Membership, **kwargs: Any) -> None:
    """Who leaves the NDA group gets its news no more."""
    if instance.group.slug == "nda":
        start_unsubscribing.delay(instance.profile_id, NDA)
