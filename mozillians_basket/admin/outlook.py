"""What a bulk request would do, by the ledger and the policies: counted, never listed."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q, QuerySet

from mozillians_basket.models import Contact, Subscription
from mozillians_basket.site import get_site
from mozillians_basket.states import HELD, State


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a request would do for one newsletter. Counts members who have an address."""

    changing: int
    """Who would get it, or lose it."""

    subscribed: int
    """Who has it, by what Basket last said."""

    opted_out: int
    """Who turned it off themselves."""

    against_policy: int
    """Whom its policy says the contrary of."""

    has_policy: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a request would do."""

    selected: int
    without_address: int
    by_newsletter: dict[str, Prospect] = field(default_factory=dict)

    @property
    def opted_out(self) -> int:
        """How many opt-outs are in the way, at the most, counted by newsletter."""
        return sum(prospect.opted_out for prospect in self.by_newsletter.values())


def look_ahead(members: QuerySet[Any], *, subscribe: bool) -> Outlook:
    """
    Count what a request for these members would do.

    Two queries and one for each policy, however many members there are.

    :param members: any queryset of members, as an admin's list may make it.
    """
    site = get_site()
    # Once each, though a list's own joins may repeat them.
    chosen = site.member_model._base_manager.filter(pk__in=members.order_by().values("pk"))
    reachable = Q(**{f"{site.email}__gt": ""})
    counts = chosen.aggregate(selected=Count("pk"), reachable=Count("pk", filter=reachable))
    # Not as one more filter above: that would ask about each member by itself.
    entitled = {
        policy.newsletter: chosen.filter(reachable, policy.entitled).aggregate(
            number=Count("pk", distinct=True)
        )["number"]
        for policy in site.policies
    }
    lines = _count_lines(members)
    with_address = counts["reachable"]
    prospects = {}
    for name in sorted(site.newsletters):
        held, wanted, opted_out = lines.get(name, (0, 0, 0))
        met = entitled.get(name)
        against = 0 if met is None else with_address - met if subscribe else met
        prospects[name] = Prospect(
            changing=max(with_address - held - opted_out, 0) if subscribe else wanted,
            subscribed=held,
            opted_out=opted_out,
            against_policy=against,
            has_policy=met is not None,
        )
    return Outlook(counts["selected"], counts["selected"] - with_address, prospects)


def _count_lines(members: QuerySet[Any]) -> dict[str, tuple[int, int, int]]:
    """For each newsletter how many have it, have or are to have it, and turned it off."""
    held = Q(state__in=HELD)
    contacts = Contact.objects.filter(
        member__in=members.order_by().values("pk"), wanted_email__gt=""
    )
    # Of whatever newsletters: named, they would have SQLite read all lines of theirs.
    rows = (
        Subscription.objects.filter(contact__in=contacts.values("pk"))
        .values("newsletter")
        .annotate(
            held=Count("pk", filter=held & Q(wanted=True)),
            to_lose=Count("pk", filter=held | Q(wanted=True)),
            opted_out=Count("pk", filter=Q(state=State.OPTED_OUT)),
        )
    )
    return {row["newsletter"]: (row["held"], row["to_lose"], row["opted_out"]) for row in rows}
