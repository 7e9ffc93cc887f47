"""The lists of contacts: their members, search and filters."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Exists, OuterRef, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mozillians_basket.admin.explanations import circumstances, next_attempt, problem
from mozillians_basket.admin.lists import (
    CappedPaginator,
    ChoiceFilter,
    Choices,
    NewsletterChoice,
    members_with_key,
)
from mozillians_basket.admin.member_page import summary_of_contact
from mozillians_basket.admin.pages import (
    BasketPages,
    Link,
    at_address,
    history_link,
    may_see_addresses,
    member_admin,
    member_url,
    members,
    visible_address,
)
from mozillians_basket.admin.wording import CLASSES, listed, separator
from mozillians_basket.models import Contact, Decision, Member, Problem, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site
from mozillians_basket.upkeep import statistics

Rows = QuerySet[Any]

#: States of subscriptions after which a contact has nothing to do with the newsletter.
OVER = (State.UNKNOWN, State.UNSUBSCRIBED, State.OPTED_OUT)


class ErrorFilter(ChoiceFilter):
    """Filter by the problem."""

    title = gettext_lazy("problem")
    parameter_name = "error"
    choices_offered = CLASSES

    def condition(self, chosen: str) -> Q:
        if chosen == "refused":
            own = ~Q(problem="") & ~Q(problem__in=Problem.values)
            return own | Q(Exists(_subscriptions(state=State.REFUSED)))
        if chosen == State.LOST:
            return Q(Exists(_subscriptions(state=State.LOST)))
        return Q(problem=chosen)


def _subscriptions(**conditions: Any) -> QuerySet[Subscription]:
    return Subscription.objects.filter(contact=OuterRef("pk"), **conditions)


class QueueFilter(ChoiceFilter):
    """Filter contacts by their place in the queue, as the overview counts them."""

    title = gettext_lazy("the queue")
    parameter_name = "queue"
    choices_offered = {
        "due": gettext_lazy("due now"),
        "under_way": gettext_lazy("under way"),
        "resting": gettext_lazy("looked at again later"),
    }

    def condition(self, chosen: str) -> Q:
        return statistics.waiting(timezone.now())[chosen]


class NewsletterFilter(NewsletterChoice):
    """Filter by a newsletter that the contact has, or that a member there wants."""

    def condition(self, chosen: str) -> Q:
        """The contacts with a member who wants it, or where Basket has it or refuses it."""
        wanted = Decision.objects.filter(
            member__contact=OuterRef("pk"), newsletter=chosen, wanted=True
        )
        rows = _subscriptions(newsletter=chosen).exclude(state__in=OVER)
        return Q(Exists(wanted)) | Q(Exists(rows))


def concerned(contact: Any) -> list[str]:
    """Return the newsletters by which ``NewsletterFilter`` finds a contact."""
    names = {row.newsletter for row in contact.subscriptions.all() if row.state not in OVER}
    for member in contact.members.all():
        names |= {decision.newsletter for decision in member.decisions.all() if decision.wanted}
    return sorted(names & get_site().newsletters)


class SubscriptionFilter(ChoiceFilter):
    """Filter by the state of one newsletter at Basket, as the overview counts them."""

    title = gettext_lazy("newsletter at Basket")
    parameter_name = "subscription"
    states = {
        "confirmed": gettext_lazy("%(newsletter)s: confirmed"),
        "awaiting": gettext_lazy("%(newsletter)s: awaiting confirmation"),
        "opted_out": gettext_lazy("%(newsletter)s: opted out"),
        "refused": gettext_lazy("%(newsletter)s: refused"),
        "missing": gettext_lazy("%(newsletter)s: missing at Basket"),
        "unsubscribed": gettext_lazy("%(newsletter)s: unsubscribed"),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            (f"{state} {name}", str(text) % {"newsletter": name})
            for name in sorted(get_site().newsletters)
            for state, text in self.states.items()
        ]

    def condition(self, chosen: str) -> Q:
        state, _space, name = chosen.partition(" ")
        if state == "opted_out":
            return Q(pk__in=statistics.opted_out_of(name))
        conditions = {**statistics.SUBSCRIPTIONS, "unsubscribed": Q(state=State.UNSUBSCRIBED)}
        return Q(Exists(_subscriptions(newsletter=name).filter(conditions[state])))


class WantedFilter(NewsletterChoice):
    """Filter the site's members by a newsletter that they should get; shown while in use."""

    title = gettext_lazy("newsletter that they should get")
    parameter_name = "basket_wanted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The site's newsletters, where the overview's number has led to the list."""
        return [] if self.value() is None else super().lookups(request, model_admin)

    def condition(self, chosen: str) -> Q:
        decisions = Decision.objects.filter(statistics.WANTED, newsletter=chosen)
        return Q(Exists(decisions.filter(member__site_member=OuterRef("pk"))))


