"""The failed items of a bulk request, a page at a time, and why others were skipped, in words."""

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
from mozillians_basket.models import Batch, BatchItem

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
    people = members(request, site, [item.member_id for item in rows])
    page.object_list = [_failure(item, people, request) for item in rows]
    return page


def skipped_of(batch: Batch) -> list[tuple[str, int]]:
    """Why members were left out, and how many for each reason: one query."""
    items = BatchItem.objects.filter(batch=batch, state=BatchItem.State.SKIPPED)
    counted = items.values_list("reason").annotate(number=Count("pk")).order_by("-number")
    return [(in_plain_words(reason), number) for reason, number in counted]


def _failure(item: BatchItem, people: Mapping[Any, Person], request: HttpRequest) -> Failure:
    person = people.get(item.member_id)
    return Failure(
        member=person.name if person else _("member %(key)s") % {"key": item.member_id},
        url=person.url if person else "",
        address=shown(request, item.contact.wanted_email) if item.contact else "",
        words=in_plain_words(item.reason, item.error_code),
        code=code_of(item.reason, item.error_code),
        when=item.finished_at,
    )
