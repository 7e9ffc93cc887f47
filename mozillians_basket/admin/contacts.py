"""The common part of the lists of contacts: their members, and search."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.addresses import at_addresses, may_see_addresses, shown
from mozillians_basket.admin.dossier import circumstances
from mozillians_basket.admin.explanations import next_attempt
from mozillians_basket.admin.pages import BasketPages
from mozillians_basket.admin.people import Person, member_admin, members
from mozillians_basket.admin.searching import members_with_key
from mozillians_basket.models import Contact, Member


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

    show_facets = admin.ShowFacets.NEVER
    #: Only that there is a search box; how is said below.
    search_fields = ("pk",)
    search_help_text = gettext_lazy(
        "A member's whole address or key, or what finds them in the list of members."
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Read the values that are shown beside each row."""
        changelist: Any = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        prefetch_related_objects(rows, "members", "subscriptions")
        people, now = self._people(request, rows), circumstances()
        for row in rows:
            row.shown = Shown(
                members=_names(row, people),
                address=shown(request, row.email),
                next_attempt=next_attempt(row, now),
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

    def whose(self, request: HttpRequest, contact: Any) -> str:
        """Name the members at a contact, for the title of its page."""
        people = self._people(request, [contact])
        names = [_name(member, people).name for member in contact.members.all()]
        return ", ".join(names) or _nobody()

    def member_keys(self, contact: Any) -> list[Any]:
        """The site's keys of the members at a contact."""
        keys = [member.site_member_id for member in contact.members.all()]
        return [key for key in keys if key is not None]

    @admin.display(description=gettext_lazy("member"))
    def member_shown(self, contact: Any) -> str:
        """The members at the contact."""
        return str(contact.shown.members)

    @admin.display(description=gettext_lazy("address"))
    def address_shown(self, contact: Any) -> str:
        """The address, as this admin may see it."""
        return str(contact.shown.address)

    @admin.display(description=gettext_lazy("next attempt"))
    def next_attempt_shown(self, contact: Any) -> str:
        """The time of the next attempt."""
        return str(contact.shown.next_attempt)


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
    return format_html_join(", ", "{}", linked) or _nobody()


def _name(member: Member, people: Mapping[Any, Person]) -> Person:
    if member.site_member_id is None:
        return Person(_("no member, only an address"), "")
    gone = Person(_("member %(key)s") % {"key": member.site_member_id}, "")
    return people.get(member.site_member_id, gone)


def _nobody() -> str:
    return _("nobody any more: deleted, or another address")
