"""Who may work on a contact: one lease each, and only its last holder writes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError, label_of
from mozillians_basket.models import Contact


@dataclass(frozen=True, slots=True)
class Lease:
    """
    The right to work on one contact for one step.

    ``serial`` grows with each claim and each prolongation, so a message that is
    delivered twice, or late, finds its lease gone.
    """

    contact_id: int
    serial: int

    @property
    def prolonged(self) -> "Lease":
        """The lease after its next prolongation."""
        return Lease(self.contact_id, self.serial + 1)

    @property
    def as_argument(self) -> list[int]:
        """The lease as a task's argument: keys only."""
        return [self.contact_id, self.serial]


def end_of_lease() -> datetime:
    """When a lease that is taken or prolonged now runs out."""
    return timezone.now() + timedelta(seconds=conf.LEASE_SECONDS)


def due(now: datetime | None = None) -> QuerySet[Contact]:
    """Contacts that were touched after they were settled and may be worked on now."""
    now = now or timezone.now()
    return Contact.objects.filter(
        Q(parked_at__isnull=True),
        Q(settled_at__isnull=True) | Q(touched_at__gt=F("settled_at")),
        Q(leased_until__isnull=True) | Q(leased_until__lte=now),
        Q(not_before__isnull=True) | Q(not_before__lte=now),
    )


def most_urgent(limit: int = 100) -> list[int]:
    """Keys of due contacts, in the order in which they would be claimed."""
    return list(due().order_by("priority", "touched_at").values_list("pk", flat=True)[:limit])


def release(lease: Lease, error: BasketError | None = None) -> None:
    """
    Give a contact back as it is: it stays due. Does nothing when the lease is lost.

    :param error: what to show as its last error, at no cost to it.
    """
    shown: dict[str, Any] = {}
    if error is not None:
        shown = {"error": label_of(error), "error_code": getattr(error, "code", None)}
        shown["failing_since"] = Coalesce("failing_since", timezone.now())
        same = When(error=shown["error"], then=F("dismissed_at"))
        shown["dismissed_at"] = Case(same, default=None)
    Contact.objects.filter(pk=lease.contact_id, lease=lease.serial).update(
        leased_until=None, lookup=None, **shown
    )
