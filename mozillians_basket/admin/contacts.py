"""The lists of contacts: their members, search and filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Exists, OuterRef, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from mozillians_basket.admin.explanations import next_attempt, problem
from mozillians_basket.admin.lists import CappedPaginator, members_with_key
from mozillians_basket.admin.pages import (
    BasketPages,
    Person,
    at_addresses,
    links_about,
    may_see_addresses,
    member_admin,
    member_url,
    members,
    visible_address,
)
from mozillians_basket.admin.summary import circumstances, summary_of_contact
from mozillians_basket.admin.wording import CLASSES, listed, separator
from mozillians_basket.models import Contact, Decision, Member, Problem, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site
from mozillians_basket.upkeep import statistics

Rows = QuerySet[Any]

#: States of subscriptions after which a contact has nothing to do with the newsletter.
OVER = (State.UNKNOWN, State.UNSUBSCRIBED, State.OPTED_OUT)


class ContactFilter(admin.SimpleListFilter):
    """A filter whose choices are known; one that is not among them filters nothing."""

    choices_offered: dict[str, Any] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return list(self.choices_offered.items())

    def chosen(self) -> str:
        """The choice; empty for none, and for one that is not offered."""
        value = self.value() or ""
        return value if value in dict(self.lookup_choices) else ""

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The contacts that the choice leaves."""
        return queryset.filter(self.condition(self.chosen())) if self.chosen() else queryset

    def condition(self, chosen: str) -> Q:
        """The condition of a choice."""
        raise NotImplementedError


class ErrorFilter(ContactFilter):
    """Filter by the problem."""

    title = gettext_lazy("problem")
    parameter_name = "error"
    choices_offered = CLASSES

    def condition(self, chosen: str) -> Q:
        """The contacts with this problem."""
        if chosen == "refused":
            own = ~Q(problem="") & ~Q(problem__in=Problem.values)
            return own | Q(Exists(_subscriptions(state=State.REFUSED)))
        if chosen == State.LOST:
            return Q(Exists(_subscriptions(state=State.LOST)))
        return Q(problem=chosen)


def _subscriptions(**conditions: Any) -> QuerySet[Subscription]:
    return Subscription.objects.filter(contact=OuterRef("pk"), **conditions)


class StandingFilter(ContactFilter):
    """Filter problems by what they wait for, as the overview counts them."""

    title = gettext_lazy("waits for")
    parameter_name = "waits"
    choices_offered = {
        "admins": gettext_lazy("an admin or a change: all of these"),
        "parked": gettext_lazy("an admin: parked"),
        "address": gettext_lazy("an address that Basket accepts"),
        "refused": gettext_lazy("an admin: refused otherwise, or missing"),
        "retry": gettext_lazy("the next attempt, by itself"),
    }

    def condition(self, chosen: str) -> Q:
        """The contacts that wait for this."""
        return statistics.in_problem_group(chosen)


class QueueFilter(ContactFilter):
    """Filter contacts by their place in the queue, as the overview counts them."""

    title = gettext_lazy("the queue")
    parameter_name = "queue"
    choices_offered = {
        "due": gettext_lazy("due now"),
        "under_way": gettext_lazy("under way"),
        "resting": gettext_lazy("looked at again later"),
    }

    def condition(self, chosen: str) -> Q:
        """The contacts in this part of the queue."""
        return statistics.waiting(timezone.now())[chosen]


