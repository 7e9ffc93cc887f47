"""Lists of very large tables, and the search for members in them."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldError, ValidationError
from django.core.paginator import Page, Paginator
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.pages import at_addresses, may_see_addresses, member_admin
from mozillians_basket.models import Contact, Member
from mozillians_basket.site import get_site

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator


Choices = list[tuple[str, Any]]

#: Rows are counted, and pages offered, up to here.
COUNTED = 10_000

#: The rows that are looked through at once for a value that no index leads to.
LOOKED_THROUGH = 20_000


class CappedPaginator(AnyPaginator):
    """Counts no further than ``COUNTED``; older rows are reached by their date."""

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        return int(rows.values("pk")[: COUNTED + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._found, COUNTED)

    def page(self, number: int | str) -> Any:
        """A page, by the keys of its rows: what is before it is passed over in the index alone."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        rows: Any = self.object_list
        keys = list(rows.values_list("pk", flat=True)[first : min(first + self.per_page, COUNTED)])
        return Page(rows.filter(pk__in=keys), number, self)

    @property
    def capped(self) -> bool:
        return self._found > COUNTED


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


def valid(field: Any, text: str) -> Any:
    """
    A value for a column, from what somebody wrote into an address or a search box.

    :raises ValidationError: when the column cannot hold it, by its kind or its size.
    """
    target = field.target_field if field.is_relation else field
    value = target.to_python(text)
    target.run_validators(value)
    ProhibitNullCharactersValidator()(text)  # PostgreSQL holds none
    return value


class ChoiceFilter(admin.SimpleListFilter):
    """A filter whose choices are known; one that is not among them filters nothing."""

    choices_offered: dict[str, Any] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(self.choices_offered.items())

    def chosen(self) -> str:
        """The choice; empty for none, and for one that is not offered."""
        value = self.value() or ""
        return value if value in dict(self.lookup_choices) else ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.condition(self.chosen())) if self.chosen() else queryset

    def condition(self, chosen: str) -> Q:
        """The condition of a choice; none where ``LongList`` looks for it."""
        return Q()


class NewsletterChoice(ChoiceFilter):
    """Filter by one of the site's newsletters."""

    title = gettext_lazy("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, name) for name in sorted(get_site().newsletters)]


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


#: The number of members that a search leads to.
MOST = 100


def members_with_key(text: str) -> set[Any]:
    """The key that a text is, if the member model can have such a key."""
    try:
        return {valid(get_site().member_model._meta.pk, text)}
    except ValidationError:
        return set()


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
        found = at_addresses(Contact.objects.all(), [text])
        contacts |= set(found.values_list("pk", flat=True))
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
