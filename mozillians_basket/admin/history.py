"""The history in the admin."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.causes import in_words
from mozillians_basket.admin.history_filters import (
    ActorFilter,
    BulkRequestFilter,
    CauseFilter,
    NewsletterFilter,
    OutcomeFilter,
)
from mozillians_basket.admin.long_lists import CappedPaginator, LongList
from mozillians_basket.admin.outcomes import words_of
from mozillians_basket.admin.pages import BasketPages
from mozillians_basket.admin.people import Person, admin_of, members, url_of
from mozillians_basket.admin.searching import events_found
from mozillians_basket.models import Event


class EventAdmin(BasketPages):
    """The list of events, the newest first."""

    list_display = (
        "created_at", "person", "kind", "shown_newsletters", "shown_outcome", "shown_cause",
        "shown_actor", "shown_bulk_request", "task",
    )  # fmt: skip
    fields = list_display
    list_filter = (
        "kind", OutcomeFilter, NewsletterFilter, ActorFilter, CauseFilter, "created_at",
        BulkRequestFilter,
    )  # fmt: skip
    list_select_related = ("actor",)
    sortable_by = ()
    ordering = ("-created_at", "-pk")
    paginator = CappedPaginator
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("pk",)  # shows the box; get_search_results does the search
    search_help_text = gettext_lazy(
        "A member's key, or exactly what members are searched by: a name, an address."
    )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The history."""
        return super().changelist_view(request, {"title": _("History"), **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LongList]:
        """A list that never reads the whole table."""
        return LongList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The events of the members that the search finds."""
        if search_term.strip():
            queryset = queryset.filter(events_found(request, self.admin_site, search_term))
        return queryset, False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """An event with its member and its task's result, as in the list."""
        event: Event | None = super().get_object(request, object_id, from_field)
        if event is not None:
            self.complete(request, [event])
        return event

    def complete(self, request: HttpRequest, events: Iterable[Event]) -> None:
        """Give the events of a page their members, and the entries of Celery's results."""
        rows: list[Any] = list(events)
        people = members(request, self.admin_site, [row.member_id for row in rows])
        results = self._results(request, {row.task_id for row in rows if row.task_id})
        for row in rows:
            row.basket_person = people.get(row.member_id)
            row.basket_result = results.get(row.task_id, "")

    def _results(self, request: HttpRequest, task_ids: set[str]) -> dict[str, str]:
        """Return the page of each task's result, if django-celery-results has one to show."""
        if not task_ids or not apps.is_installed("django_celery_results"):
            return {}
        model = apps.get_model("django_celery_results", "TaskResult")
        page = admin_of(self.admin_site, model)
        if page is None or not page.has_view_permission(request):
            return {}
        found = model._default_manager.filter(task_id__in=task_ids).only("task_id")
        return {row.task_id: url_of(self.admin_site, row) for row in found}

    @admin.display(description=gettext_lazy("member"), empty_value="-")
    def person(self, event: Any) -> str | None:
        """The member of the event, with a link to their page."""
        person: Person | None = event.basket_person
        if person is not None:
            return _linked(person.url, person.name)
        if event.member_id is not None:
            return _("member %(key)s, gone") % {"key": event.member_id}
        if event.contact_id is not None:
            return _("contact %(key)s") % {"key": event.contact_id}
        return _("the whole site")

    @admin.display(description=gettext_lazy("newsletters"))
    def shown_newsletters(self, event: Event) -> str:
        """The newsletters that it is about."""
        return ", ".join(event.newsletters)

    @admin.display(description=gettext_lazy("outcome"))
    def shown_outcome(self, event: Event) -> str:
        """The outcome, in words."""
        return words_of(event)

    @admin.display(description=gettext_lazy("cause"))
    def shown_cause(self, event: Event) -> str:
        """The cause, in words."""
        return in_words(event.cause)

    @admin.display(description=gettext_lazy("actor"))
    def shown_actor(self, event: Event) -> str:
        """The actor, with a link to their other events."""
        if event.actor is None:
            return ""
        return self._narrowed("actor", event.actor.pk, event.actor.get_username())

    @admin.display(description=gettext_lazy("bulk request"))
    def shown_bulk_request(self, event: Event) -> str:
        """The bulk request, with a link to its other events."""
        if event.bulk_request_id is None:
            return ""
        key = event.bulk_request_id
        return self._narrowed("bulk_request", key, str(key))

    @admin.display(description=gettext_lazy("task"))
    def task(self, event: Any) -> str:
        """The entry of Celery's results."""
        return _linked(event.basket_result, _("result")) if event.basket_result else ""

    def _narrowed(self, name: str, value: Any, text: str) -> str:
        url = reverse("admin:mozillians_basket_event_changelist", current_app=self.admin_site.name)
        return _linked(f"{url}?{urlencode({name: value})}", text)


def _linked(url: str, text: str) -> str:
    return format_html('<a href="{}">{}</a>', url, text) if url else text
