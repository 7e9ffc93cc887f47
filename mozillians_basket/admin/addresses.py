"""Members' addresses on this app's pages: masked for admins who may not view members."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from django.http import HttpRequest

from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.site import get_site


def may_see_addresses(request: HttpRequest) -> bool:
    """Whether this admin may view members, and so their addresses."""
    meta = get_site().member_model._meta
    return any(
        request.user.has_perm(f"{meta.app_label}.{get_permission_codename(action, meta)}")
        for action in ("view", "change")
    )


def masked(address: str) -> str:
    """An address of which only the ends can be read: ``m***r@e***.org``."""
    local, at, domain = address.rpartition("@")
    if not at:
        return "***" if address else ""
    host, dot, top = domain.rpartition(".")
    return f"{_ends(local)}@{host[:1]}***{dot}{top}"


def _ends(text: str) -> str:
    return f"{text[0]}***{text[-1]}" if len(text) > 2 else "***"


def shown(request: HttpRequest, address: str) -> str:
    """The address as this admin may see it."""
    return address if may_see_addresses(request) else masked(address)


def at_addresses(contacts: QuerySet[Any], addresses: Iterable[str]) -> QuerySet[Any]:
    """The contacts with one of these addresses, however it is spelled."""
    keys = {key for address in addresses if (key := contact_key(address))}
    found: QuerySet[Any] = contacts.filter(key__in=keys)
    return found
