"""Find a member's history by key, by the search fields of the site's admin, or by address."""

from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import FieldError, ValidationError
from django.db.models import Q
from django.http import HttpRequest

from mozillians_basket.admin.addresses import at_addresses, may_see_addresses
from mozillians_basket.admin.long_lists import valid
from mozillians_basket.admin.people import member_admin
from mozillians_basket.models import Contact, Member
from mozillians_basket.site import get_site

#: The number of members that a search leads to.
MOST = 100


def events_found(request: HttpRequest, site: AdminSite, text: str) -> Q:
    """
    The condition on events for what an admin typed: matched exactly, so that indexes find them.

    They are the events of the members who are meant, and of the contacts that
    these have now. Admins who may not view members find them by their keys only.
    """
    text = text.strip()
    members = members_with_key(text)
    contacts: set[int] = set()
    if may_see_addresses(request):
        members |= _members_named(request, site, text)
        found = at_addresses(Contact.objects.all(), [text])
        contacts |= set(found.values_list("pk", flat=True))
    chosen = list(members)[:MOST]
    known = Member.objects.filter(site_member__in=chosen, contact__isnull=False)
    contacts |= set(known.values_list("contact", flat=True))
    return Q(member__in=chosen) | Q(contact__in=contacts)


def members_with_key(text: str) -> set[Any]:
    """The key that a text is, if the member model can have such a key."""
    try:
        return {valid(get_site().member_model._meta.pk, text)}
    except ValidationError:
        return set()


def _members_named(request: HttpRequest, site: AdminSite, text: str) -> set[Any]:
    """Search with one query for each field, as no index serves an OR over several tables."""
    page = member_admin(site)
    if page is None or not page.has_view_permission(request):
        return set()
    found: set[Any] = set()
    rows = page.get_queryset(request).order_by()
    for name in page.get_search_fields(request):
        path = name.lstrip("^=@").removesuffix("__iexact").removesuffix("__exact")
        try:
            keys = rows.filter(**{path: text}).values_list("pk", flat=True)[:MOST]
            found.update(keys)
        except (FieldError, ValidationError, ValueError):
            continue  # not a field that this text can be in
    return found