class ContactPages(BasketPages):
    """Lists of contacts, with the members of each, who are read at once."""

    change_form_template = "admin/mozillians_basket/contact.html"
    filter_of_history = "contact__id__exact"
    page_title = gettext_lazy("Contact")
    show_facets = admin.ShowFacets.NEVER
    #: Only that there is a search box; how is said below.
    search_fields = ("pk",)
    search_help_text = gettext_lazy(
        "A member's whole address or key, or what finds them in the list of members."
    )

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Count what a search finds only up to a limit: a word may match everybody."""
        if request.GET.get(SEARCH_VAR):
            return CappedPaginator(queryset, *args, **kwargs)
        return super().get_paginator(request, queryset, *args, **kwargs)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist: Any = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        prefetch_related_objects(rows, "members", "subscriptions")
        keys = [member.site_member_id for row in rows for member in row.members.all()]
        people, now = members(request, self.admin_site, keys), circumstances()
        for row in rows:
            links = [(link,) for link in _members_at(row, people)]
            row.shown_members = format_html_join(separator(), "{}", links) or NOBODY
            row.shown_address = visible_address(request, row.email)
            row.next_attempt = next_attempt(row, now, row.subscriptions.all())
        changelist.result_list = rows
        return changelist

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """
        By the ledger's addresses, exactly; by the member's key; else as the site finds members.

        Admins who may not see addresses cannot find out by searching either.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        there = Member.objects.filter(contact__isnull=False)
        found = Q(pk__in=there.filter(site_member__in=members_with_key(term)).values("contact"))
        page = member_admin(self.admin_site)
        if may_see_addresses(request) and "@" in term:
            found |= Q(pk__in=at_address(term).values("pk"))
        elif may_see_addresses(request) and page is not None:
            rows = page.get_queryset(request).order_by()
            known, _duplicates = page.get_search_results(request, rows, term)
            there = there.filter(Exists(known.filter(pk=OuterRef("site_member"))))
            found |= Q(Exists(there.filter(contact=OuterRef("pk"))))
        return queryset.filter(found), False

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """One contact, with its members' newsletters and the reasons."""
        contact, site = context["original"], self.admin_site
        keys = [member.site_member_id for member in contact.members.all()]
        names = [link.text for link in _members_at(contact, members(request, site, keys))]
        keys, links = [key for key in keys if key is not None], []
        for key in keys:
            url = member_url(request, site, key)
            text = _("The member") if len(keys) == 1 else _("Member %(key)s") % {"key": key}
            links.append(Link(text, f"{url}#basket" if url else ""))
        links.append(history_link(request, site, contact__id__exact=contact.pk))
        context |= {
            "title": self.page_title,
            "subtitle": listed(names) or NOBODY,
            "basket": summary_of_contact(request, contact),
            "basket_links": [link for link in links if link.url],
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("problem"))
    def problem_shown(self, contact: Contact) -> str:
        return problem(contact, contact.subscriptions.all())

    @admin.display(description=gettext_lazy("member"))
    def member_shown(self, contact: Any) -> str:
        return str(contact.shown_members)

    @admin.display(description=gettext_lazy("member and address"))
    def member_and_address(self, contact: Any) -> str:
        return format_html("{}<br>{}", contact.shown_members, contact.shown_address)

    @admin.display(description=gettext_lazy("next attempt"))
    def next_attempt_shown(self, contact: Any) -> str:
        if not contact.attempts:
            return str(contact.next_attempt)
        text = ngettext(
            "%(next)s (%(count)d attempt failed so far)",
            "%(next)s (%(count)d attempts failed so far)",
            contact.attempts,
        )
        return text % {"next": contact.next_attempt, "count": contact.attempts}


NOBODY = gettext_lazy("nobody any more: deleted, or another address")


def _members_at(contact: Any, people: Mapping[Any, Link]) -> list[Link]:
    """The members at a contact, each with a link to their page."""
    return [
        people.get(member.site_member_id)
        or Link(
            _("no member, only an address")
            if member.site_member_id is None
            else _("member %(key)s") % {"key": member.site_member_id}
        )
        for member in contact.members.all()
    ]


class ContactAdmin(ContactPages):
    """All contacts, each with its queue, problem and newsletters. They can only be read."""

    list_display = ("id", "member_shown", "problem_shown", "next_attempt_shown", "settled_at")
    list_filter = (QueueFilter, SubscriptionFilter, NewsletterFilter, ErrorFilter)
    ordering = ("-pk",)
    sortable_by = ("id",)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page of the contact's member, if there is one member; else a page of its own."""
        keys = [member.site_member_id for member in context["original"].members.all()]
        # A deleted member may still be there, and has no page.
        if len(keys) == 1 and keys[0] in members(request, self.admin_site, keys):
            url = member_url(request, self.admin_site, keys[0], "basket")
            if url:
                return HttpResponseRedirect(url)
        return super().render_change_form(request, context, *args, **kwargs)
