"""The common part of the admin's pages: links, members, permissions and the banner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.template.backends.django import Template
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import conditional_escape, format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.models import (
    Approval,
    Contact,
    Event,
    Member,
    Status,
)
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.site import get_site


def may_see_addresses(request: HttpRequest) -> bool:
    """Whether this admin may view members, and so their addresses."""
    meta = get_site().member_model._meta
    return any(
        request.user.has_perm(f"{meta.app_label}.{get_permission_codename(action, meta)}")
        for action in ("view", "change")
    )


def visible_address(request: HttpRequest, address: str) -> str:
    """The address as this admin may see it: without the permission as ``m***r@e***.org``."""
    if may_see_addresses(request):
        return address
    local, at, domain = address.rpartition("@")
    if not at:
        return "***" if address else ""
    host, dot, top = domain.rpartition(".")
    ends = f"{local[0]}***{local[-1]}" if len(local) > 2 else "***"
    return f"{ends}@{host[:1]}***{dot}{top}"


def at_address(address: str) -> QuerySet[Contact]:
    """The contact with an address, however that is spelled."""
    key = contact_key(address)
    return Contact.objects.filter(key=key) if key else Contact.objects.none()


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to a page; the text alone where there is no page for this admin."""

    text: str
    url: str = ""

    def __str__(self) -> str:
        if not self.url:
            return conditional_escape(self.text)
        return format_html('<a href="{}">{}</a>', self.url, self.text)

    __html__ = __str__


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


def members(request: HttpRequest, site: AdminSite, keys: Iterable[Any]) -> Mapping[Any, Link]:
    """
    The members with these keys and their pages, by one query; without those who are gone.

    A name can be an address: admins who may not view members are told keys only.
    """
    wanted = {key for key in keys if key is not None}
    page = member_admin(site)
    if page is None or not page.has_view_permission(request):
        return {key: Link(_("member %(key)s") % {"key": key}) for key in wanted}
    if not wanted:
        return {}
    rows = page.get_queryset(request).filter(pk__in=wanted)
    related = page.get_list_select_related(request)
    if related is True:
        rows = rows.select_related()
    elif related:
        rows = rows.select_related(*related)
    return {
        row.pk: Link(str(row), url_of(request, site, page.model, "change", row.pk)) for row in rows
    }


def addresses_of(keys: Iterable[Any]) -> dict[Any, str]:
    """The ledger's addresses of the members with these keys."""
    known = Member.objects.filter(site_member__in=list(keys), contact__isnull=False)
    return dict(known.values_list("site_member", "contact__email"))


def members_with_addresses(
    request: HttpRequest, site: AdminSite, keys: list[Any]
) -> list[tuple[Link, str]]:
    """The members with these keys in their order, and addresses as this admin may see them."""
    if not keys:
        return []
    people, addresses = members(request, site, keys), addresses_of(keys)
    return [
        (
            people.get(key) or Link(_("member %(key)s, gone") % {"key": key}),
            visible_address(request, addresses.get(key, "")),
        )
        for key in keys
    ]


def page_url(site: AdminSite, model: type[Model], page: str, *keys: Any) -> str:
    """The address of a page of a model's on this admin site; empty where there is none."""
    try:
        return reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}",
            args=[quote(key) for key in keys],
            current_app=site.name,
        )
    except NoReverseMatch:
        return ""


def url_of(request: HttpRequest, site: AdminSite, model: type[Model], page: str, *keys: Any) -> str:
    """The same, for an admin who may view the model; else empty."""
    shown = admin_of(site, model)
    if shown is None or not shown.has_view_or_change_permission(request):
        return ""
    return page_url(site, model, page, *keys)


def history_link(request: HttpRequest, site: AdminSite, **query: Any) -> Link:
    """The part of the history that a query names: ``q`` for a member's key, or a filter."""
    url = url_of(request, site, Event, "changelist")
    return Link(pgettext("of newsletters", "History"), f"{url}?{urlencode(query)}" if url else "")


