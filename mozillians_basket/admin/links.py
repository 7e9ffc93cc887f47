"""Links from one page of the admin to another, where the admin may follow them."""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from mozillians_basket.admin.people import member_admin
from mozillians_basket.models import Contact, Event, Problem


@dataclass(frozen=True, slots=True)
class Link:
    """Where to, and what to read there."""

    url: str
    text: str


def url_of(request: HttpRequest, site: AdminSite, model: type[Model], name: str, *keys: Any) -> str:
    """A page of a model's on this admin site; empty where there is none, or none for this admin."""
    if not site.is_registered(model):
        return ""
    if not site.get_model_admin(model).has_view_or_change_permission(request):
        return ""
    try:
        return reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}",
            args=[quote(key) for key in keys],
            current_app=site.name,
        )
    except NoReverseMatch:
        return ""


def links_from_member(request: HttpRequest, site: AdminSite, contact: Contact | None) -> list[Link]:
    """What else there is to read about a member."""
    if contact is None:
        return []
    found = [
        Link(history_url(request, site, contact), _("All that happened")),
        Link(url_of(request, site, Contact, "change", contact.pk), _("The ledger's row")),
    ]
    if contact.failing_since is not None:
        found.append(Link(url_of(request, site, Problem, "change", contact.pk), _("The problem")))
    return [link for link in found if link.url]


def history_url(request: HttpRequest, site: AdminSite, contact: Contact) -> str:
    """The history of one contact; empty where there is none for this admin."""
    history = url_of(request, site, Event, "changelist")
    return f"{history}?contact__id__exact={contact.pk}" if history else ""


def member_url(request: HttpRequest, site: AdminSite, member_id: Any) -> str:
    """A member's page; empty where there is none, or none for this admin."""
    page = member_admin(site)
    return url_of(request, site, page.model, "change", member_id) if page is not None else ""


def links_from_problem(request: HttpRequest, site: AdminSite, contact: Contact) -> list[Link]:
    """What else there is to read about a contact with a problem."""
    member = ""
    if contact.member_id is not None:
        member = member_url(request, site, contact.member_id)
    found = [
        Link(f"{member}#basket" if member else "", _("The member")),
        Link(history_url(request, site, contact), _("All that happened")),
        Link(url_of(request, site, Contact, "change", contact.pk), _("The ledger's row")),
    ]
    return [link for link in found if link.url]


def links_from_ledger(request: HttpRequest, site: AdminSite, contact: Contact) -> list[Link]:
    """What else there is to read about a row of the ledger."""
    own = url_of(request, site, Contact, "change", contact.pk)
    found = [link for link in links_from_problem(request, site, contact) if link.url != own]
    if contact.failing_since is not None:
        found.append(Link(url_of(request, site, Problem, "change", contact.pk), _("The problem")))
    return [link for link in found if link.url]
