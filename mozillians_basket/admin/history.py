"""The history in the admin."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from mozillians_basket.admin.lists import (
    CappedPaginator,
    LongList,
    events_found,
    members_with_key,
    valid,
    values_in_use,
)
from mozillians_basket.admin.pages import (
    BasketPages,
    Link,
    Person,
    admin_of,
    member_url,
    members,
    page_url,
    url_of,
)
from mozillians_basket.admin.wording import (
    OUTCOMES,
    cause_in_words,
    known_causes,
    listed,
    outcome_and_note,
)
from mozillians_basket.models import BulkRequest, Contact, Event, Member
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

    title = gettext_lazy("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The words that the ledger knows."""
        return list(OUTCOMES.items())


class CauseFilter(LookedThrough):
    """Filter by cause."""

    title = gettext_lazy("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Changes of the watched models, and the app's own reasons."""
        choices = list(known_causes().items())
        return with_chosen(self.value(), choices)


class ActorFilter(Exact):
    """Filter by actor."""

    title = gettext_lazy("actor")
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

    title = gettext_lazy("bulk request")
    parameter_name = "bulk_request"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The newest."""
        ordered = BulkRequest.objects.exclude(state=BulkRequest.State.DRAFT)
        newest = ordered.order_by("-pk").values_list("pk", flat=True)[:OFFERED]
        return with_chosen(self.value(), [(str(key), str(key)) for key in newest])


class EventNewsletterFilter(LookedThrough):
    """Filter by newsletter."""

    title = gettext_lazy("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The site's."""
        return [(name, name) for name in sorted(get_site().newsletters)]


class EventAdmin(BasketPages):
    """The list of events, the newest first."""

    list_display = (
        "created_at", "person", "what", "shown_outcome", "shown_cause", "shown_actor", "task",
    )  # fmt: skip
    fields = list_display
    list_filter = (
        "kind", OutcomeFilter, EventNewsletterFilter, ActorFilter, CauseFilter, "created_at",
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
        """The history: of everybody, or under a heading that says of what."""
        name, back = self._about(request)
        title = _("History of %(name)s") % {"name": name} if name else _("History")
        context = {"title": title, "basket_back": back, **(extra_context or {})}
        return super().changelist_view(request, context)

    def _about(self, request: HttpRequest) -> tuple[str, Link]:
        """Name the member, contact or bulk request that the list is narrowed to, and its page."""
        site, nowhere = self.admin_site, Link("", pgettext("a link to the page before", "Back"))
        if key := request.GET.get("bulk_request", ""):
            url = url_of(request, site, BulkRequest, "change", key)
            return _("bulk request %(number)s") % {"number": key}, replace(nowhere, url=url)
        found, url = members_with_key(request.GET.get("q", "").strip()), ""
        if (text := request.GET.get("contact__id__exact", "")).isdecimal():
            there = Member.objects.filter(contact=int(text[:18]), site_member__isnull=False)
            found = set(there.values_list("site_member", flat=True)[:OFFERED])
            url = url_of(request, site, Contact, "change", text)
        people = members(request, site, found)
        if len(people) == 1:
            [(key, person)] = people.items()
            return person.name, replace(nowhere, url=member_url(request, site, key, "basket"))
        return listed(sorted(each.name for each in people.values())), replace(nowhere, url=url)

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
        return {row.task_id: page_url(self.admin_site, model, "change", row.pk) for row in found}

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

    @admin.display(description=gettext_lazy("event"))
    def what(self, event: Event) -> str:
        """The kind of the event, and the newsletters that it is about."""
        if not event.newsletters:
            return event.get_kind_display()
        return _("%(kind)s: %(newsletters)s") % {
            "kind": event.get_kind_display(),
            "newsletters": listed(event.newsletters),
        }

    @admin.display(description=gettext_lazy("outcome"))
    def shown_outcome(self, event: Event) -> str:
        """The outcome, in words."""
        return outcome_and_note(event)

    @admin.display(description=gettext_lazy("cause"))
    def shown_cause(self, event: Event) -> str:
        """The cause in words; a bulk request with a link to its other events."""
        text = cause_in_words(event.cause)
        if event.bulk_request_id is None:
            return text
        key = event.bulk_request_id
        text = text or _("bulk request %(number)s") % {"number": key}
        return self._narrowed("bulk_request", key, text)

    @admin.display(description=gettext_lazy("actor"))
    def shown_actor(self, event: Event) -> str:
        """The actor, with a link to their other events."""
        if event.actor is None:
            return ""
        return self._narrowed("actor", event.actor.pk, event.actor.get_username())

    @admin.display(description=gettext_lazy("task"))
    def task(self, event: Any) -> str:
        """The entry of Celery's results."""
        return _linked(event.basket_result, _("result")) if event.basket_result else ""

    def _narrowed(self, name: str, value: Any, text: str) -> str:
        url = page_url(self.admin_site, Event, "changelist")
        return _linked(f"{url}?{urlencode({name: value})}", text)


def _linked(url: str, text: str) -> str:
    return format_html('<a href="{}">{}</a>', url, text) if url else text
