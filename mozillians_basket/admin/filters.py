"""Filters of contacts for the admin's lists. None asks the database which choices there are."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.plain_words import CLASSES
from mozillians_basket.models import Subscription
from mozillians_basket.site import get_site
from mozillians_basket.states import State

Rows = QuerySet[Any]

#: Lines that a failing sync leaves as they should not be, or may: all but those that are over.
CONCERNED = Q(wanted=True) | ~Q(state__in=[State.UNSUBSCRIBED, State.OPTED_OUT])


def is_concerned(line: Subscription) -> bool:
    """``CONCERNED``, of a line that has been read."""
    return line.wanted or line.state not in {State.UNSUBSCRIBED, State.OPTED_OUT}


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
    """By what went wrong."""

    title = _("what is wrong")
    parameter_name = "error"
    choices_offered = CLASSES

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """Those with this label."""
        return queryset.filter(error=self.chosen()) if self.chosen() else queryset


class StandingFilter(ContactFilter):
    """By what becomes of it without an admin."""

    title = _("what it waits for")
    parameter_name = "waits"
    choices_offered = {
        "retry": _("the next attempt"),
        "parked": _("an admin: parked"),
        "address": _("an address that Basket accepts"),
        "refused": _("an admin: refused otherwise"),
    }

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """Those in this standing."""
        refused = Q(error="refused")
        address = refused & (Q(error_code=2) | ~Q(refused_email=""))
        conditions = {
            "retry": Q(parked_at__isnull=True) & ~refused,
            "parked": Q(parked_at__isnull=False),
            "address": address,
            "refused": refused & ~address,
        }
        return queryset.filter(conditions[self.chosen()]) if self.chosen() else queryset


class NewsletterFilter(ContactFilter):
    """By a newsletter that is concerned."""

    title = _("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The site's newsletters."""
        return [(name, name) for name in sorted(get_site().newsletters)]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """Those whose sync concerns it."""
        if not self.chosen():
            return queryset
        lines = Subscription.objects.filter(contact=OuterRef("pk"), newsletter=self.chosen())
        return queryset.filter(Exists(lines.filter(CONCERNED)))


class StateFilter(ContactFilter):
    """By the state of any newsletter."""

    title = _("state of a newsletter")
    parameter_name = "state"
    choices_offered = dict(State.choices)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """Those with a newsletter in this state."""
        if not self.chosen():
            return queryset
        lines = Subscription.objects.filter(contact=OuterRef("pk"), state=self.chosen())
        return queryset.filter(Exists(lines))


class AgeFilter(ContactFilter):
    """By since when it fails."""

    title = _("when it began")
    parameter_name = "since"
    choices_offered = {
        "hour": _("the last hour"),
        "day": _("the last day"),
        "week": _("the last week"),
        "older": _("longer ago"),
    }

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """Those that began to fail then."""
        now, week = timezone.now(), timedelta(weeks=1)
        ages = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": week}
        if self.chosen() == "older":
            return queryset.filter(failing_since__lt=now - week)
        if self.chosen():
            return queryset.filter(failing_since__gte=now - ages[self.chosen()])
        return queryset


class DismissedFilter(ContactFilter):
    """By whether an admin put it aside; those are left out if nothing else is chosen."""

    title = _("what an admin said")
    parameter_name = "dismissed"
    choices_offered = {"yes": _("put aside"), "any": _("all")}

    def choices(self, changelist: Any) -> Any:
        """The choices, the first of which is not "all" here."""
        shown = list(super().choices(changelist))
        shown[0]["display"] = _("not put aside")
        return shown

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """Those that are to be seen."""
        if self.chosen() == "any":
            return queryset
        return queryset.filter(dismissed_at__isnull=self.chosen() != "yes")
