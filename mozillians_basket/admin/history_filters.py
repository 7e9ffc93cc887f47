"""Filters of the history. None reads the table for its choices."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.causes import known_causes
from mozillians_basket.admin.long_lists import valid, values_in_use
from mozillians_basket.admin.outcomes import WORDS
from mozillians_basket.models import BulkRequest, Event
from mozillians_basket.site import get_site

#: The number of actors and bulk requests on offer; links from their rows lead to others.
OFFERED = 20

Choices = list[tuple[str, Any]]


class Exact(admin.SimpleListFilter):
    """One value of the column that the parameter is called by."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with the value."""
        value = self.value()
        if value is None:
            return queryset
        try:
            chosen = valid(Event._meta.get_field(self.parameter_name), value)
        except ValidationError:
            return queryset.none()
        return queryset.filter(**{self.parameter_name: chosen})


def with_chosen(value: str | None, choices: Choices) -> Choices:
    """The choices, and what is chosen now if it is none of them."""
    if value is None or value in {key for key, _label in choices}:
        return choices
    return [*choices, (value, value)]


class LookedThrough(admin.SimpleListFilter):
    """Filter by a column without an index, left to ``LongList``, which reads the newest rows."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """All of them."""
        return queryset


class OutcomeFilter(LookedThrough):
    """Filter by outcome."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The words that the ledger knows."""
        return list(WORDS.items())


class CauseFilter(LookedThrough):
    """Filter by cause."""

    title = _("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Changes of the watched models, and the app's own reasons."""
        choices = list(known_causes().items())
        return with_chosen(self.value(), choices)


class ActorFilter(Exact):
    """Filter by actor."""

    title = _("actor")
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Admins who are in the history."""
        acted = Event.objects.filter(actor__isnull=False)
        users = get_user_model()._default_manager.filter(
            pk__in=values_in_use(acted, "actor_id", OFFERED)
        )
        names = sorted((user.get_username(), str(user.pk)) for user in users)
        return with_chosen(self.value(), [(key, name) for name, key in names])


class BulkRequestFilter(Exact):
    """Filter by bulk request."""

    title = _("bulk request")
    parameter_name = "bulk_request"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The newest."""
        ordered = BulkRequest.objects.exclude(state=BulkRequest.State.DRAFT)
        newest = ordered.order_by("-pk").values_list("pk", flat=True)[:OFFERED]
        return with_chosen(self.value(), [(str(key), str(key)) for key in newest])


class NewsletterFilter(LookedThrough):
    """Filter by newsletter."""

    title = _("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The site's."""
        return [(name, name) for name in sorted(get_site().newsletters)]
