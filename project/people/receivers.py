"""Receivers of the people app: a saved or deleted vouch updates the member's ``is_vouched``."""

from typing import Any

from project.people.models import Vouch
from project.people.vouching import refresh_is_vouched


def unvouch_former_vouchee(*, instance: Vouch, using: str, raw: bool, **kwargs: Any) -> None:
    """Update the former vouchee before a vouch moves to another member."""
    if raw or instance.pk is None:
        return
    stored = Vouch.objects.using(using).filter(pk=instance.pk)
    former = stored.values_list("vouchee_id", flat=True).first()
    if former is not None and former != instance.vouchee_id:
        refresh_is_vouched(former, using=using, without=instance.pk)


def vouch_vouchee(*, instance: Vouch, using: str, raw: bool, **kwargs: Any) -> None:
    """Update the vouchee of a saved vouch."""
    if not raw:
        show_is_vouched(instance, is_vouched=refresh_is_vouched(instance.vouchee_id, using=using))


def unvouch_vouchee(*, instance: Vouch, using: str, **kwargs: Any) -> None:
    """Update the vouchee of a deleted vouch."""
    show_is_vouched(instance, is_vouched=refresh_is_vouched(instance.vouchee_id, using=using))


def show_is_vouched(vouch: Vouch, *, is_vouched: bool) -> None:
    """Set ``is_vouched`` on the profile that the caller holds, as it is in the database."""
    if Vouch.vouchee.is_cached(vouch):
        vouch.vouchee.is_vouched = is_vouched
