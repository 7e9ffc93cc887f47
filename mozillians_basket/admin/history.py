"""The history in the admin: a list of millions of rows, and the search for members in it."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldError, ValidationError
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from mozillians_basket.admin.lists import (
    CappedPaginator,
    ChoiceFilter,
    Choices,
    NewsletterChoice,
    members_with_key,
    valid,
)
from mozillians_basket.admin.pages import (
    BasketPages,
    Link,
    admin_of,
    at_address,
    may_see_addresses,
    member_admin,
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
    outcome_of,
)
from mozillians_basket.models import BulkRequest, Contact, Event, Member

#: The number of actors and bulk requests on offer; links from their rows lead to others.
OFFERED = 20

#: The rows that are looked through at once for a value that no index leads to.
LOOKED_THROUGH = 20_000

#: The number of members that a search leads to.
MOST = 100


class OutcomeFilter(ChoiceFilter):
    """Filter by outcome."""

    title = gettext_lazy("outcome")
    parameter_name = "outcome"
    choices_offered = OUTCOMES


class CauseFilter(ChoiceFilter):
    """Filter by cause: changes of the watched models, and the app's own reasons."""

    title = gettext_lazy("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return with_chosen(self.value(), list(known_causes().items()))


class Exact(admin.SimpleListFilter):
    """Filter by any value of the column that the parameter is called by."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        try:
            chosen = valid(Event._meta.get_field(self.parameter_name), value)
        except ValidationError:
            return queryset.none()
        return queryset.filter(**{self.parameter_name: chosen})


def values_in_use(rows: QuerySet[Any], field: str, limit: int) -> list[Any]:
    """
    The values of an indexed column, smallest first, at most so many.

    One step along the index for each: a DISTINCT would read all of it.
    """
    found: list[Any] = []
    while len(found) < limit:
        rest = rows.filter(**{f"{field}__gt": found[-1]}) if found else rows
        value = rest.order_by(field).values_list(field, flat=True).first()
        if value is None:
            break
        found.append(value)
    return found


class ActorFilter(Exact):
    """Filter by actor."""

    title = gettext_lazy("actor")
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
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
        ordered = BulkRequest.objects.exclude(state=BulkRequest.State.DRAFT)
        newest = ordered.order_by("-pk").values_list("pk", flat=True)[:OFFERED]
        return with_chosen(self.value(), [(str(key), str(key)) for key in newest])


def with_chosen(value: str | None, choices: Choices) -> Choices:
    """The choices, and what is chosen now if it is none of them."""
    if value is None or value in {key for key, _label in choices}:
        return choices
    return [*choices, (value, value)]


class LongList(ChangeList):
    """
    A list, newest first, of rows with ``created_at``.

    Values that no index leads to (``SOUGHT``, and a newsletter in the JSON list) are
    looked for among the newest rows that fit the other filters, so many at a time.
    """

    #: By parameter, the lookups that no index leads to; a change can have several causes.
    SOUGHT = {"cause": "cause__contains", "outcome": "outcome"}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        self.looked_back_to: Any = None
        sought = {
            lookup: self.params[name]
            for name, lookup in self.SOUGHT.items()
            if self.params.get(name)
        }
        newsletter = self.params.get("newsletter")
        if not newsletter and not sought:
            return rows
        if any("\x00" in value for value in [newsletter or "", *sought.values()]):
            return rows.none()
        edge = list(rows.values_list("created_at", flat=True)[LOOKED_THROUGH : LOOKED_THROUGH + 1])
        if edge:
            self.looked_back_to = edge[0]
            rows = rows.filter(created_at__gt=edge[0])
        if newsletter:  # as text, as not every database can look into a JSON list
            rows = rows.alias(_newsletters=Cast("newsletters", TextField()))
            sought["_newsletters__contains"] = f'"{newsletter}"'
        return rows.filter(**sought)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count  # or the search box would name it as the total
        self.result_list = list(self.result_list)

    @property
    def older(self) -> str:
        """The parameters that lead further back than the last page, or than was looked through."""
        if self.paginator.capped and self.result_list:
            edge = self.result_list[-1].created_at
        else:
            edge = self.looked_back_to
        if edge is None:
            return ""
        query: str = self.get_query_string({"created_at__lte": edge.isoformat()})
        return query


def events_found(request: HttpRequest, site: AdminSite, text: str) -> Q:
    """
    The condition on events for what an admin typed: matched exactly, so that indexes find them.

    They are the events of the members who are meant, and of the contacts that
    these have now. A text that is the key or the address of a member in the
    ledger is no name: a site's names and addresses need not have an index.
    Admins who may not view members find them by their keys only.
    """
    text, may_see = text.strip(), may_see_addresses(request)
    members, contacts = members_with_key(text), set[int]()
    if may_see:
        contacts |= set(at_address(text).values_list("pk", flat=True))
    known = Member.objects.filter(Q(site_member__in=members) | Q(contact__in=contacts))
    page = member_admin(site) if may_see and not known.exists() else None
    if page is not None and page.has_view_permission(request):
        rows = page.get_queryset(request).order_by()
        # One query for each field, as no index serves an OR over several tables.
        for name in page.get_search_fields(request):
            path = name.lstrip("^=@").removesuffix("__iexact").removesuffix("__exact")
            try:
                members.update(rows.filter(**{path: text}).values_list("pk", flat=True)[:MOST])
            except (FieldError, ValidationError, ValueError):
                continue  # not a field that this text can be in
        known = Member.objects.filter(site_member__in=list(members)[:MOST])
    for key, contact_id in known.values_list("site_member", "contact")[:MOST]:
        members |= {key} - {None}
        contacts |= {contact_id} - {None}
    return Q(member__in=list(members)[:MOST]) | Q(contact__in=contacts)


class EventAdmin(BasketPages):
    """The list of events, the newest first."""

    list_display = (
        "created_at", "person", "what", "shown_outcome", "shown_cause", "shown_actor", "task",
    )  # fmt: skip
    fields = list_display
    list_filter = (
        "kind", OutcomeFilter, NewsletterChoice, ActorFilter, CauseFilter, "created_at",
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
        title = pgettext("of newsletters", "History")
        if name:
            title = _("History of %(name)s") % {"name": name}
        context = {"title": title, "basket_back": back, **(extra_context or {})}
        return super().changelist_view(request, context)

    def _about(self, request: HttpRequest) -> tuple[str, Link]:
        """Name the member, contact or bulk request that the list is narrowed to, and its page."""
        site, back = self.admin_site, pgettext("a link to the page before", "Back")
        if key := request.GET.get("bulk_request", ""):
            url = url_of(request, site, BulkRequest, "change", key)
            return _("bulk request %(number)s") % {"number": key}, Link(back, url)
        found, url = members_with_key(request.GET.get("q", "").strip()), ""
        if (text := request.GET.get("contact__id__exact", "")).isdecimal():
            there = Member.objects.filter(contact=int(text[:18]), site_member__isnull=False)
            found = set(there.values_list("site_member", flat=True)[:OFFERED])
            url = url_of(request, site, Contact, "change", text)
        people = members(request, site, found)
        if len(people) == 1:
            [key] = people
            url = member_url(request, site, key, "basket")
        return listed(sorted(person.text for person in people.values())), Link(back, url)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LongList]:
        return LongList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        self.complete(request, list(changelist.result_list))
        return changelist

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term.strip():
            queryset = queryset.filter(events_found(request, self.admin_site, search_term))
        return queryset, False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        event: Any = super().get_object(request, object_id, from_field)
        if event is not None:
            self.complete(request, [event])
        return event

    def complete(self, request: HttpRequest, events: list[Any]) -> None:
        """Give the events of a page their members, and the entries of Celery's results."""
        people = members(request, self.admin_site, [event.member_id for event in events])
        task_ids, results = {event.task_id for event in events} - {""}, {}
        if task_ids and apps.is_installed("django_celery_results"):
            model = apps.get_model("django_celery_results", "TaskResult")
            page = admin_of(self.admin_site, model)
            if page is not None and page.has_view_permission(request):
                found = model._default_manager.filter(task_id__in=task_ids).only("task_id")
                results = {row.task_id: row.pk for row in found}
        for event in events:
            event.basket_person = people.get(event.member_id)
            event.basket_result = ""
            if event.task_id in results:
                url = page_url(self.admin_site, model, "change", results[event.task_id])
                event.basket_result = Link(_("result"), url)

    @admin.display(description=gettext_lazy("member"), empty_value="-")
    def person(self, event: Any) -> Any:
        if event.basket_person is not None:
            return event.basket_person
        if event.member_id is not None:
            return _("member %(key)s, gone") % {"key": event.member_id}
        if event.contact_id is not None:
            return _("contact %(key)s") % {"key": event.contact_id}
        return _("the whole site")

    @admin.display(description=gettext_lazy("event"))
    def what(self, event: Event) -> str:
        if not event.newsletters:
            return event.get_kind_display()
        return _("%(kind)s: %(newsletters)s") % {
            "kind": event.get_kind_display(),
            "newsletters": listed(event.newsletters),
        }

    @admin.display(description=gettext_lazy("outcome"))
    def shown_outcome(self, event: Event) -> str:
        return " ".join(filter(None, [outcome_of(event), event.note]))

    @admin.display(description=gettext_lazy("cause"))
    def shown_cause(self, event: Event) -> Any:
        text, key = cause_in_words(event.cause), event.bulk_request_id
        if key is None:
            return text
        text = text or _("bulk request %(number)s") % {"number": key}
        return Link(text, f"{self.url_to('changelist')}?bulk_request={key}")

    @admin.display(description=gettext_lazy("actor"))
    def shown_actor(self, event: Event) -> Any:
        if event.actor is None:
            return ""
        query = urlencode({"actor": event.actor.pk})
        return Link(event.actor.get_username(), f"{self.url_to('changelist')}?{query}")

    @admin.display(description=gettext_lazy("task"))
    def task(self, event: Any) -> Any:
        return event.basket_result
