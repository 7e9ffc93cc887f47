"""Find a member's contacts by key, by what the site searches its members by, or by address."""

from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import FieldError, ValidationError
from django.db.models import Q, Value
from django.db.models.functions import Upper
from django.http import HttpRequest

from mozillians_basket.admin.addresses import may_see_addresses
from mozillians_basket.admin.long_lists import valid
from mozillians_basket.admin.people import member_admin
from mozillians_basket.models import Contact
from mozillians_basket.site import get_site

#: How many members, or contacts at one address, a search leads to.
MOST = 100


def contacts_found(request: HttpRequest, site: AdminSite, text: str) -> set[int]:
    """
    Keys of the contacts that are meant by what an admin typed: exactly, so that indexes find them.

    Who may not view members finds them by their keys only.
    """
    text = text.strip()
    members = _members_with_key(text)
    found: set[int] = set()
    if may_see_addresses(request):
        members |= _members_named(request, site, text)
        found |= _contacts_at(text)
    own = Contact.objects.filter(member__in=list(members)[:MOST])
    return found | set(own.values_list("pk", flat=True))


def _members_with_key(text: str) -> set[Any]:
    try:
        return {valid(get_site().member_model._meta.pk, text)}
    except ValidationError:
        return set()


def _members_named(request: HttpRequest, site: AdminSite, text: str) -> set[Any]:
    """By one query for each of the fields, as no index serves an OR over several tables."""
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


def _contacts_at(text: str) -> set[int]:
    if "@" not in text:
        return set()
    wanted = Upper(Value(text))
    found: set[int] = set()
    for field in ("email", "wanted_email"):
        rows = Contact.objects.alias(_upper=Upper(field)).filter(Q(_upper=wanted))
        found.update(rows.values_list("pk", flat=True)[:MOST])
    return found
