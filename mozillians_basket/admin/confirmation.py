"""A bulk request before it is confirmed: the preview, and the choice of newsletters."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.cache import cache
from django.db.models import Count, FilteredRelation, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mozillians_basket.admin.wording import grouped, listed
from mozillians_basket.client import calls, transport
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError
from mozillians_basket.models import BulkRequest, Member, Status
from mozillians_basket.rules.rows import State
from mozillians_basket.site import Policy, get_site

#: Seconds that a page waits for Basket's catalogue.
PATIENCE = 2.0

#: Seconds for which the catalogue is kept, and for which it is not asked for after a failure.
KEPT, KEPT_AFTER_FAILURE = 300, 60


def titles_and_descriptions() -> dict[str, tuple[str, str]]:
    """
    Basket's texts about newsletters, kept in Django's cache for some minutes.

    None while Basket is away or the switch is off.
    """
    place = hashlib.sha256(conf.URL.encode()).hexdigest()[:16]
    key, seconds = f"mozillians_basket.catalogue.{place}", KEPT
    try:
        known: dict[str, tuple[str, str]] | None = cache.get(key)
    except Exception:  # noqa: BLE001 - any error of the cache: the page works without it
        known, seconds = None, 0
    if known is not None or not switch_is_on() or Status.read().opened_at is not None:
        return known or {}
    try:
        with transport.within(PATIENCE):
            catalogue = calls.catalogue()
    except BasketError:
        catalogue, seconds = {}, min(seconds, KEPT_AFTER_FAILURE)
    texts = {
        slug: (str(entry.get("title") or ""), str(entry.get("description") or ""))
        for slug, entry in catalogue.items()
    }
    if seconds:
        cache.set(key, texts, seconds)
    return texts


class OrderForm(forms.Form):
    """The newsletters of a bulk request, and whether it overrides opt-outs."""

    newsletters = forms.MultipleChoiceField(
        error_messages={"required": gettext_lazy("Choose at least one newsletter.")},
    )
    despite_opt_out = forms.BooleanField(
        label=gettext_lazy("Also those who opted out themselves"),
        required=False,
        help_text=gettext_lazy(
            "They said no. Tick this only if they asked to be subscribed again."
        ),
    )

    def __init__(self, *args: Any, subscribe: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newsletters: Any = self.fields["newsletters"]
        newsletters.choices = [(name, name) for name in sorted(get_site().newsletters)]
        if not subscribe:
            del self.fields["despite_opt_out"]


#: The keys that one query names; SQLite takes 32,766 parameters.
CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Prospect:
    """
    The effect of a request on one newsletter: numbers of members who have an address.

    ``changing`` would get it, or lose it; ``subscribed`` have it by Basket's last answer. A
    subscribe still decides for members who have it without being wanted.
    """

    changing: int
    subscribed: int
    opted_out: int
    warning: str
    """A text about the members that the policy judges otherwise, if there are any."""

    has_policy: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect of a request."""

    selected: int
    without_address: int
    by_newsletter: dict[str, Prospect]


def preview_of(keys: Sequence[Any], *, subscribe: bool) -> Preview:
    """
    Count what a request for these members would do.

    One query, and one for each newsletter and each policy; two more for a newsletter with a
    policy that some of them opted out of. Again for each 10,000 members, unless their keys are
    numbers with few gaps, as those of all members are.
    """
    site = get_site()
    keys = sorted(keys)
    counts: Counter[str] = Counter()
    for some in _parts(keys):
        counts.update(_count_members(some))
        counts.update(_count_in_ledger(some))
    policies = {policy.newsletter for policy in site.policies}
    prospects = {}
    for name in sorted(site.newsletters):
        met = counts[f"entitled {name}"] - counts[f"entitled_but_out {name}"]
        open_to_it = counts["reachable"] - counts[f"opted_out {name}"]
        against = open_to_it - met if subscribe else met
        wanting = open_to_it - counts[f"held {name}"]
        prospects[name] = Prospect(
            changing=max(wanting, 0) if subscribe else counts[f"to_lose {name}"],
            subscribed=counts[f"{'held' if subscribe else 'at_basket'} {name}"],
            opted_out=counts[f"opted_out {name}"],
            warning=_warning(name, against, subscribe=subscribe) if name in policies else "",
            has_policy=name in policies,
        )
    return Preview(counts["selected"], counts["selected"] - counts["reachable"], prospects)


def _warning(newsletter: str, against_policy: int, *, subscribe: bool) -> str:
    """
    Warn of members that the policy judges otherwise, and say until when the order stands.

    Members who opted out are not counted.
    """
    if not against_policy:
        return ""
    if subscribe:
        text = ngettext(
            "%(count)s of them does not meet the policy of %(newsletter)s, not counting opt-outs: "
            "they get it because you say so, until what the policy says of them changes.",
            "%(count)s of them do not meet the policy of %(newsletter)s, not counting opt-outs: "
            "they get it because you say so, until what the policy says of them changes.",
            against_policy,
        )
    else:
        text = ngettext(
            "%(count)s of them meets the policy of %(newsletter)s, not counting opt-outs: they "
            "lose it because you say so, until what the policy says of them changes.",
            "%(count)s of them meet the policy of %(newsletter)s, not counting opt-outs: they "
            "lose it because you say so, until what the policy says of them changes.",
            against_policy,
        )
    return text % {"count": grouped(against_policy), "newsletter": newsletter}


