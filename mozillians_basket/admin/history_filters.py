"""By what the history can be narrowed down; no filter reads the table for its choices."""

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
from mozillians_basket.models import Batch, Event
from mozillians_basket.site import get_site

#: How many actors and batches are offered; others are reached by a link from their rows.
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

    def with_chosen(self, choices: Choices, label: str = "%s") -> Choices:
        """The choices, and what is chosen now if it is none of them."""
        value = self.value()
        if value is None or value in {key for key, _label in choices}:
            return choices
        return [*choices, (value, label % value)]


class OutcomeFilter(Exact):
    """By what came of it."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The words that the ledger knows."""
        return list(WORDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """With the condition of the index beside it, by which SQLite knows that it may use it."""
        rows = super().queryset(request, queryset)
        return rows if self.value() is None else rows.filter(outcome__gt="")


class CauseFilter(Exact):
    """By what it began with."""

    title = _("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Changes of the watched models, and the app's own reasons."""
        return self.with_chosen(list(known_causes().items()))


class ActorFilter(Exact):
    """By the admin who asked for it."""

    title = _("actor")
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Admins who are in the history."""
        acted = Event.objects.filter(actor__isnull=False)
        users = get_user_model()._default_manager.filter(
            pk__in=values_in_use(acted, "actor_id", OFFERED)
        )
        names = sorted((user.get_username(), str(user.pk)) for user in users)
        return self.with_chosen([(key, name) for name, key in names])


class BatchFilter(Exact):
    """By the bulk request that it belongs to."""

    title = _("batch")
    parameter_name = "batch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The newest."""
        ordered = Batch.objects.exclude(state=Batch.State.DRAFT)
        newest = ordered.order_by("-pk").values_list("pk", flat=True)[:OFFERED]
        return self.with_chosen([(str(key), str(key)) for key in newest])


class NewsletterFilter(admin.SimpleListFilter):
    """By newsletter."""

    title = _("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The site's."""
        return [(name, name) for name in sorted(get_site().newsletters)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Left to ``LongList``, which looks for it in what all other filters leave."""
        return queryset
