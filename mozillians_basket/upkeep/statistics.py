"""The numbers of the overview: the queue, failures, subscriptions, and events by hour."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import transaction
from django.db.models import Case, Count, Exists, Min, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from mozillians_basket.models import (
    Approval,
    Contact,
    Decision,
    Event,
    HourlyCount,
    Member,
    Problem,
    Status,
    Subscription,
    Touch,
    alias,
)
from mozillians_basket.rules.answers import ADDRESS_CODES
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site
from mozillians_basket.upkeep.approvals import HELD, MISSING, NO_VETO

#: Touches are counted up to here: with the switch off they may be very many.
MANY = 10_000

#: Seconds for which the counts over all subscriptions are shown again: the list that a number
#: leads to counts for itself.
FRESH = 5

#: The period for which inferred opt-outs are counted.
LATELY = timedelta(days=1)

#: Subscriptions that Basket has, as far as the last lookup or a later call says.
THERE = HELD & Q(missing_at=None)

#: The conditions on subscriptions behind the numbers of :class:`Newsletter`; that of opt-outs is
#: :func:`opted_out_of`.
SUBSCRIPTIONS = {
    "confirmed": THERE & Q(contact__optin=True),
    "awaiting": THERE & Q(contact__optin=False),
    "refused": Q(state=State.REFUSED),
    "missing": Q(state=State.LOST) | MISSING,
}

#: Decisions of the site's members who should get a newsletter. A bare address is no member.
WANTED = Q(wanted=True, member__site_member__isnull=False) & (NO_VETO | Q(despite_opt_out=True))


@dataclass(frozen=True, slots=True)
class Queue:
    """The changes that wait for Basket. The last three numbers are those of the metrics."""

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

    resting: int
    """Contacts that are looked up again later."""

    failed: int
    """Contacts that wait after a failure."""

    parked: int
    """Contacts that failed too often, or that Basket refuses."""

    refused: int
    """Subscriptions that Basket refuses."""

    @property
    def many_touches(self) -> bool:
        """Whether there are more touches than were counted."""
        return self.touches > MANY


def waiting(now: datetime) -> dict[str, Q]:
    """The conditions on contacts behind the numbers of :class:`Queue`; no contact meets two."""
    leased, later = Q(leased_until__gt=now), Q(not_before__gt=now)
    queued = Q(touched_at__isnull=False, parked=False)
    return {
        "under_way": queued & leased,
        "due": queued & Q(problem="") & ~leased & ~later,
        "resting": queued & Q(problem="") & ~leased & later,
    }


def queue() -> Queue:
    """Count what waits, by the partial indexes of the queue."""
    now = timezone.now()
    conditions = waiting(now)
    queued = Contact.objects.filter(touched_at__isnull=False, parked=False)
    parked = Contact.objects.filter(failing_since__isnull=False, parked=True)
    refused = Subscription.objects.filter(state=State.REFUSED)
    oldest_touch = Touch.objects.order_by("pk").values_list("created_at", flat=True)
    return Queue(
        touches=Touch.objects.values("pk")[: MANY + 1].count(),
        oldest_touch=oldest_touch.first(),
        parked=parked.count(),
        refused=refused.filter(newsletter__in=get_site().newsletters).count(),
        **queued.aggregate(
            failed=Count("pk", filter=Q(not_before__gt=now, attempts__gt=0)),
            oldest=Min("touched_at", filter=conditions["due"]),
            **{name: Count("pk", filter=condition) for name, condition in conditions.items()},
        ),
    )


@dataclass(frozen=True, slots=True)
class Problems:
    """The contacts with problems, by what they wait for; each is counted once."""

    retry: int
    parked: int
    address: int
    refused: int
    asked: int
    """Missing at Basket, and part of a question: its answer ends the problem."""

    dismissed: int

    @property
    def for_admins(self) -> int:
        """The number of contacts that nothing but an admin or a change can help."""
        return self.parked + self.address + self.refused


def with_problems(contacts: QuerySet[Any]) -> QuerySet[Any]:
    """
    Of some contacts, those that fail, are parked, refused or missing at Basket.

    As a union, so that each part goes by its index.
    """
    own = Contact.objects.filter(~Q(problem=""), failing_since__isnull=False).values("pk")
    rows = Subscription.objects.filter(newsletter__in=get_site().newsletters).values("contact")
    lost = rows.filter(state=State.LOST, contact__clear=False)
    return contacts.filter(pk__in=own.union(rows.filter(state=State.REFUSED), lost))


def problem_groups() -> dict[str, Q]:
    """
    The groups of contacts with problems, as :class:`Problems` counts them.

    A contact belongs to the first one whose condition it meets.
    """
    rows = Subscription.objects.filter(
        contact=OuterRef("pk"), newsletter__in=get_site().newsletters
    )
    refused = rows.filter(state=State.REFUSED)
    invalid = refused.filter(error_code__in=ADDRESS_CODES)
    lost = rows.filter(state=State.LOST)
    questions = Approval.objects.filter(
        kind=Approval.Kind.LOSS,
        closed_at=None,
        newsletter=OuterRef("newsletter"),
        since__lte=OuterRef("missing_at"),
    )
    asked = Q(Exists(lost.filter(Exists(questions))))
    named = ~Q(problem="") & ~Q(problem__in=Problem.values)
    # An address whose last member has gone, and whose person too, is erased without an admin.
    lost_alone = Q(clear=False) & Q(Exists(lost.filter(~Exists(questions))))
    return {
        "address": Q(problem__in=ADDRESS_CODES) | Q(Exists(invalid)),
        "refused": (named & ~asked) | Q(Exists(refused)) | lost_alone,
        "parked": Q(parked=True),
        "asked": asked,
        "retry": Q(parked=False),
    }


def in_problem_group(name: str) -> Q:
    """The condition on the contacts of one group, or of all that wait for ``admins``."""
    groups = problem_groups()
    if name == "admins":
        return groups["address"] | groups["refused"] | groups["parked"]
    condition = groups[name]
    for earlier in takewhile(name.__ne__, groups):
        condition &= ~groups[earlier]
    return condition


def problems() -> Problems:
    """Count the contacts with problems as the admin's list of problems filters them."""
    groups = {"dismissed": Q(dismissed_at__isnull=False), **problem_groups()}
    group = Case(*(When(condition, then=Value(name)) for name, condition in groups.items()))
    rows = with_problems(Contact.objects.all()).order_by().annotate(group=group)
    return Problems(**{**dict.fromkeys(groups, 0), **_numbers(rows, "group")})


