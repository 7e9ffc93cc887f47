"""Filters of contacts for the admin's lists. None reads its choices from the database."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.plain_words import CLASSES
from mozillians_basket.models import Contact, Decision, Problem, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site

Rows = QuerySet[Any]

#: Contacts whose own problem is a refusal, as Basket's error code stands there.
REFUSED = ~Q(problem="") & ~Q(problem__in=Problem.values)


def failing(contacts: Rows) -> Rows:
    """
    Of some contacts, those with a problem: they fail, are parked, refused or missing at Basket.

    As a union, so that each half goes by its index.
    """
    own = Contact.objects.filter(~Q(problem=""), failing_since__isnull=False).values("pk")
    rows = Subscription.objects.filter(
        newsletter__in=get_site().newsletters, state__in=[State.REFUSED, State.LOST]
    )
    return contacts.filter(pk__in=own.union(rows.values("contact")))


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


class ErrorFilter(ContactFilter):
    """Filter by the problem."""

    title = _("problem")
    parameter_name = "error"
    choices_offered = CLASSES

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The contacts with this problem."""
        chosen = self.chosen()
        if not chosen:
            return queryset
        if chosen == "refused":
            return queryset.filter(REFUSED | Q(Exists(_in_state(State.REFUSED))))
        if chosen == State.LOST:
            return queryset.filter(Exists(_in_state(State.LOST)))
        return queryset.filter(problem=chosen)


def _in_state(state: State) -> QuerySet[Subscription]:
    return Subscription.objects.filter(contact=OuterRef("pk"), state=state)


class StandingFilter(ContactFilter):
    """Filter by the reason for waiting."""

    title = _("waits for")
    parameter_name = "waits"
    choices_offered = {
        "retry": _("the next attempt"),
        "parked": _("an admin: parked"),
        "address": _("an address that Basket accepts"),
        "refused": _("an admin: refused otherwise"),
    }

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The contacts that wait for this."""
        rows = _in_state(State.REFUSED)
        address = Q(problem="2") | Q(Exists(rows.filter(error_code="2")))
        refused = REFUSED | Q(Exists(rows)) | Q(Exists(_in_state(State.LOST)))
        conditions = {
            "retry": Q(parked=False, problem__in=Problem.values),
            "parked": Q(parked=True, problem__in=Problem.values),
            "address": address,
            "refused": refused & ~address,
        }
        return queryset.filter(conditions[self.chosen()]) if self.chosen() else queryset


class NewsletterFilter(ContactFilter):
    """Filter by a newsletter that the contact has, or that a member there wants."""

    title = _("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The site's newsletters."""
        return [(name, name) for name in sorted(get_site().newsletters)]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The contacts with a member who wants it, or where Basket has it or refuses it."""
        name = self.chosen()
        if not name:
            return queryset
        wanted = Decision.objects.filter(
            member__contact=OuterRef("pk"), newsletter=name, wanted=True
        )
        rows = Subscription.objects.filter(contact=OuterRef("pk"), newsletter=name)
        over = [State.UNKNOWN, State.UNSUBSCRIBED, State.OPTED_OUT]
        return queryset.filter(Q(Exists(wanted)) | Q(Exists(rows.exclude(state__in=over))))


def concerned(contact: Any) -> list[str]:
    """Return the newsletters by which ``NewsletterFilter`` finds a contact."""
    over = {State.UNKNOWN, State.UNSUBSCRIBED, State.OPTED_OUT}
    names = {row.newsletter for row in contact.subscriptions.all() if row.state not in over}
    for member in contact.members.all():
        names |= {decision.newsletter for decision in member.decisions.all() if decision.wanted}
    return sorted(names & get_site().newsletters)


class StateFilter(ContactFilter):
    """Filter by the state of any subscription."""

    title = _("state of a newsletter")
    parameter_name = "state"
    choices_offered = Subscription.STATES

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The contacts with a subscription in this state."""
        if not self.chosen():
            return queryset
        return queryset.filter(Exists(_in_state(State(self.chosen()))))


class AgeFilter(ContactFilter):
    """Filter by the begin of the problem."""

    title = _("when it began")
    parameter_name = "since"
    choices_offered = {
        "hour": _("the last hour"),
        "day": _("the last day"),
        "week": _("the last week"),
        "older": _("longer ago"),
    }

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The contacts that began to fail in this time."""
        now, week = timezone.now(), timedelta(weeks=1)
        ages = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": week}
        if self.chosen() == "older":
            return queryset.filter(failing_since__lt=now - week)
        if self.chosen():
            return queryset.filter(failing_since__gte=now - ages[self.chosen()])
        return queryset


class DismissedFilter(ContactFilter):
    """Filter by dismissal. Dismissed problems are hidden unless they are chosen."""

    title = _("answer of an admin")
    parameter_name = "dismissed"
    choices_offered = {"yes": _("put aside"), "any": _("all")}

    def choices(self, changelist: Any) -> Any:
        """The choices, the first of which is not "all" here."""
        shown = list(super().choices(changelist))
        shown[0]["display"] = _("not put aside")
        return shown

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The problems that are shown."""
        if self.chosen() == "any":
            return queryset
        return queryset.filter(dismissed_at__isnull=self.chosen() != "yes")