def member_url(request: HttpRequest, site: AdminSite, member_key: Any, page: str = "change") -> str:
    """One of a member's pages; empty where there is none, or none for this admin."""
    shown = member_admin(site)
    return url_of(request, site, shown.model, page, member_key) if shown is not None else ""


def standing_of_basket() -> dict[str, Any]:
    """The template context of ``banner.html``: the switch, the breaker and open questions."""
    return {
        "basket_switch_is_on": switch_is_on(),
        "basket_status": Status.read(),
        "basket_questions": list(Approval.objects.filter(closed_at=None).order_by("newsletter")),
    }


def may_change_newsletters(request: HttpRequest) -> bool:
    """Whether this admin may order what is sent to Basket."""
    return request.user.has_perm("mozillians_basket.sync_members")


def may_manage(request: HttpRequest) -> bool:
    """Whether this admin may approve removals, answer losses and stop everything."""
    return request.user.has_perm("mozillians_basket.manage_basket")


def may_export(request: HttpRequest) -> bool:
    """Whether this admin may export addresses, and everything that is stored about a member."""
    may = request.user.has_perm("mozillians_basket.export_addresses")
    return may and may_see_addresses(request)


def require(allowed: bool) -> None:  # noqa: FBT001 - its only argument
    """
    Refuse the page to an admin who is not allowed to have it.

    :raises PermissionDenied: answered by the status 403.
    """
    if not allowed:
        raise PermissionDenied


def extended(response: HttpResponse, **context: Any) -> HttpResponse:
    """
    A page of the site's own admin, with what this app adds to it, whatever its template is.

    The blocks that are extended are those that each admin theme keeps.
    """
    if not isinstance(response, TemplateResponse):
        return response
    parent: Any = response.resolve_template(response.template_name)
    if isinstance(parent, Template):
        response.context_data = {
            **(response.context_data or {}),
            **context,
            "basket_parent": parent,
        }
        response.template_name = "admin/mozillians_basket/extended.html"
    return response


def rendered(
    page: "ModelAdmin[Any]", request: HttpRequest, template: str, **context: Any
) -> TemplateResponse:
    """One of the app's own pages on an admin site, under the banner."""
    request.current_app = page.admin_site.name
    return TemplateResponse(
        request,
        f"admin/mozillians_basket/{template}.html",
        {**page.admin_site.each_context(request), "opts": page.opts, **context},
    )


def is_off(request: HttpRequest) -> bool:
    """Whether the switch is off, so that nothing can be ordered; the admin is told so."""
    if switch_is_on():
        return False
    told = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
    messages.warning(request, told)
    return True


#: Columns with addresses and tokens, and what tells them apart: no page shows them to everybody.
HIDDEN = frozenset({"email", "key", "token", "renamed_people", "hash"})


class BasketPages(ModelAdmin):  # type: ignore[type-arg]
    """The list and the rows' pages of one of the app's tables, which only the app writes."""

    change_list_template = "admin/mozillians_basket/change_list.html"
    change_form_template = "admin/mozillians_basket/change_form.html"
    show_full_result_count = False
    #: The parameter by which the history is narrowed to a row, if there is one.
    filter_of_history = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def url_to(self, page: str, *keys: Any) -> str:
        """The address of one of the table's pages on this admin site."""
        return page_url(self.admin_site, self.model, page, *keys)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse lookups of what is hidden: ``?token__startswith=`` would read it off the list."""
        if HIDDEN.intersection(lookup.split(LOOKUP_SEP)):
            return False
        return super().lookup_allowed(lookup, value, request)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The admin's log of a row, which leads to what happened to it."""
        response = super().history_view(request, object_id, extra_context)
        if not self.filter_of_history:
            return response
        query = {self.filter_of_history: unquote(object_id)}
        link = history_link(request, self.admin_site, **query)
        return extended(response, basket_history_url=link.url)
