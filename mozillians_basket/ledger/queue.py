"""The queue of contacts to sync: the due ones, and the leases of those being worked on."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.ledger.share import is_moving
from mozillians_basket.models import Contact, Event, Move, Problem, Status, Subscription, alias

#: Problems after which a contact is claimed alone: it may be what broke its share.
ALONE = (Problem.UNEXPECTED, Problem.WORKER_DIED)

#: The seconds of the pace that may be used up at once: until the next sweep.
BURST = 5.0


def due(now: datetime | None = None) -> "QuerySet[Contact]":
    """Return the contacts that are due, the most urgent first. All code uses this one query."""
    now = now or timezone.now()
    waits = Q(not_before__gt=now) | Q(leased_until__gt=now)
    rows = Contact.objects.filter(touched_at__isnull=False, parked=False)
    return rows.exclude(waits).order_by("priority", "touched_at")


def claim(limit: int, contact_ids: Collection[int] | None = None) -> tuple[str, list[Any], bool]:
    """
    Claim due contacts for one worker, under a new lease.

    A share whose worker died is claimed as a whole once more. If that worker dies or
    fails too, its contacts are claimed one by one. Due contacts at the other ends of
    moves are added to the share.

    :param limit: the largest number of contacts.
    :param contact_ids: claim only from among these.
    :return: the lease, the contacts (none if nothing is due), and whether more is due. The
        contacts come with ``is_moving``.
    """
    now = timezone.now()
    with transaction.atomic(using=alias()):
        ready = due(now).annotate(is_moving=is_moving("pk"))
        rows = ready if contact_ids is None else ready.filter(pk__in=contact_ids)
        skip = transaction.get_connection(alias()).features.has_select_for_update_skip_locked
        if conf.MAX_PER_SECOND is not None:
            limit = _paced(limit, conf.MAX_PER_SECOND)
        found: list[Any] = list(rows.select_for_update(skip_locked=skip, no_key=True)[:limit])
        number, moving = len(found), any(row.is_moving for row in found)
        if found and found[0].problem in ALONE:
            found = found[:1]
        else:
            abandoned = bool(found and found[0].lease)
            found = [r for r in found if bool(r.lease) == abandoned and r.problem not in ALONE]
        if found and found[0].lease:
            found = _taken_over(found, now)
        more = number == limit > 0 or len(found) < number
        if not found:
            return "", [], more
        if moving and len(found) < limit:
            partners = _partners([row.pk for row in found])
            others = ready.filter(pk__in=partners, lease="").exclude(problem__in=ALONE)
            along = others.select_for_update(skip_locked=skip, no_key=True)
            found.extend(along[: limit - len(found)])
        if conf.MAX_PER_SECOND is not None:
            _use_up(len(found), conf.MAX_PER_SECOND)
        lease = f"{uuid4().hex}-1"
        Contact.objects.filter(pk__in=[row.pk for row in found]).update(
            lease=lease, leased_until=now + timedelta(seconds=conf.LEASE_SECONDS)
        )
        return lease, found, more


def shares_to_start() -> int:
    """Say how many shares the sweeper may start under ``BASKET_MAX_IN_FLIGHT``."""
    now = timezone.now()
    # Few, found by the index on leases.
    under_way = Contact.objects.exclude(lease="").filter(leased_until__gt=now)
    room = conf.MAX_IN_FLIGHT - under_way[: conf.MAX_IN_FLIGHT].count()
    found = due(now)[:room].count() if room > 0 else 0
    if not found:
        return 0
    # Shares of single contacts are limited too, or their steps would wait too long.
    shares = under_way.values("lease").distinct().count()
    return min(_shares(found), max(_shares(conf.MAX_IN_FLIGHT) - shares, 0))


def _shares(contacts: int) -> int:
    return -(-contacts // conf.SHARE_SIZE)


def renew(lease: str, contacts: Iterable[Contact], now: datetime) -> str:
    """
    Give the contacts of a share the lease of the next step, and return it.

    Each step has its own lease, so a message that arrives twice finds no contact
    under the lease that it names.
    """
    share, _, step = lease.partition("-")
    lease = f"{share}-{int(step or 0) + 1}"
    for contact in contacts:
        contact.lease, contact.leased_until = lease, now + timedelta(seconds=conf.LEASE_SECONDS)
    return lease


def fail(lease: str) -> None:
    """Return a failed share to the queue; each of its contacts is tried alone."""
    now = timezone.now()
    wait = timedelta(seconds=5 * conf.WAIT_FACTOR)
    with transaction.atomic(using=alias()):
        rows = _under(lease).order_by("pk").select_for_update(no_key=True)
        ids = list(rows.values_list("pk", flat=True))
        failed = Contact.objects.filter(pk__in=ids)
        failed.update(
            lease="",
            leased_until=None,
            attempts=F("attempts") + 1,
            problem=Problem.UNEXPECTED,
            failing_since=Coalesce("failing_since", Value(now)),
            not_before=now + wait,
        )
        _park(failed)


def release(lease: str) -> None:
    """Return a share to the queue unchanged: its contacts stay due, and it counts as no failure."""
    _under(lease).update(lease="", leased_until=None)


def _under(lease: str) -> "QuerySet[Contact]":
    """Return the contacts of a share, under the lease of any of its steps."""
    share = lease.partition("-")[0]
    return Contact.objects.filter(lease__startswith=f"{share}-")


def _park(rows: "QuerySet[Contact]") -> None:
    failed = list(rows.filter(attempts__gte=conf.MAX_ATTEMPTS).values_list("pk", "problem"))
    if failed:
        ids = [pk for pk, _problem in failed]
        Contact.objects.filter(pk__in=ids).update(parked=True)
        Event.objects.bulk_create(
            [Event(kind=Event.Kind.PARKED, contact_id=pk, outcome=why) for pk, why in failed]
        )


def _taken_over(contacts: list[Contact], now: datetime) -> list[Contact]:
    """
    Prepare contacts whose worker died; return those that may be tried again.

    An unsubscribe that the worker had begun may not have been sent. The error code
    makes the plan send it again.
    """
    began = min(row.leased_until or now for row in contacts) - timedelta(seconds=conf.LEASE_SECONDS)
    Subscription.objects.filter(
        contact__in=contacts, removal_pending=True, removed_at__gte=began
    ).update(error_code=Problem.WORKER_DIED)
    rows = Contact.objects.filter(pk__in=[row.pk for row in contacts])
    rows.update(
        attempts=F("attempts") + 1,
        problem=Problem.WORKER_DIED,
        failing_since=Coalesce("failing_since", Value(now)),
        lease="",
        leased_until=None,
    )
    _park(rows)
    return [row for row in contacts if row.attempts + 1 < conf.MAX_ATTEMPTS]


def _partners(ids: list[int]) -> set[int]:
    """Find the contacts at the other ends of moves."""
    moves = Move.objects.filter(Q(source__in=ids) | Q(target__in=ids))
    ends = {end for pair in moves.values_list("source", "target") for end in pair}
    return ends - {None, *ids}


def _paced(limit: int, rate: float) -> int:
    """
    Return how many contacts ``BASKET_MAX_PER_SECOND`` allows to be claimed now, up to ``limit``.

    Up to what ``BURST`` seconds allow, as messages come in bursts; on average it is the rate.
    """
    Status.read()
    status, now = Status.objects.select_for_update().get(pk=1), timezone.now()
    ahead = (max(status.paced_until or now, now) - now).total_seconds()
    return min(limit, max(int((BURST - ahead) * rate), 0 if ahead else 1))


def _use_up(number: int, rate: float) -> None:
    """Count claimed contacts against the pace; the row is locked since ``_paced``."""
    status, now = Status.read(), timezone.now()
    paced_until = max(status.paced_until or now, now) + timedelta(seconds=number / rate)
    Status.objects.filter(pk=1).update(paced_until=paced_until)
