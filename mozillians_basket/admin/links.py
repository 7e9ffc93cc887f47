"""Links from one page of the admin to another, where the admin may follow them."""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from mozillians_basket.admin.people import member_admin
from mozillians_basket.models import Contact, Event, FailingContact


@dataclass(frozen=True, slots=True)
class Link:
    """The address and the text of a link."""

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


def links_from_member(
    request: HttpRequest, site: AdminSite, member_key: Any, contact: Contact | None, *, fails: bool
) -> list[Link]:
    """Links to further pages about a member; ``fails`` if their contact has a problem."""
    history = url_of(request, site, Event, "changelist")
    if history:
        history = f"{history}?{urlencode({'q': member_key})}"
    found = [Link(history, _("All that happened"))]
    if contact is not None:
        ledger = url_of(request, site, Contact, "change", contact.pk)
        found.append(Link(ledger, _("The ledger's row")))
        found += [_problem(request, site, contact)] if fails else []
    return [link for link in found if link.url]


def history_url(request: HttpRequest, site: AdminSite, contact: Contact) -> str:
    """The history of one contact; empty where there is none for this admin."""
    history = url_of(request, site, Event, "changelist")
    return f"{history}?contact__id__exact={contact.pk}" if history else ""


def member_url(request: HttpRequest, site: AdminSite, member_key: Any) -> str:
    """A member's page; empty where there is none, or none for this admin."""
    page = member_admin(site)
    return url_of(request, site, page.model, "change", member_key) if page is not None else ""


def links_from_problem(
    request: HttpRequest, site: AdminSite, contact: Contact, member_keys: list[Any]
) -> list[Link]:
    """Links to further pages about a contact with a problem, and about its members."""
    found = []
    for key in member_keys:
        url = member_url(request, site, key)
        text = _("The member") if len(member_keys) == 1 else _("Member %(key)s") % {"key": key}
        found.append(Link(f"{url}#basket" if url else "", text))
    found += [
        Link(history_url(request, site, contact), _("All that happened")),
        Link(url_of(request, site, Contact, "change", contact.pk), _("The ledger's row")),
    ]
    return [link for link in found if link.url]


def links_from_ledger(
    request: HttpRequest, site: AdminSite, contact: Contact, member_keys: list[Any], *, fails: bool
) -> list[Link]:
    """Links to further pages about a row of the ledger; ``fails`` if it has a problem."""
    own = url_of(request, site, Contact, "change", contact.pk)
    links = links_from_problem(request, site, contact, member_keys)
    found = [link for link in links if link.url != own]
    found += [_problem(request, site, contact)] if fails else []
    return [link for link in found if link.url]


def _problem(request: HttpRequest, site: AdminSite, contact: Contact) -> Link:
    return Link(url_of(request, site, FailingContact, "change", contact.pk), _("The problem"))
