"""The numbers of the overview: the queue, failures, and subscriptions by newsletter."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from django.core.cache import cache
from django.db.models import Count, Min, Q
from django.utils import timezone

from mozillians_basket.ledger import queue as due_contacts
from mozillians_basket.models import Contact, Decision, Event, Subscription, Touch, alias
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site
from mozillians_basket.upkeep.approvals import HELD, NO_VETO

#: Touches are counted up to here: with the switch off they may be very many.
MANY = 10_000

#: Seconds for which the counts over all subscriptions are shown again.
FRESH = 60

#: The period for which inferred opt-outs are counted.
LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Queue:
    """The changes that wait for Basket, and the problems that hold them up."""

    touches: int
    """Changes whose members were not looked at yet; counted up to ``MANY``."""

    oldest_touch: datetime | None
    """When the oldest of these was written."""

    due: int
    """Contacts that can be worked on now."""

    oldest: datetime | None
    """When the oldest of these was touched."""

    under_way: int
    """Contacts that a worker has leased."""

    failed: int
    """Contacts that wait after a failure."""

    resting: int
    """Contacts that are looked up again later, without a failure."""

    parked: int
    """Contacts that failed too often, or that Basket refuses."""

    refused: int
    """Subscriptions that Basket refuses."""

    @property
    def many_touches(self) -> bool:
        """Whether there are more touches than were counted."""
        return self.touches > MANY


def queue() -> Queue:
    """Count what waits, by the partial indexes of the queue and of the failing contacts."""
    now = timezone.now()
    contacts = Contact.objects.using(alias())
    due = due_contacts.due(now).order_by().aggregate(due=Count("pk"), oldest=Min("touched_at"))
    waiting = contacts.filter(touched_at__isnull=False, parked=False, not_before__gt=now)
    touches = Touch.objects.using(alias())
    refused = Subscription.objects.using(alias()).filter(
        newsletter__in=get_site().newsletters, state=State.REFUSED
    )
    return Queue(
        touches=touches.values("pk")[: MANY + 1].count(),
        oldest_touch=touches.order_by("pk").values_list("created_at", flat=True).first(),
        under_way=due_contacts.leased(now).count(),
        parked=contacts.filter(failing_since__isnull=False, parked=True).count(),
        refused=refused.count(),
        **due,
        **waiting.aggregate(
            failed=Count("pk", filter=Q(attempts__gt=0)),
            resting=Count("pk", filter=Q(attempts=0)),
        ),
    )


class Newsletter(NamedTuple):
    """The subscriptions to one newsletter, as the ledger knows them."""

    name: str
    wanted: int = 0
    """Members who should get it: it was decided, and they did not opt out."""

    confirmed: int = 0
    """Addresses at which Basket has it, confirmed by the person."""

    awaiting: int = 0
    """Addresses at which Basket waits for the person's confirmation."""

    opted_out: int = 0
    refused: int = 0
    missing: int = 0
    """Confirmed once, and gone at Basket without a conclusion."""

    left_lately: int = 0
    """Opt-outs that were inferred within a day."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The subscriptions to all of the site's newsletters at one moment."""

    at: datetime
    newsletters: tuple[Newsletter, ...]


def subscriptions() -> Standing:
    """Count the subscriptions, or return what was counted within the last minute."""
    names = sorted(get_site().newsletters)
    digest = sha256(" ".join(names).encode()).hexdigest()[:16]
    key = f"mozillians_basket.subscriptions.2.{digest}"
    try:
        stored = cache.get(key)
    except Exception:  # noqa: BLE001 - any error of the cache: the page works without it
        return _count(names)
    if stored is not None:
        return Standing(stored[0], tuple(Newsletter(*row) for row in stored[1]))
    standing = _count(names)
    cache.set(key, (standing.at, [tuple(row) for row in standing.newsletters]), FRESH)
    return standing


def _count(names: list[str]) -> Standing:
    now = timezone.now()
    rows = Subscription.objects.using(alias()).filter(newsletter__in=names).order_by()
    missing = Q(state=State.LOST) | (HELD & Q(missing_at__isnull=False))
    counted = rows.values_list("newsletter").annotate(
        n_confirmed=Count("pk", filter=HELD & Q(contact__optin=True)),
        n_awaiting=Count("pk", filter=HELD & Q(contact__optin=False)),
        n_opted_out=Count("pk", filter=Q(state=State.OPTED_OUT)),
        n_refused=Count("pk", filter=Q(state=State.REFUSED)),
        n_missing=Count("pk", filter=missing),
    )
    found = {name: Newsletter(name, 0, *numbers) for name, *numbers in counted}
    free = NO_VETO | Q(despite_opt_out=True)
    decisions = Decision.objects.using(alias()).filter(free, newsletter__in=names, wanted=True)
    wanted = dict(decisions.order_by().values_list("newsletter").annotate(n=Count("pk")))
    lately: Counter[str] = Counter()
    events = Event.objects.using(alias()).filter(
        kind=Event.Kind.OPTED_OUT, outcome="inferred", created_at__gt=now - LATELY
    )
    for newsletters in events.values_list("newsletters", flat=True):
        lately.update(newsletters)
    return Standing(
        now,
        tuple(
            found.get(name, Newsletter(name))._replace(
                wanted=wanted.get(name, 0), left_lately=lately[name]
            )
            for name in names
        ),
    )
