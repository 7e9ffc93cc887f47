"""How much waits, fails and stands: the numbers that the overview shows, by few queries."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from django.core.cache import cache
from django.db.models import Count, F, Min, Q
from django.utils import timezone

from mozillians_basket.ledger import VERIFICATION
from mozillians_basket.models import Contact, Event, Subscription, Touch
from mozillians_basket.site import get_site
from mozillians_basket.states import HELD, State

#: Touches are counted up to here: with the switch off they may be very many.
MANY = 10_000

#: Seconds for which the counts over all subscriptions are shown again.
FRESH = 60

#: How far back the last findings of the verification go.
LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Queue:
    """What is to be carried to Basket, and what hinders it."""

    touches: int
    """Changes whose members were not looked at yet; counted up to ``MANY``."""

    oldest_touch: datetime | None
    """Since when the oldest of these waits."""

    due: int
    """Contacts that can be worked on now."""

    oldest: datetime | None
    """Since when the longest waiting of these was touched."""

    under_way: int
    """Contacts that a worker has."""

    failed: int
    """Contacts that wait after a failure."""

    resting: int
    """Contacts that are looked at again later, though nothing failed."""

    parked: int
    """Contacts that failed too often."""

    refused: int
    """Contacts to whom Basket refuses something."""

    @property
    def many_touches(self) -> bool:
        """Whether there are more touches than were counted."""
        return self.touches > MANY


def queue() -> Queue:
    """Count it, by the partial indexes of the queue and of the failing."""
    now = timezone.now()
    ripe = Q(not_before__isnull=True) | Q(not_before__lte=now)
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
    well = Q(error__in=["", "refused"])
    unsettled = Contact.objects.filter(
        Q(settled_at__isnull=True) | Q(touched_at__gt=F("settled_at")), parked_at__isnull=True
    ).aggregate(
        due=Count("pk", filter=ripe & free),
        oldest=Min("touched_at", filter=ripe & free),
        failed=Count("pk", filter=Q(not_before__gt=now) & ~well),
        resting=Count("pk", filter=Q(not_before__gt=now) & well),
    )
    failing = Contact.objects.filter(failing_since__isnull=False).aggregate(
        parked=Count("pk", filter=Q(parked_at__isnull=False)),
        refused=Count("pk", filter=Q(error="refused")),
    )
    return Queue(
        touches=Touch.objects.values("pk")[: MANY + 1].count(),
        oldest_touch=Touch.objects.order_by("pk").values_list("created_at", flat=True).first(),
        under_way=Contact.objects.filter(leased_until__gt=now).count(),
        **unsettled,
        **failing,
    )


class Newsletter(NamedTuple):
    """The subscriptions to one newsletter, as the ledger knows them."""

    name: str
    wanted: int = 0
    confirmed: int = 0
    awaiting: int = 0
    opted_out: int = 0
    refused: int = 0
    missing: int = 0
    """Confirmed once, found gone by a verification, and not concluded."""

    left_lately: int = 0
    """Opt-outs that the verification recorded within a day."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The subscriptions to all of the site's newsletters at one moment."""

    at: datetime
    newsletters: tuple[Newsletter, ...]


def subscriptions() -> Standing:
    """Count them all, or give what was counted within the last minute."""
    names = sorted(get_site().newsletters)
    digest = sha256(" ".join(names).encode()).hexdigest()[:16]
    key = f"mozillians_basket.subscriptions.1.{digest}"
    try:
        stored = cache.get(key)
    except Exception:  # noqa: BLE001 - whatever a cache that is away raises: the page need not
        return _count(names)
    if stored is not None:
        return Standing(stored[0], tuple(Newsletter(*row) for row in stored[1]))
    standing = _count(names)
    cache.set(key, (standing.at, [tuple(row) for row in standing.newsletters]), FRESH)
    return standing


def _count(names: list[str]) -> Standing:
    now = timezone.now()
    counted = (
        Subscription.objects.order_by()
        .values_list("newsletter")
        .annotate(
            n_wanted=Count("pk", filter=Q(wanted=True)),
            n_confirmed=Count("pk", filter=Q(state=State.SUBSCRIBED)),
            n_awaiting=Count("pk", filter=Q(state=State.AWAITING)),
            n_opted_out=Count("pk", filter=Q(state=State.OPTED_OUT)),
            n_refused=Count("pk", filter=Q(state=State.REFUSED)),
            n_missing=Count("pk", filter=Q(missing_at__isnull=False, state__in=HELD)),
        )
    )
    rows = {row[0]: Newsletter(*row) for row in counted}
    lately: Counter[str] = Counter()
    events = Event.objects.filter(
        cause=VERIFICATION, kind=Event.Kind.OPTED_OUT, created_at__gt=now - LATELY
    )
    for newsletters in events.values_list("newsletters", flat=True):
        lately.update(newsletters)
    return Standing(
        now,
        tuple(
            rows.get(name, Newsletter(name))._replace(left_lately=lately[name]) for name in names
        ),
    )
