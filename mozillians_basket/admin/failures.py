"""The failed items of a bulk request, a page at a time and in plain words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.utils import quote
from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from mozillians_basket.admin.addresses import shown
from mozillians_basket.admin.plain_words import code_of, in_plain_words
from mozillians_basket.models import Batch, BatchItem
from mozillians_basket.site import get_site

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed item, as an admin may see it."""

    member: str
    url: str
    """Of the member's page; empty for who may not view it."""

    address: str
    words: str
    code: str
    when: datetime | None


def failures_of(batch: Batch, count: int, request: HttpRequest, site: AdminSite) -> Page[Failure]:
    """
    The page of failures that ``?page=`` asks for: two queries, none when there are no failures.

    :param count: how many there are in all.
    """
    items = BatchItem.objects.filter(batch=batch, state=BatchItem.State.FAILED)
    pages: Paginator[Any] = Paginator(
        items.select_related("contact").order_by("finished_at", "pk"), PER_PAGE
    )
    pages.count = count
    page: Page[Any] = pages.get_page(request.GET.get("page"))
    rows = list(page.object_list) if count else []
    members = _members(rows, request, site)
    page.object_list = [_failure(item, members, request) for item in rows]
    return page


def _failure(item: BatchItem, members: dict[Any, tuple[str, str]], request: HttpRequest) -> Failure:
    name, url = members.get(item.member_id, (_("member %(key)s") % {"key": item.member_id}, ""))
    return Failure(
        member=name,
        url=url,
        address=shown(request, item.contact.wanted_email) if item.contact else "",
        words=in_plain_words(item.reason, item.error_code),
        code=code_of(item.reason, item.error_code),
        when=item.finished_at,
    )


def _members(
    items: list[BatchItem], request: HttpRequest, site: AdminSite
) -> dict[Any, tuple[str, str]]:
    """Names and pages of the members whom this admin may view, by key."""
    model_admin = _member_admin(site) if items else None
    if model_admin is None or not model_admin.has_view_or_change_permission(request):
        return {}
    meta = model_admin.model._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_change"
    rows = model_admin.get_queryset(request).filter(pk__in=[item.member_id for item in items])
    return {
        row.pk: (str(row), reverse(name, args=[quote(row.pk)], current_app=site.name))
        for row in rows
    }


def _member_admin(site: AdminSite) -> "ModelAdmin[Any] | None":
    """The page of the member model on this admin site, or of one of its proxies."""
    model = get_site().member_model
    if site.is_registered(model):
        return site.get_model_admin(model)
    for registered, model_admin in site._registry.items():  # noqa: SLF001 - no public way to list
        if registered._meta.concrete_model is model._meta.concrete_model:
            return model_admin
    return None
