"""The preview of a bulk request: counts from the ledger and the policies, no lists."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q

from mozillians_basket.models import Decision, Member, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site

#: The members that one query counts; SQLite takes 32,766 parameters.
CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Prospect:
    """The effect of a request on one newsletter. Only members with an address are counted."""

    changing: int
    """The number of members who would get it, or lose it."""

    subscribed: int
    """The number of members who have it, by Basket's last answer."""

    opted_out: int
    """The number of members who opted out."""

    against_policy: int
    """The number of members that the policy judges otherwise."""

    has_policy: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect of a request."""

    selected: int
    without_address: int
    by_newsletter: dict[str, Prospect] = field(default_factory=dict)


def preview_of(keys: Sequence[Any], *, subscribe: bool) -> Preview:
    """
    Count what a request for these members would do.

    For each 10,000 members two queries and one for each policy.
    """
    site = get_site()
    keys = sorted(keys)
    counts: Counter[str] = Counter()
    for start in range(0, len(keys), CHUNK):
        some = keys[start : start + CHUNK]
        counts.update(_count_members(some))
        counts.update(_count_in_ledger(some))
    policies = {policy.newsletter for policy in site.policies}
    prospects = {}
    for name in sorted(site.newsletters):
        met = counts[f"entitled {name}"]
        against = counts["reachable"] - met if subscribe else met
        wanting = counts["reachable"] - counts[f"held {name}"] - counts[f"opted_out {name}"]
        prospects[name] = Prospect(
            changing=max(wanting, 0) if subscribe else counts[f"to_lose {name}"],
            subscribed=counts[f"held {name}"],
            opted_out=counts[f"opted_out {name}"],
            against_policy=against if name in policies else 0,
            has_policy=name in policies,
        )
    return Preview(counts["selected"], counts["selected"] - counts["reachable"], prospects)


def _count_members(keys: Sequence[Any]) -> dict[str, int]:
    """Count on the site: members, members with an address, and entitled ones by newsletter."""
    site = get_site()
    chosen = site.with_email(site.rows().filter(_are("pk", keys)))
    reachable = Q(basket_email__gt="")
    counts: dict[str, int] = chosen.aggregate(
        selected=Count("pk"), reachable=Count("pk", filter=reachable)
    )
    # Not as one more filter above: that would ask about each member by itself.
    for policy in site.policies:
        entitled = site.with_email(site.entitled(policy).filter(_are("pk", keys)))
        entitled = entitled.filter(reachable)
        number = entitled.aggregate(number=Count("pk", distinct=True))["number"]
        counts[f"entitled {policy.newsletter}"] = number
    return counts


def _count_in_ledger(keys: Sequence[Any]) -> dict[str, int]:
    """Count for each newsletter the members who have it, would lose it, and opted out of it."""
    members = Member.objects.filter(_are("site_member", keys), contact__isnull=False)
    everything = Q(opted_out_at__isnull=False) | Q(contact__renamed_at__isnull=False)
    names = sorted(get_site().newsletters)
    numbers: dict[str, Count] = {}
    for number, name in enumerate(names):
        decision = Decision.objects.filter(member=OuterRef("pk"), newsletter=name)
        wanted = Q(Exists(decision.filter(wanted=True)))
        there = Subscription.objects.filter(contact=OuterRef("contact"), newsletter=name)
        held = Q(Exists(there.filter(confirmed_at__isnull=False).exclude(state=State.LOST)))
        opted_out = (
            everything
            | Q(Exists(decision.filter(opted_out_at__isnull=False)))
            | Q(Exists(there.filter(state=State.OPTED_OUT)))
        )
        numbers |= {
            f"held_{number}": Count("pk", filter=held & wanted & ~opted_out),
            f"to_lose_{number}": Count("pk", filter=held | (wanted & ~opted_out)),
            f"opted_out_{number}": Count("pk", filter=opted_out),
        }
    counted = members.aggregate(**numbers)
    return {
        f"{what} {name}": counted[f"{what}_{number}"]
        for number, name in enumerate(names)
        for what in ("held", "to_lose", "opted_out")
    }


def _are(name: str, keys: Sequence[Any]) -> Q:
    """
    Name sorted keys, numbers by their first, their last and the gaps between them if these are few.

    Ten thousand parameters take a database longer than what is counted.
    """
    if all(isinstance(key, int) for key in keys):
        numbers = range(keys[0], keys[-1] + 1)
        if len(numbers) < 2 * len(keys):
            gaps = set(numbers).difference(keys)
            ends = Q(**{f"{name}__gte": keys[0], f"{name}__lte": keys[-1]})
            return ends & ~Q(**{f"{name}__in": gaps}) if gaps else ends
    return Q(**{f"{name}__in": keys})
