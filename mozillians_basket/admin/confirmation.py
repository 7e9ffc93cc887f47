"""A bulk request before it is confirmed: the preview, and the choice of newsletters."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mozillians_basket.admin.wording import grouped, listed
from mozillians_basket.client import calls, transport
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError
from mozillians_basket.models import BulkRequest, Decision, Member, Status, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site

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


#: The members that one query counts; SQLite takes 32,766 parameters.
CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Prospect:
    """
    The effect of a request on one newsletter: numbers of members who have an address.

    ``changing`` would get it, or lose it; ``subscribed`` have it by Basket's last answer.
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

    For each 10,000 members two queries, one for each newsletter, and one or two for each policy.
    """
    site = get_site()
    keys = sorted(keys)
    counts: Counter[str] = Counter()
    for start in range(0, len(keys), CHUNK):
        some = keys[start : start + CHUNK]
        opted_out = _keys_opted_out(some)
        counts.update(_count_members(some, opted_out))
        counts.update(_count_in_ledger(some))
        counts.update({f"opted_out {name}": len(those) for name, those in opted_out.items()})
    policies = {policy.newsletter for policy in site.policies}
    prospects = {}
    for name in sorted(site.newsletters):
        met = counts[f"entitled {name}"]
        open_to_it = counts["reachable"] - counts[f"opted_out {name}"]
        against = open_to_it - met if subscribe else met
        wanting = open_to_it - counts[f"held {name}"]
        prospects[name] = Prospect(
            changing=max(wanting, 0) if subscribe else counts[f"to_lose {name}"],
            subscribed=counts[f"held {name}"],
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


def _opted_out(newsletter: str) -> Q:
    """
    The condition on the ledger's members who opted out of a newsletter or of everything.

    The overview counts their addresses: ``statistics.opted_out_of``.
    """
    decision = Decision.objects.filter(member=OuterRef("pk"), newsletter=newsletter)
    there = Subscription.objects.filter(contact=OuterRef("contact"), newsletter=newsletter)
    return (
        Q(opted_out_at__isnull=False)
        | Q(contact__renamed_at__isnull=False)
        | Q(Exists(decision.filter(opted_out_at__isnull=False)))
        | Q(Exists(there.filter(state=State.OPTED_OUT)))
    )


def _keys_opted_out(keys: Sequence[Any]) -> dict[str, list[Any]]:
    """List the members with an address who opted out of each newsletter."""
    there = Member.objects.filter(_are("site_member", keys), contact__isnull=False)
    return {
        name: sorted(there.filter(_opted_out(name)).values_list("site_member", flat=True))
        for name in get_site().newsletters
    }


def _count_members(keys: Sequence[Any], opted_out: Mapping[str, Sequence[Any]]) -> dict[str, int]:
    """
    Count on the site: members, members with an address, and entitled ones by newsletter.

    Of entitled members, those who opted out are not counted.
    """
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
        number = Count("pk", distinct=True)
        met = entitled.aggregate(number=number)["number"]
        if those := opted_out[policy.newsletter]:
            met -= entitled.filter(_are("pk", those)).aggregate(number=number)["number"]
        counts[f"entitled {policy.newsletter}"] = met
    return counts


def _count_in_ledger(keys: Sequence[Any]) -> dict[str, int]:
    """Count for each newsletter the members who have it, and would lose it."""
    members = Member.objects.filter(_are("site_member", keys), contact__isnull=False)
    names = sorted(get_site().newsletters)
    numbers: dict[str, Count] = {}
    for number, name in enumerate(names):
        decision = Decision.objects.filter(member=OuterRef("pk"), newsletter=name)
        wanted = Q(Exists(decision.filter(wanted=True)))
        there = Subscription.objects.filter(contact=OuterRef("contact"), newsletter=name)
        held = Q(Exists(there.filter(confirmed_at__isnull=False).exclude(state=State.LOST)))
        opted_out = _opted_out(name)
        numbers |= {
            f"held_{number}": Count("pk", filter=held & wanted & ~opted_out),
            f"to_lose_{number}": Count("pk", filter=held | (wanted & ~opted_out)),
        }
    counted = members.aggregate(**numbers)
    return {
        f"{what} {name}": counted[f"{what}_{number}"]
        for number, name in enumerate(names)
        for what in ("held", "to_lose")
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