def _count_members(keys: Sequence[Any]) -> dict[str, int]:
    """Count on the site: members, members with an address, and entitled ones by newsletter."""
    site = get_site()
    chosen = site.with_email(site.rows().filter(_are("pk", keys)))
    counts: dict[str, int] = chosen.aggregate(
        selected=Count("pk"), reachable=Count("pk", filter=Q(basket_email__gt=""))
    )
    # Not as one more filter above: that would ask about each member by itself.
    for policy in site.policies:
        counts[f"entitled {policy.newsletter}"] = _count_entitled(policy, keys)
    return counts


def _count_entitled(policy: Policy, keys: Sequence[Any]) -> int:
    """Count the members with an address who meet a policy."""
    site = get_site()
    entitled = site.with_email(site.entitled(policy).filter(_are("pk", keys)))
    entitled = entitled.filter(basket_email__gt="")
    number: int = entitled.aggregate(number=Count("pk", distinct=True))["number"]
    return number


#: The conditions on the members of ``_members_with``: they opted out of the newsletter, as
#: ``statistics.opted_out_of`` counts addresses for the overview; they should get it; they have it.
IS_OUT = (
    Q(opted_out_at__isnull=False)
    | Q(contact__renamed_at__isnull=False)
    | Q(decision__opted_out_at__isnull=False)
    | Q(there__state=State.OPTED_OUT)
)
SHOULD_GET = Q(decision__wanted=True) & ~IS_OUT
HAS = Q(there__confirmed_at__isnull=False) & ~Q(there__state=State.LOST)


def _members_with(newsletter: str, keys: Sequence[Any]) -> QuerySet[Member]:
    """Return members who have an address, each with their rows about a newsletter."""
    of_it = {"decisions__newsletter": newsletter}
    there = {"contact__subscriptions__newsletter": newsletter}
    return Member.objects.filter(_are("site_member", keys), contact__isnull=False).annotate(
        decision=FilteredRelation("decisions", condition=Q(**of_it)),
        there=FilteredRelation("contact__subscriptions", condition=Q(**there)),
    )


def _count_in_ledger(keys: Sequence[Any]) -> dict[str, int]:
    """
    Count for each newsletter the members who have it, would lose it, and opted out of it.

    And of those who opted out, the ones who meet its policy.
    """
    counts: dict[str, int] = {}
    policies = {policy.newsletter: policy for policy in get_site().policies}
    for name in get_site().newsletters:
        members = _members_with(name, keys)
        found = members.aggregate(
            at_basket=Count("pk", filter=HAS),
            held=Count("pk", filter=HAS & SHOULD_GET),
            to_lose=Count("pk", filter=HAS | SHOULD_GET),
            opted_out=Count("pk", filter=IS_OUT),
        )
        if found["opted_out"] and name in policies:
            against = members.filter(IS_OUT).order_by("site_member")
            those = list(against.values_list("site_member", flat=True))
            met = sum(_count_entitled(policies[name], some) for some in _parts(those))
            found["entitled_but_out"] = met
        counts |= {f"{what} {name}": number for what, number in found.items()}
    return counts


def _gaps(keys: Sequence[Any]) -> set[int] | None:
    """The numbers that are missing between sorted keys; ``None`` if these are many, or no keys."""
    if not keys or not all(isinstance(key, int) for key in keys):
        return None
    numbers = range(keys[0], keys[-1] + 1)
    are_few = len(numbers) - len(keys) < min(len(keys), CHUNK)
    return set(numbers).difference(keys) if are_few else None


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Split sorted keys into parts that one query can name."""
    size = CHUNK if _gaps(keys) is None else len(keys)
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _are(name: str, keys: Sequence[Any]) -> Q:
    """
    Name sorted keys, numbers by their first, their last and the gaps between them if these are few.

    Ten thousand parameters take a database longer than what is counted.
    """
    gaps = _gaps(keys)
    if gaps is None:
        return Q(**{f"{name}__in": keys})
    ends = Q(**{f"{name}__gte": keys[0], f"{name}__lte": keys[-1]})
    return ends & ~Q(**{f"{name}__in": gaps}) if gaps else ends


def selection_in_words(row: BulkRequest) -> str:
    """Describe the selected members: "is vouched, country: BR, 767 members"."""
    text = ngettext("%(count)s member", "%(count)s members", row.total)
    members = text % {"count": grouped(row.total)}
    if not row.selection:
        return members
    return _("%(selection)s, %(members)s") % {"selection": row.selection, "members": members}


def order_in_words(row: BulkRequest) -> str:
    """Describe the order, for the admin's log."""
    if row.action == BulkRequest.Action.UNSUBSCRIBE:
        text = ngettext(
            "Ordered: unsubscribe %(count)s member from %(newsletters)s.",
            "Ordered: unsubscribe %(count)s members from %(newsletters)s.",
            row.total,
        )
    elif row.despite_opt_out:
        text = ngettext(
            "Ordered: subscribe %(count)s member to %(newsletters)s, also if they opted out "
            "themselves.",
            "Ordered: subscribe %(count)s members to %(newsletters)s, also those who opted out "
            "themselves.",
            row.total,
        )
    else:
        text = ngettext(
            "Ordered: subscribe %(count)s member to %(newsletters)s.",
            "Ordered: subscribe %(count)s members to %(newsletters)s.",
            row.total,
        )
    return text % {"count": grouped(row.total), "newsletters": listed(row.newsletters)}
