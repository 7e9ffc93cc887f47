"""The page on which an admin confirms a bulk request: a preview, and the choice of newsletters."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from mozillians_basket import bulk
from mozillians_basket.admin.pages import (
    BasketPages,
    is_off,
    may_change_newsletters,
    member_admin,
    page_url,
)
from mozillians_basket.admin.wording import grouped, listed
from mozillians_basket.client import calls
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.conf import conf
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.exceptions import BasketError
from mozillians_basket.models import BulkRequest, Decision, Member, Status, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site

#: Seconds that a page waits for Basket's catalogue.
PATIENCE = 2.0

#: Seconds for which the catalogue is kept, and for which it is not asked for after a failure.
KEPT, KEPT_AFTER_FAILURE = 300, 60


@dataclass(frozen=True, slots=True)
class Newsletter:
    """One that this site may change."""

    slug: str
    title: str = ""
    description: str = ""

    @property
    def name(self) -> str:
        """Its title, or its slug."""
        return self.title or self.slug


def offered() -> list[Newsletter]:
    """
    The site's own newsletters, and no others, in the order of their slugs.

    Titles and descriptions are Basket's, kept in Django's cache for some
    minutes; empty while Basket is away or the switch is off.
    """
    texts = _texts()
    return [Newsletter(slug, *texts.get(slug, ("", ""))) for slug in sorted(get_site().newsletters)]


Texts = dict[str, tuple[str, str]]


def _texts() -> Texts:
    place = hashlib.sha256(conf.URL.encode()).hexdigest()[:16]
    key = f"mozillians_basket.catalogue.{place}"
    try:
        known: Texts | None = cache.get(key)
    except Exception:  # noqa: BLE001 - any error of the cache: the page works without it
        return _ask_for_texts()[0]
    if known is None:
        known, seconds = _ask_for_texts()
        if seconds:
            cache.set(key, known, seconds)
    return known


def _ask_for_texts() -> tuple[Texts, int]:
    """Basket's answer, and the number of seconds to cache it."""
    if not switch_is_on() or Status.read().opened_at is not None:
        return {}, 0
    try:
        with calls.within(PATIENCE):
            catalogue = calls.catalogue()
    except BasketError:
        return {}, KEPT_AFTER_FAILURE
    texts = {
        slug: (str(entry.get("title") or ""), str(entry.get("description") or ""))
        for slug, entry in catalogue.items()
        if isinstance(entry, dict)
    }
    return texts, KEPT