class NewsletterFilter(ContactFilter):
    """Filter by a newsletter that the contact has, or that a member there wants."""

    title = gettext_lazy("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The site's newsletters."""
        return [(name, name) for name in sorted(get_site().newsletters)]

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


class SubscriptionFilter(ContactFilter):
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

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Each of the site's newsletters in each state."""
        return [
            (f"{state} {name}", str(text) % {"newsletter": name})
            for name in sorted(get_site().newsletters)
            for state, text in self.states.items()
        ]

    def condition(self, chosen: str) -> Q:
        """The contacts with the newsletter in this state."""
        state, _space, name = chosen.partition(" ")
        conditions = {**statistics.SUBSCRIPTIONS, "unsubscribed": Q(state=State.UNSUBSCRIBED)}
        return Q(Exists(_subscriptions(newsletter=name).filter(conditions[state])))


class WantedFilter(ContactFilter):
    """Filter the site's members by a newsletter that they should get; shown while in use."""

    title = gettext_lazy("newsletter that they should get")
    parameter_name = "basket_wanted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The site's newsletters, where the overview's number has led to the list."""
        if self.value() is None:
            return []
        return [(name, name) for name in sorted(get_site().newsletters)]

    def condition(self, chosen: str) -> Q:
        """The members whose decisions the overview counts."""
        decisions = Decision.objects.filter(statistics.WANTED, newsletter=chosen)
        return Q(Exists(decisions.filter(member__site_member=OuterRef("pk"))))


class AgeFilter(ContactFilter):
    """Filter by the begin of the problem."""

    title = gettext_lazy("when it began")
    parameter_name = "since"
    choices_offered = {
        "hour": gettext_lazy("the last hour"),
        "day": gettext_lazy("the last day"),
        "week": gettext_lazy("the last week"),
        "older": gettext_lazy("longer ago"),
    }

    def condition(self, chosen: str) -> Q:
        """The contacts that began to fail in this time."""
        now, week = timezone.now(), timedelta(weeks=1)
        ages = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": week}
        if chosen == "older":
            return Q(failing_since__lt=now - week)
        return Q(failing_since__gte=now - ages[chosen])


class DismissedFilter(ContactFilter):
    """Filter by dismissal. Dismissed problems are hidden unless they are chosen."""

    title = gettext_lazy("dismissal")
    parameter_name = "dismissed"
    choices_offered = {
        "yes": gettext_lazy("dismissed"),
        "any": pgettext_lazy("problems, dismissed or not", "all"),
    }

    def choices(self, changelist: Any) -> Any:
        """The choices, the first of which is not "all" here."""
        shown = list(super().choices(changelist))
        shown[0]["display"] = _("not dismissed")
        return shown

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The problems that are shown."""
        if self.chosen() == "any":
            return queryset
        return queryset.filter(dismissed_at__isnull=self.chosen() != "yes")


@dataclass(frozen=True, slots=True)
class Shown:
    """The values that this admin may see beside a row's own fields."""

    members: str
    address: str
    next_attempt: str


class ContactPages(BasketPages):
    """
    Lists of contacts, with the members of each.

    The members of a page are read at once.
    """

    change_form_template = "admin/mozillians_basket/contact.html"
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
        """Read the values that are shown beside each row."""
        changelist: Any = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        prefetch_related_objects(rows, "members", "subscriptions")
        people, now = self._people(request, rows), circumstances()
        for row in rows:
            row.shown = Shown(
                members=_names(row, people),
                address=visible_address(request, row.email),
                next_attempt=next_attempt(row, now, row.subscriptions.all()),
            )
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
        if may_see_addresses(request):
            if "@" in term:
                found |= Q(pk__in=at_addresses(Contact.objects.all(), [term]).values("pk"))
            else:
                found |= self._as_the_site_finds(request, term)
        return queryset.filter(found), False

    def _as_the_site_finds(self, request: HttpRequest, term: str) -> Q:
        page = member_admin(self.admin_site)
        if page is None:
            return Q(pk__in=[])
        found, _duplicates = page.get_search_results(
            request, page.get_queryset(request).order_by(), term
        )
        there = Member.objects.filter(contact=OuterRef("pk"))
        return Q(Exists(there.filter(Exists(found.filter(pk=OuterRef("site_member"))))))

    def _people(self, request: HttpRequest, rows: Iterable[Any]) -> Mapping[Any, Person]:
        keys = [member.site_member_id for row in rows for member in row.members.all()]
        return members(request, self.admin_site, keys)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One contact, with its members' newsletters and the reasons."""
        contact = self.get_object(request, object_id or "")
        context = dict(extra_context or {})
        if contact is not None and self.has_view_permission(request, contact):
            keys = [member.site_member_id for member in contact.members.all()]
            keys = [key for key in keys if key is not None]
            context = {
                "title": _("Contact"),
                "subtitle": self.whose(request, contact),
                "basket": summary_of_contact(request, contact),
                "basket_links": links_about(request, self.admin_site, contact, keys),
                **context,
            }
        return super().changeform_view(request, object_id, form_url, context)

    def whose(self, request: HttpRequest, contact: Any) -> str:
        """Name the members at a contact, for the title of its page."""
        people = self._people(request, [contact])
        names = [_name(member, people).name for member in contact.members.all()]
        return listed(names) or _nobody()

    @admin.display(description=gettext_lazy("member"))
    def member_shown(self, contact: Any) -> str:
        """The members at the contact."""
        return str(contact.shown.members)

    @admin.display(description=gettext_lazy("member and address"))
    def member_and_address(self, contact: Any) -> str:
        """The members at the contact, above the address as this admin may see it."""
        return format_html("{}<br>{}", contact.shown.members, contact.shown.address)

    @admin.display(description=gettext_lazy("next attempt"))
    def next_attempt_shown(self, contact: Any) -> str:
        """The time of the next attempt, and the number of those that failed."""
        if not contact.attempts:
            return str(contact.shown.next_attempt)
        text = ngettext(
            "%(next)s (%(count)d attempt failed so far)",
            "%(next)s (%(count)d attempts failed so far)",
            contact.attempts,
        )
        return text % {"next": contact.shown.next_attempt, "count": contact.attempts}


def _names(contact: Any, people: Mapping[Any, Person]) -> str:
    """The members at a contact, each with a link to their page."""
    found = [_name(member, people) for member in contact.members.all()]
    linked = [
        (
            format_html('<a href="{}">{}</a>', person.url, person.name)
            if person.url
            else person.name,
        )
        for person in found
    ]
    return format_html_join(separator(), "{}", linked) or _nobody()


def _name(member: Member, people: Mapping[Any, Person]) -> Person:
    if member.site_member_id is None:
        return Person(_("no member, only an address"), "")
    gone = Person(_("member %(key)s") % {"key": member.site_member_id}, "")
    return people.get(member.site_member_id, gone)


def _nobody() -> str:
    return _("nobody any more: deleted, or another address")


class ContactAdmin(ContactPages):
    """All contacts, each with its queue, problem and newsletters. They can only be read."""

    list_display = ("id", "member_shown", "problem_shown", "next_attempt_shown", "settled_at")
    list_filter = (QueueFilter, SubscriptionFilter, NewsletterFilter, ErrorFilter)
    ordering = ("-pk",)
    sortable_by = ("id",)

    @admin.display(description=gettext_lazy("problem"))
    def problem_shown(self, contact: Contact) -> str:
        """In plain words, with the code beside them."""
        return problem(contact, contact.subscriptions.all())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of the contact's member, if there is one member; else a page of its own."""
        contact = self.get_object(request, object_id or "")
        if contact is not None and self.has_view_permission(request, contact):
            keys = [member.site_member_id for member in contact.members.all()]
            url = member_url(request, self.admin_site, keys[0], "basket") if len(keys) == 1 else ""
            if url and keys[0] is not None:
                return HttpResponseRedirect(url)
        return super().changeform_view(request, object_id, form_url, extra_context)
