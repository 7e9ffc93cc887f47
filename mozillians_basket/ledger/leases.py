"""Who may work on a contact: one lease each, and only its last holder writes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.exceptions import LeaseLost
from mozillians_basket.models import Contact


@dataclass(frozen=True, slots=True)
class Lease:
    """
    The right to work on one contact for one step.

    ``serial`` grows with each claim and renewal, so a message that is
    delivered twice, or late, finds its lease gone.
    """

    contact_id: int
    serial: int

    @property
    def as_argument(self) -> list[int]:
        """The lease as a task's argument: keys only."""
        return [self.contact_id, self.serial]


def _end_of_lease() -> datetime:
    return timezone.now() + timedelta(seconds=conf.LEASE_SECONDS)


def due(now: datetime | None = None) -> QuerySet[Contact]:
    """Contacts that were touched after they were settled and may be worked on now."""
    now = now or timezone.now()
    return Contact.objects.filter(
        Q(settled_at__isnull=True) | Q(touched_at__gt=F("settled_at")),
        Q(leased_until__isnull=True) | Q(leased_until__lte=now),
        Q(not_before__isnull=True) | Q(not_before__lte=now),
    )


def claim(contact_ids: Iterable[int] | None = None, limit: int | None = None) -> list[Lease]:
    """
    Take leases on due contacts, the longest waiting first; on these only, if any are named.

    Contacts that another worker is claiming at this moment are passed over.
    """
    with transaction.atomic():
        rows = due().order_by("touched_at").select_for_update(skip_locked=True)
        if contact_ids is not None:
            rows = rows.filter(pk__in=list(contact_ids))
        leases = [
            Lease(pk, serial + 1) for pk, serial in rows.values_list("pk", "lease")[: limit or None]
        ]
        if leases:
            Contact.objects.filter(pk__in=[lease.contact_id for lease in leases]).update(
                lease=F("lease") + 1,
                leased_until=_end_of_lease(),
                claimed_touch=F("touched_at"),
                lookup=None,
            )
    return leases


def claim_next() -> list[Lease]:
    """Claim as many due contacts as may be under way besides those that are."""
    under_way = Contact.objects.filter(leased_until__gt=timezone.now()).count()
    room = conf.MAX_IN_FLIGHT - under_way
    return claim(limit=room) if room > 0 else []


def renew(lease: Lease) -> Lease:
    """
    Prolong a lease for the next call; the given one is void after that.

    :raises LeaseLost: when somebody else has it.
    """
    renewed = Contact.objects.filter(
        pk=lease.contact_id, lease=lease.serial, leased_until__isnull=False
    ).update(lease=F("lease") + 1, leased_until=_end_of_lease())
    if not renewed:
        raise LeaseLost(lease.contact_id)
    return Lease(lease.contact_id, lease.serial + 1)


@contextmanager
def holding(lease: Lease) -> Iterator[Contact]:
    """
    A transaction with the contact locked against every other writer.

    :raises LeaseLost: when somebody else has the lease; nothing is written then.
    """
    with transaction.atomic():
        contact = (
            Contact.objects.select_for_update()
            .filter(pk=lease.contact_id, lease=lease.serial, leased_until__isnull=False)
            .first()
        )
        if contact is None:
            raise LeaseLost(lease.contact_id)
        yield contact


def release(lease: Lease) -> None:
    """Give a contact back as it is: it stays due. Does nothing when the lease is lost."""
    Contact.objects.filter(pk=lease.contact_id, lease=lease.serial).update(
        leased_until=None, lookup=None
    )
