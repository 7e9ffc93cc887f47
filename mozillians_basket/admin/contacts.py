"""What the lists of contacts share: whose they are, and how they are searched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.addresses import at_addresses, may_see_addresses, shown
from mozillians_basket.admin.dossier import circumstances
from mozillians_basket.admin.explanations import Circumstances, next_attempt
from mozillians_basket.admin.pages import BasketPages
from mozillians_basket.admin.people import Person, member_admin, members
from mozillians_basket.models import Contact
from mozillians_basket.site import get_site


@dataclass(frozen=True, slots=True)
class Shown:
    """What this admin sees of a row, beside its own fields."""

    member: str
    address: str
    next_attempt: str


class ContactPages(BasketPages):
    """
    Lists of contacts, with each one's member.

    The members of a page are read at once.
    """

    show_facets = admin.ShowFacets.NEVER
    #: Only that there is a search box; how is said below.
    search_fields = ("member",)
    search_help_text = gettext_lazy(
        "A member's whole address or key, or what finds them in the list of members."
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With what is shown of each row."""
        changelist: Any = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        people = self._people(request, rows)
        now = circumstances()
        for row in rows:
            row.shown = self._shown(request, row, people, now)
        changelist.result_list = rows
        return changelist

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """
        By the ledger's addresses, exactly; by the member's key; else as the site finds members.

        Who may not see addresses cannot find out by searching either.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        found = _with_member_key(term)
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
        members, _duplicates = page.get_search_results(
            request, page.get_queryset(request).order_by(), term
        )
        return Q(Exists(members.filter(pk=OuterRef("member_id"))))

    def _shown(
        self, request: HttpRequest, row: Any, people: Mapping[Any, Person], now: Circumstances
    ) -> Shown:
        person = people.get(row.member_id)
        name = _name(row, person)
        if person is not None and person.url:
            name = format_html('<a href="{}">{}</a>', person.url, name)
        return Shown(
            member=name,
            address=shown(request, row.wanted_email or row.email),
            next_attempt=next_attempt(row, now),
        )

    def _people(self, request: HttpRequest, rows: Iterable[Any]) -> Mapping[Any, Person]:
        return members(request, self.admin_site, [row.member_id for row in rows])

    def whose(self, request: HttpRequest, contact: Contact) -> str:
        """Whose contact it is, for the title of its page."""
        return _name(contact, self._people(request, [contact]).get(contact.member_id))

    @admin.display(description=gettext_lazy("member"))
    def member_shown(self, contact: Any) -> str:
        """Whose it is."""
        return str(contact.shown.member)

    @admin.display(description=gettext_lazy("address"))
    def address_shown(self, contact: Any) -> str:
        """The address on the site, or the one that is left in Basket."""
        return str(contact.shown.address)

    @admin.display(description=gettext_lazy("next attempt"))
    def next_attempt_shown(self, contact: Any) -> str:
        """When it is worked on next."""
        return str(contact.shown.next_attempt)


def _name(contact: Contact, person: Person | None) -> str:
    """Whose a row is: the member's name, or why it has none."""
    if person is not None:
        return person.name
    if contact.member_id is not None:
        return _("member %(key)s") % {"key": contact.member_id}
    if contact.departed_at is not None:
        return _("nobody any more: deleted, or another address")
    return _("no member, only an address")


def _with_member_key(term: str) -> Q:
    field: Any = get_site().member_model._meta.pk
    try:
        key = field.to_python(term)
        field.run_validators(key)  # no database takes a number of any length
    except ValidationError:
        return Q(pk__in=[])
    return Q(member=key)