def _numbers(rows: QuerySet[Any], column: str) -> dict[str, int]:
    """Count rows by the values of a column."""
    return dict(rows.order_by().values_list(column).annotate(number=Count("pk")))


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
    """Addresses whose people opted out of it, or of everything."""

    refused: int = 0
    missing: int = 0
    """Confirmed once, and gone at Basket without a conclusion."""

    left_lately: int = 0
    """Opt-outs that were inferred within a day."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The subscriptions to all of the site's newsletters at one moment."""

    at: datetime
    newsletters: tuple[Newsletter, ...]


def opted_out_of(newsletter: str) -> QuerySet[Any]:
    """
    The keys of contacts whose people opted out of a newsletter or of everything, each once.

    At Basket, on the site, or by taking another address at Basket.
    """
    at_basket = Subscription.objects.filter(newsletter=newsletter, state=State.OPTED_OUT)
    there = Decision.objects.filter(member__contact__isnull=False)
    on_site = there.filter(newsletter=newsletter, opted_out_at__isnull=False)
    of_all = Member.objects.filter(contact__isnull=False, opted_out_at__isnull=False)
    return at_basket.values("contact").union(
        on_site.values("member__contact"),
        of_all.values("contact"),
        Contact.objects.filter(renamed_at__isnull=False).values("pk"),
    )


def subscriptions() -> Totals:
    """Count the subscriptions, or return what was counted within the last seconds."""
    names = sorted(get_site().newsletters)
    digest = sha256(" ".join(names).encode()).hexdigest()[:16]
    key = f"mozillians_basket.subscriptions.4.{digest}"
    try:
        stored: Totals | None = cache.get(key)
    except Exception:  # noqa: BLE001 - any error of the cache: the page works without it
        return _count(names)
    if stored is None:
        stored = _count(names)
        cache.set(key, stored, FRESH)
    return stored


def _count(names: list[str]) -> Totals:
    now = timezone.now()
    rows = Subscription.objects.filter(newsletter__in=names).order_by()
    conditions = {name: SUBSCRIPTIONS[name] for name in ("refused", "missing")}
    conditions["there"] = THERE
    counts = {name: Count("pk", filter=condition) for name, condition in conditions.items()}
    counted: Any = rows.values("newsletter").annotate(**counts)
    found = {row.pop("newsletter"): row for row in counted}
    # Contacts and members tell of exceptions. These are counted apart: to join all rows takes
    # longer (100,000 members: 510 instead of 370 ms).
    awaiting = Counter(_numbers(rows.filter(SUBSCRIPTIONS["awaiting"]), "newsletter"))
    decided = Decision.objects.filter(newsletter__in=names, wanted=True)
    decided = decided.filter(Q(opted_out_at=None) | Q(despite_opt_out=True))
    opted_out = Q(member__opted_out_at__isnull=False, despite_opt_out=False)
    wanted = Counter(_numbers(decided, "newsletter"))
    wanted.subtract(_numbers(decided.filter(opted_out | Q(member__site_member=None)), "newsletter"))
    # Members who are deleted stay in the ledger while a brake holds their removal back.
    on_site = get_site().rows().filter(pk=OuterRef("member__site_member"))
    held_back = decided.filter(held_back_at__isnull=False, member__site_member__isnull=False)
    gone = held_back.exclude(opted_out).filter(~Exists(on_site))
    wanted.subtract(_numbers(gone, "newsletter"))
    lately: Counter[str] = Counter()
    events = Event.objects.filter(
        kind=Event.Kind.OPTED_OUT, outcome="inferred", created_at__gt=now - LATELY
    )
    for newsletters in events.values_list("newsletters", flat=True):
        lately.update(newsletters)
    newsletters = []
    for name in names:
        row = found.get(name) or dict.fromkeys(counts, 0)
        confirmed = row.pop("there") - awaiting[name]
        newsletters.append(
            Newsletter(
                name,
                wanted[name],
                confirmed,
                awaiting[name],
                opted_out_of(name).count(),
                left_lately=lately[name],
                **row,
            )
        )
    return Totals(now, tuple(newsletters))


