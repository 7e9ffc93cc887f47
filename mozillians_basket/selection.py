"""Which members an admin selected: kept as what it takes to find them again, not as rows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.paginator import Paginator
from django.db import InterfaceError, OperationalError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import get_resolver, reverse

from mozillians_basket.site import get_site

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

#: Parameters of a member list that say how it is shown, not who is on it: page, "show all",
#: order, "invalid", facets, popup.
PRESENTATION = ("p", "all", "o", "e", "_facets", "_popup")

PERMISSION = "mozillians_basket.sync_members"


class SelectionLost(Exception):
    """
    The members cannot be told any more. ``why`` is the outcome that the history notes.

    ``"no admin"``: who ordered it is gone or inactive. ``"no permission"``: they may
    not do it any more. ``"no list"``: the list is not there any more, or needs more
    than its address to be built.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def everybody_on(model_admin: "ModelAdmin[Any]", request: HttpRequest) -> dict[str, Any]:
    """The whole list that a request shows: search, filters and date included, page excluded."""
    query = QueryDict(request.GET.urlencode(), mutable=True)
    for name in PRESENTATION:
        query.pop(name, None)
    return {
        "site": model_admin.admin_site.name,
        "model": model_admin.model._meta.label,
        "query": query.urlencode(),
    }


def these_of(
    model_admin: "ModelAdmin[Any]", request: HttpRequest, keys: Iterable[Any]
) -> dict[str, Any]:
    """The named rows of a list."""
    return {**everybody_on(model_admin, request), "keys": [str(key) for key in keys]}


def list_url(selection: dict[str, Any]) -> str:
    """Where the list is from which was selected."""
    meta = apps.get_model(selection["model"])._meta
    url = reverse(
        f"admin:{meta.app_label}_{meta.model_name}_changelist", current_app=selection["site"]
    )
    return f"{url}?{selection['query']}" if selection["query"] else url


def selected(selection: dict[str, Any], actor: Any) -> QuerySet[Any]:
    """
    The selected members as they are now, for an admin who may still see and change them.

    A list is built as its page would be, for a request with this admin, the list's
    address and nothing else: no session, no cookies, nothing that a middleware adds.

    :raises SelectionLost: when that cannot be done.
    """
    if actor is None or not actor.is_active:
        raise SelectionLost("no admin")
    if not actor.has_perm(PERMISSION):
        raise SelectionLost("no permission")
    with as_lost():
        if "keys" in selection:
            members = get_site().member_model._base_manager
            return members.filter(pk__in=selection["keys"])
        return _rebuilt(selection, actor)


def _rebuilt(selection: dict[str, Any], actor: Any) -> QuerySet[Any]:
    model_admin: Any = copy(_model_admin(selection["site"], selection["model"]))
    # No page of it is shown, so nothing need be counted, which a large table takes long for.
    model_admin.paginator, model_admin.show_full_result_count = _Uncounted, False
    request = HttpRequest()
    request.method = "GET"
    request.GET = QueryDict(selection["query"])
    request.user = actor
    request.path = request.path_info = list_url({**selection, "query": ""})
    if not model_admin.has_view_or_change_permission(request):
        raise SelectionLost("no permission")
    members: QuerySet[Any] = model_admin.get_changelist_instance(request).get_queryset(request)
    return members


class _Uncounted(AnyPaginator):
    """For a list of which only the queryset is wanted."""

    count = 0


def _model_admin(site_name: str, label: str) -> "ModelAdmin[Any]":
    from django.contrib.admin.sites import all_sites  # a site may have no admin at all

    # A worker has not read the URLs, and an admin may be put together there.
    assert get_resolver().url_patterns  # noqa: S101
    model: type[Model] = apps.get_model(label)
    for site in all_sites:
        if site.name == site_name and site.is_registered(model):
            return site.get_model_admin(model)
    raise SelectionLost("no list")


@contextmanager
def as_lost() -> Iterator[None]:
    """
    Whatever breaks in the site's own code for its list means that the list cannot be built.

    But for a database that is away: that passes.

    :raises SelectionLost: in place of the error.
    """
    try:
        yield
    except (SelectionLost, OperationalError, InterfaceError):
        raise
    except Exception:  # noqa: BLE001 - a sweep must not stop for it, and its text may quote a search
        raise SelectionLost("no list") from None
