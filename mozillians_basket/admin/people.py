"""Members on the app's pages: name and link only for admins who may view members."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from mozillians_basket.site import get_site


@dataclass(frozen=True, slots=True)
class Person:
    """A member on a page."""

    name: str
    url: str
    """The member's own page in the admin; empty where there is none for this admin."""


def admin_of(site: AdminSite, model: type[Any]) -> "ModelAdmin[Any] | None":
    """The model admin that shows a model on an admin site, if there is one."""
    try:
        return site.get_model_admin(model)
    except NotRegistered:
        return None


def member_admin(site: AdminSite) -> "ModelAdmin[Any] | None":
    """The page of the member model on this admin site, or of one of its proxies."""
    model = get_site().member_model
    if (page := admin_of(site, model)) is not None:
        return page
    for registered, page in site._registry.items():  # noqa: SLF001 - no public way to list
        if registered._meta.concrete_model is model._meta.concrete_model:
            return page
    return None


def members(request: HttpRequest, site: AdminSite, keys: Iterable[Any]) -> Mapping[Any, Person]:
    """
    The members with these keys, by one query; without those who are gone.

    A name can be an address: admins who may not view members are told keys only.
    """
    wanted = {key for key in keys if key is not None}
    page = member_admin(site)
    if page is None or not page.has_view_permission(request):
        names = {key: gettext("member %(key)s") % {"key": key} for key in wanted}
        return {key: Person(name, "") for key, name in names.items()}
    if not wanted:
        return {}
    rows = page.get_queryset(request).filter(pk__in=wanted)
    related = page.get_list_select_related(request)
    if related is True:
        rows = rows.select_related()
    elif related:
        rows = rows.select_related(*related)
    return {row.pk: Person(str(row), url_of(site, row, page.model)) for row in rows}


def url_of(site: AdminSite, row: Any, model: type[Any] | None = None) -> str:
    """The page of a row in the admin, as a proxy's if it is named; empty where there is none."""
    meta = (model or row)._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_change"
    try:
        return reverse(name, args=[quote(row.pk)], current_app=site.name)
    except NoReverseMatch:
        return ""
