"""The failed items of a bulk request, page by page, and the reasons of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.core.paginator import Page, Paginator
from django.db.models import Count
from django.http import HttpRequest
from django.utils.translation import gettext as _

from mozillians_basket.admin.addresses import shown
from mozillians_basket.admin.people import Person, members
from mozillians_basket.admin.plain_words import code_of, in_plain_words
from mozillians_basket.models import BulkItem, BulkRequest, Member

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed item, as an admin may see it."""

    member: str
    url: str
    """The URL of the member's page; empty for admins who may not view it."""

    address: str
    words: str
    code: str
    when: datetime | None


def failures_of(
    row: BulkRequest, count: int, request: HttpRequest, site: AdminSite
) -> Page[Failure]:
    """
    Return the page of failures that ``?page=`` asks for, in three queries; none without failures.

    :param count: how many there are in all.
    """
    items = BulkItem.objects.filter(request=row, state=BulkItem.State.FAILED)
    pages: Paginator[Any] = Paginator(items.order_by("finished_at", "pk"), PER_PAGE)
    pages.count = count
    page: Page[Any] = pages.get_page(request.GET.get("page"))
    rows = list(page.object_list) if count else []
    keys = [item.member_id for item in rows]
    people = members(request, site, keys)
    addresses: dict[Any, str] = {}
    if rows:
        known = Member.objects.filter(site_member__in=keys, contact__isnull=False)
        addresses = dict(known.values_list("site_member", "contact__email"))
    page.object_list = [
        _failure(item, people, shown(request, addresses.get(item.member_id, ""))) for item in rows
    ]
    return page


def reasons_of(row: BulkRequest, state: BulkItem.State) -> list[tuple[str, int]]:
    """Count the members in a state by reason, in one query."""
    items = BulkItem.objects.filter(request=row, state=state).exclude(reason="")
    counted = items.values_list("reason").annotate(number=Count("pk")).order_by("-number")
    return [(in_plain_words(reason), number) for reason, number in counted]


def _failure(item: BulkItem, people: Mapping[Any, Person], address: str) -> Failure:
    person = people.get(item.member_id)
    return Failure(
        member=person.name if person else _("member %(key)s") % {"key": item.member_id},
        url=person.url if person else "",
        address=address,
        words=in_plain_words(item.reason),
        code=code_of(item.reason),
        when=item.finished_at,
    )