# Events by hour and by day, for the charts. Counts stay when the events are deleted.

HOUR = timedelta(hours=1)

#: The time for which an hour is kept open for transactions that began in it.
GRACE = timedelta(minutes=5)

#: The period that one query counts and one transaction writes.
STRETCH = timedelta(days=1)

#: The longest time before now whose events are counted directly for a page.
UNCOUNTED = timedelta(hours=26)

Numbers = dict[datetime, Counter[tuple[str, str]]]
"""
The numbers of events of each hour or day, by newsletter and kind.

With an empty newsletter: all events of the kind, as one of them can name several
newsletters or none.
"""


def count_past_hours() -> int:
    """
    Count the events of past hours that are not counted yet; return the rows written.

    Each hour is counted once, after any pause and in any number of runs. Two runs at
    once do not harm each other.
    """
    written, end = 0, beginning_of_hour(timezone.now() - GRACE)
    done = Status.read().counted_to
    while done is None or done < end:
        left = Event.objects.filter(created_at__lt=end)
        left = left if done is None else left.filter(created_at__gte=done)
        first = left.order_by("created_at").values_list("created_at", flat=True).first()
        start = end if first is None else beginning_of_hour(first)
        done = min(start + STRETCH, end)
        rows = [
            HourlyCount(hour=hour, newsletter=newsletter, kind=kind, number=number)
            for hour, numbers in count_events(start, done).items()
            for (newsletter, kind), number in numbers.items()
        ]
        with transaction.atomic(using=alias()):
            HourlyCount.objects.bulk_create(rows, ignore_conflicts=True)
            Status.objects.filter(pk=1).update(counted_to=done)
        written += len(rows)
    return written


def beginning_of_hour(moment: datetime) -> datetime:
    """Return the full hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def count_events(start: datetime, end: datetime | None = None) -> Numbers:
    """Count the events themselves, by the index on their time."""
    rows = Event.objects.filter(created_at__gte=start)
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    each_hour = rows.annotate(hour=TruncHour("created_at", tzinfo=UTC)).order_by()
    counted = each_hour.values_list("hour", "newsletters", "kind").annotate(number=Count("pk"))
    return _gathered(
        (hour, newsletter, kind, number)
        for hour, newsletters, kind, number in counted
        for newsletter in {"", *newsletters}
    )


def _gathered(rows: Iterable[tuple[datetime, str, str, int]]) -> Numbers:
    numbers: Numbers = {}
    for moment, newsletter, kind, number in rows:
        numbers.setdefault(moment, Counter())[newsletter, kind] += number
    return numbers


def not_counted() -> Numbers:
    """Count the events after the last counted hour, at most of about a day."""
    earliest = beginning_of_hour(timezone.now() - UNCOUNTED)
    return count_events(max(earliest, Status.read().counted_to or earliest))


def by_hour(hours: int, latest: Numbers) -> Numbers:
    """
    Return the last hours with the present one, each of them, in order.

    :param latest: from :func:`not_counted`.
    """
    start = beginning_of_hour(timezone.now()) - (hours - 1) * HOUR
    counted = HourlyCount.objects.filter(hour__gte=start)
    rows = counted.values_list("hour", "newsletter", "kind", "number")
    numbers = _gathered(rows) | latest
    moments = (start + number * HOUR for number in range(hours))
    return {moment: numbers.get(moment, Counter()) for moment in moments}


def by_day(days: int, latest: Numbers) -> Numbers:
    """
    Return the last days with today, each of them, in order and in the current time zone.

    :param latest: from :func:`not_counted`.
    """
    today = timezone.localdate()
    moments = [_midnight(today - timedelta(days=number)) for number in reversed(range(days))]
    counts = HourlyCount.objects.filter(hour__gte=moments[0])
    each_day = counts.annotate(day=TruncDay("hour")).order_by()
    rows = each_day.values_list("day", "newsletter", "kind").annotate(sum=Sum("number"))
    numbers = _gathered(rows)
    for hour, more in latest.items():
        numbers.setdefault(_midnight(timezone.localdate(hour)), Counter()).update(more)
    return {moment: numbers.get(moment, Counter()) for moment in moments}


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
