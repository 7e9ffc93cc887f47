"""The common part of the admin's pages: links, members, permissions and the banner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_permission_codename
from django.db.models import Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.template.backends.django import Template
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.models import (
    Approval,
    BulkRequest,
    Contact,
    Event,
    FailingContact,
    Member,
    Status,
)
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.site import get_site

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
else:
    AnyModelAdmin = admin.ModelAdmin
    AnyTabularInline = admin.TabularInline


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


def visible_address(request: HttpRequest, address: str) -> str:
    """The address as this admin may see it."""
    return address if may_see_addresses(request) else masked(address)


def at_addresses(contacts: QuerySet[Any], addresses: Iterable[str]) -> QuerySet[Any]:
    """The contacts with one of these addresses, however it is spelled."""
    keys = {key for address in addresses if (key := contact_key(address))}
    found: QuerySet[Any] = contacts.filter(key__in=keys)
    return found


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
        names = {key: _("member %(key)s") % {"key": key} for key in wanted}
        return {key: Person(name, "") for key, name in names.items()}
    if not wanted:
        return {}
    rows = page.get_queryset(request).filter(pk__in=wanted)
    related = page.get_list_select_related(request)
    if related is True:
        rows = rows.select_related()
    elif related:
        rows = rows.select_related(*related)
    return {
        row.pk: Person(str(row), url_of(request, site, page.model, "change", row.pk))
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class MemberAndAddress:
    """A member in a table, as an admin may see them; also one who is gone."""

    key: Any
    name: str
    url: str
    address: str


def members_with_addresses(
    request: HttpRequest, site: AdminSite, keys: Iterable[Any]
) -> list[MemberAndAddress]:
    """The members with these keys in their order, and the ledger's addresses, in two queries."""
    wanted = list(keys)
    if not wanted:
        return []
    people = members(request, site, wanted)
    known = Member.objects.filter(site_member__in=wanted, contact__isnull=False)
    addresses = dict(known.values_list("site_member", "contact__email"))
    found = []
    for key in wanted:
        gone = Person(_("member %(key)s, gone") % {"key": key}, "")
        person, address = people.get(key, gone), addresses.get(key, "")
        shown = visible_address(request, address)
        found.append(MemberAndAddress(key, person.name, person.url, shown))
    return found


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


@dataclass(frozen=True, slots=True)
class Link:
    """The address and the text of a link."""

    url: str
    text: str


def history_link(request: HttpRequest, site: AdminSite, **query: Any) -> Link:
    """The part of the history that a query names: ``q`` for a member's key, or a filter."""
    url = url_of(request, site, Event, "changelist")
    return Link(f"{url}?{urlencode(query)}" if url else "", _("History"))


def member_url(request: HttpRequest, site: AdminSite, member_key: Any, page: str = "change") -> str:
    """One of a member's pages; empty where there is none, or none for this admin."""
    shown = member_admin(site)
    return url_of(request, site, shown.model, page, member_key) if shown is not None else ""


def links_about(
    request: HttpRequest, site: AdminSite, contact: Contact, member_keys: list[Any]
) -> list[Link]:
    """Links from a contact's page to its members, and to what happened to it."""
    found = []
    for key in member_keys:
        url = member_url(request, site, key)
        text = _("The member") if len(member_keys) == 1 else _("Member %(key)s") % {"key": key}
        found.append(Link(f"{url}#basket" if url else "", text))
    found.append(history_link(request, site, contact__id__exact=contact.pk))
    return [link for link in found if link.url]


def problem_link(request: HttpRequest, site: AdminSite, contact: Contact) -> Link:
    """The page of a contact's problem."""
    return Link(url_of(request, site, FailingContact, "change", contact.pk), _("The problem"))


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
    return request.user.has_perm("mozillians_basket.export_addresses")


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
    request: HttpRequest, site: AdminSite, opts: Any, template: str, **context: Any
) -> TemplateResponse:
    """One of the app's own pages on an admin site, under the banner."""
    request.current_app = site.name
    if "basket_status" not in context:
        context.update(standing_of_basket())
    return TemplateResponse(
        request,
        f"admin/mozillians_basket/{template}.html",
        {**site.each_context(request), "opts": opts, **context},
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


class ReadOnly:
    """Rows that the app writes by itself."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes rows."""
        return False


class BasketPages(ReadOnly, AnyModelAdmin):
    """The list of one of the app's tables, and a row's page, each under the banner."""

    change_list_template = "admin/mozillians_basket/change_list.html"
    change_form_template = "admin/mozillians_basket/change_form.html"
    show_full_result_count = False

    def url_to(self, page: str, *keys: Any) -> str:
        """The address of one of the table's pages on this admin site."""
        return page_url(self.admin_site, self.model, page, *keys)

    def rendered(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        """One of the table's own pages."""
        return rendered(request, self.admin_site, self.opts, template, **context)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse lookups of what is hidden: ``?token__startswith=`` would read it off the list."""
        if HIDDEN.intersection(lookup.split(LOOKUP_SEP)):
            return False
        return super().lookup_allowed(lookup, value, request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list."""
        return super().changelist_view(request, {**standing_of_basket(), **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One row."""
        context = {**standing_of_basket(), **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The admin's log of a row, which leads to what happened to it."""
        response = super().history_view(request, object_id, extra_context)
        query = {Contact: "contact__id__exact", FailingContact: "contact__id__exact"}
        name = query.get(self.model, "bulk_request" if self.model is BulkRequest else "")
        if not name:
            return response
        link = history_link(request, self.admin_site, **{name: unquote(object_id)})
        return extended(response, basket_history_url=link.url)