class OrderForm(forms.Form):
    """The newsletters of a bulk request, and whether it overrides opt-outs."""

    newsletters = forms.MultipleChoiceField(
        label=gettext_lazy("Newsletters"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one newsletter.")},
    )
    despite_opt_out = forms.BooleanField(
        label=gettext_lazy("Also those who opted out themselves"),
        required=False,
        help_text=gettext_lazy(
            "They said no. Tick this only if they asked to be subscribed again."
        ),
    )

    def __init__(
        self, *args: Any, offered: Iterable[Newsletter], subscribe: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["newsletters"].choices = [  # type: ignore[attr-defined]
            (newsletter.slug, newsletter.name) for newsletter in offered
        ]
        if not subscribe:
            del self.fields["despite_opt_out"]


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


@dataclass(frozen=True, slots=True)
class Choice:
    """One newsletter on the page."""

    newsletter: Newsletter
    prospect: Prospect
    warning: str
    chosen: bool


class DraftPages(BasketPages):
    """The part of the bulk requests' admin that turns a draft into an order."""

    def confirm_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Show the form for the selected members; confirm the request when it is posted."""
        if not may_change_newsletters(request) or not self._may_view_members(request):
            raise PermissionDenied
        draft = get_object_or_404(BulkRequest.objects.defer("keys"), pk=key)
        if draft.actor_id != request.user.pk:
            raise PermissionDenied  # also when it is ordered already: it was not theirs to confirm
        if draft.state != BulkRequest.State.DRAFT:
            return HttpResponseRedirect(self.url_to("change", draft.pk))
        if request.method == "POST" and is_off(request):
            return HttpResponseRedirect(request.get_full_path())
        newsletters = offered()
        form = OrderForm(
            request.POST if request.method == "POST" else None,
            initial={"newsletters": request.GET.getlist("newsletters")},
            offered=newsletters,
            subscribe=draft.action == BulkRequest.Action.SUBSCRIBE,
        )
        if not form.is_valid():
            return self._ask(request, draft, form, newsletters)
        self._order(request, draft, form.cleaned_data)
        return HttpResponseRedirect(self.url_to("change", draft.pk))

    def _may_view_members(self, request: HttpRequest) -> bool:
        page = member_admin(self.admin_site)
        return page is not None and page.has_view_or_change_permission(request)

    def _order(self, request: HttpRequest, draft: BulkRequest, choice: dict[str, Any]) -> None:
        despite_opt_out = choice.get("despite_opt_out", False)
        if not bulk.confirm(draft, choice["newsletters"], despite_opt_out=despite_opt_out):
            return
        wake_sweeper()
        self.log_addition(request, draft, order_in_words(draft))
        self.message_user(
            request,
            _("Ordered. You may leave this page: it is carried out in the background."),
            messages.SUCCESS,
        )

    def _ask(
        self,
        request: HttpRequest,
        draft: BulkRequest,
        form: OrderForm,
        newsletters: list[Newsletter],
    ) -> HttpResponse:
        subscribe = draft.action == BulkRequest.Action.SUBSCRIBE
        preview = preview_of(draft.keys, subscribe=subscribe)
        return self.rendered(
            request,
            "confirm",
            title=_("Subscribe to newsletters")
            if subscribe
            else pgettext("an order by an admin", "Unsubscribe"),
            bulk_request=draft,
            selection=selection_in_words(draft),
            subscribe=subscribe,
            form=form,
            rows=choices_of(form, newsletters, preview, draft),
            preview=preview,
            back=self._list_url(request),
        )

    def _list_url(self, request: HttpRequest) -> str:
        """Return the address of the member list, as it was when the members were selected."""
        page: Any = member_admin(self.admin_site)
        url = page_url(self.admin_site, page.model, "changelist")
        filters = QueryDict(request.GET.get("_changelist_filters", "")).urlencode()
        return f"{url}?{filters}" if filters else url


def choices_of(
    form: OrderForm, newsletters: list[Newsletter], preview: Preview, draft: BulkRequest
) -> list[Choice]:
    """List the newsletters, each with a preview of the changes."""
    chosen = set(form["newsletters"].value() or ())
    return [
        Choice(
            newsletter,
            preview.by_newsletter[newsletter.slug],
            warning_of(newsletter, preview.by_newsletter[newsletter.slug], draft),
            newsletter.slug in chosen,
        )
        for newsletter in newsletters
    ]


def warning_of(newsletter: Newsletter, prospect: Prospect, row: BulkRequest) -> str:
    """Warn of members that the policy judges otherwise, and until when the order stands."""
    if not prospect.against_policy:
        return ""
    if row.action == BulkRequest.Action.SUBSCRIBE:
        text = ngettext(
            "%(count)s of them does not meet the policy of %(newsletter)s: they get it because "
            "you say so, until what the policy says of them changes.",
            "%(count)s of them do not meet the policy of %(newsletter)s: they get it because "
            "you say so, until what the policy says of them changes.",
            prospect.against_policy,
        )
    else:
        text = ngettext(
            "%(count)s of them meets the policy of %(newsletter)s: they lose it because you say "
            "so, until what the policy says of them changes.",
            "%(count)s of them meet the policy of %(newsletter)s: they lose it because you say "
            "so, until what the policy says of them changes.",
            prospect.against_policy,
        )
    return text % {"count": grouped(prospect.against_policy), "newsletter": newsletter.slug}


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
