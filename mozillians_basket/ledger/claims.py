"""Take leases on contacts that are due, no more and no faster than is allowed."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import connections, router, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.ledger.compiled import compiled
from mozillians_basket.ledger.leases import Lease, due, end_of_lease
from mozillians_basket.ledger.statements import combines
from mozillians_basket.models import Contact, Pulse

#: For how long unused starts are saved up; at least the time between two sweeps.
BURST = timedelta(seconds=5)


def claim(contact_ids: Iterable[int] | None = None, limit: int | None = None) -> list[Lease]:
    """
    Take leases on due contacts: removals, then the longest waiting first.

    If any are named, on these only.
    Contacts that another worker is claiming at this moment are passed over.
    """
    using = router.db_for_write(Contact)
    rows = due().using(using).order_by("priority", "touched_at")
    if contact_ids is not None:
        named = list(contact_ids)
        if not named:
            return []
        rows = rows.filter(pk__in=named)
    claimed = _claimed_at_once if combines(using) else _claimed
    return claimed(using, rows[: limit or None])


def _claimed(using: str, rows: QuerySet[Contact]) -> list[Lease]:
    with transaction.atomic(using):
        rows = rows.select_for_update(skip_locked=True)
        leases = [Lease(pk, serial + 1) for pk, serial in rows.values_list("pk", "lease")]
        if leases:
            Contact.objects.filter(pk__in=[lease.contact_id for lease in leases]).update(
                lease=F("lease") + 1,
                leased_until=end_of_lease(),
                claimed_touch=F("touched_at"),
                lookup=None,
            )
    return leases


def _claimed_at_once(using: str, rows: QuerySet[Contact]) -> list[Lease]:
    """The same in one statement."""
    chosen = compiled(rows.values_list("id"), using)
    contacts = connections[using].ops.quote_name(Contact._meta.db_table)
    sql = (
        f'WITH "chosen" AS MATERIALIZED ({chosen.sql} FOR UPDATE SKIP LOCKED) '  # noqa: S608
        f"UPDATE {contacts} SET lease = lease + 1, leased_until = %s, "
        f"claimed_touch = touched_at, lookup = NULL WHERE id IN "
        f'(SELECT "chosen"."id" FROM "chosen") RETURNING priority, touched_at, id, lease'
    )
    with connections[using].cursor() as cursor:
        cursor.execute(sql, [*chosen.parameters, end_of_lease()])
        return [Lease(pk, serial) for *_urgency, pk, serial in sorted(cursor.fetchall())]


def claim_next() -> list[Lease]:
    """Claim as many due contacts as may be under way besides those that are."""
    under_way = Contact.objects.filter(leased_until__gt=timezone.now()).count()
    room = _paced(conf.MAX_IN_FLIGHT - under_way)
    return claim(limit=room) if room > 0 else []


def _paced(wanted: int) -> int:
    """How many of these may start now, going by ``BASKET_MAX_PER_SECOND``, all workers together."""
    rate = conf.MAX_PER_SECOND
    if rate is None or wanted <= 0:
        return wanted
    with transaction.atomic():
        Pulse.now()
        pulse = Pulse.objects.select_for_update().get(pk=1)
        now = timezone.now()
        start = max(pulse.paced_until or now - BURST, now - BURST)
        allowed = min(wanted, int((now - start).total_seconds() * rate))
        pulse.paced_until = start + timedelta(seconds=allowed / rate)
        pulse.save(update_fields=["paced_until"])
    return allowed
