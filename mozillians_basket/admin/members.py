"""Bulk actions on the site's member list, and the app's pages on an admin site."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.filters import BooleanFieldListFilter
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket import bulk
from mozillians_basket.admin.bulk_requests import BulkRequestAdmin
from mozillians_basket.admin.contacts import ContactAdmin, WantedFilter
from mozillians_basket.admin.history import EventAdmin
from mozillians_basket.admin.member_page import BasketPanel
from mozillians_basket.admin.overview import StatusAdmin
from mozillians_basket.admin.pages import (
    extended,
    is_off,
    may_change_newsletters,
    page_url,
    standing_of_basket,
    url_of,
)
from mozillians_basket.admin.problems import ProblemAdmin
from mozillians_basket.admin.wording import separated
from mozillians_basket.models import BulkRequest, Contact, Event, FailingContact, Status
from mozillians_basket.redaction import redacted

PAGES = {
    BulkRequest: BulkRequestAdmin,
    Contact: ContactAdmin,
    Event: EventAdmin,
    FailingContact: ProblemAdmin,
    Status: StatusAdmin,
}


#: The effect of a deletion on newsletters, for the question before it.
ABOUT_DELETING = gettext_lazy(
    "If you delete these members, they are unsubscribed at Basket from this site's newsletters, "
    "unless other members with the same addresses want them. Then their addresses are erased "
    "here; their opt-outs stay known by keyed hashes."
)


def register(site: admin.AdminSite) -> None:
    """Add the app's pages to an admin site, but for those that it has registered its own way."""
    for model, page in PAGES.items():
        if not site.is_registered(model):
            site.register(model, page)
    if site.index_template is None:
        site.index_template = "admin/mozillians_basket/index.html"
    if not hasattr(site.get_app_list, "overview_first"):
        site.get_app_list = _with_overview_first(site.get_app_list)  # type: ignore[method-assign]


def _with_overview_first(app_list: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """List the overview before the app's other pages, which Django sorts by their names."""

    def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda page: page.get("model") is not Status)
        return apps

    get_app_list.overview_first = True  # type: ignore[attr-defined]
    return get_app_list


class BasketMemberAdmin(BasketPanel):
    """
    Mixin for the ``ModelAdmin`` of the site's member model; put it before ``ModelAdmin``.

    Adds the actions ``subscribe_user_to_basket`` and
    ``unsubscribe_from_basket_task`` for admins with the permission
    ``mozillians_basket.sync_members``, each of which leads to a page that asks
    which newsletters and says what would change; and shows a member's
    newsletters on the member's page. No policy stands behind what admins order:
    they may subscribe and unsubscribe anyone.
    """

    basket_actions = ("subscribe_user_to_basket", "unsubscribe_from_basket_task")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        register(self.admin_site)  # the pages that this one leads to, also on a site of one's own
        if self.actions is not None:  # with None a site has turned all actions off
            added = [name for name in self.basket_actions if name not in self.actions]
            self.actions = [*self.actions, *added]

    def has_sync_members_permission(self, request: HttpRequest) -> bool:
        """Whether this admin may change members' newsletters."""
        return may_change_newsletters(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The member list; a forged action is refused instead of passed over."""
        asked_for = set(request.POST.getlist("action")) if request.method == "POST" else set()
        if asked_for & set(self.basket_actions) and not self.has_sync_members_permission(request):
            raise PermissionDenied
        response = super().changelist_view(request, extra_context)
        if not isinstance(response, TemplateResponse):
            return response
        if "deletable_objects" in (response.context_data or {}):
            return extended(response, basket_notice=ABOUT_DELETING)
        overview = url_of(request, self.admin_site, Status, "changelist")
        return extended(response, **standing_of_basket(), basket_overview_url=overview)

    def get_list_filter(self, request: HttpRequest) -> Any:
        """The list's filters, and the one that the overview's numbers lead to."""
        return [*super().get_list_filter(request), WantedFilter]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Keep the list at hand, so that an action can say what it was filtered by."""
        changelist = super().get_changelist_instance(request)
        request.basket_changelist = changelist  # type: ignore[attr-defined]
        return changelist

    @admin.action(
        description=gettext_lazy("Subscribe selected %(verbose_name_plural)s to newsletters"),
        permissions=["sync_members"],
    )
    def subscribe_user_to_basket(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Write down the selected members, and ask which newsletters."""
        return self._draft(request, queryset, BulkRequest.Action.SUBSCRIBE)

    @admin.action(
        description=gettext_lazy("Unsubscribe selected %(verbose_name_plural)s from newsletters"),
        permissions=["sync_members"],
    )
    def unsubscribe_from_basket_task(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Write down the selected members, and ask which newsletters."""
        return self._draft(request, queryset, BulkRequest.Action.UNSUBSCRIBE)

    def _draft(
        self, request: HttpRequest, queryset: QuerySet[Model], action: BulkRequest.Action
    ) -> HttpResponse | None:
        if is_off(request):
            return None
        # Read at once: the selection is the list of members that the admin sees now.
        keys = list(queryset.order_by().values_list("pk", flat=True))
        draft = bulk.draft(action, keys, actor=request.user, selection=_selection(request))
        url = page_url(self.admin_site, BulkRequest, "confirm", draft.pk)
        filters = request.GET.urlencode()
        if filters:
            url = f"{url}?{urlencode({'_changelist_filters': filters})}"
        return HttpResponseRedirect(url)


def _selection(request: HttpRequest) -> str:
    """The selection in words: the list's filters and search, or that rows were ticked."""
    changelist: ChangeList = request.basket_changelist  # type: ignore[attr-defined]
    said = [] if request.POST.get("select_across") == "1" else [_("ticked in the list")]
    for spec in changelist.filter_specs:
        if changelist.filter_params.keys().isdisjoint(map(str, spec.expected_parameters())):
            continue  # without a query for its choices
        for number, choice in enumerate(spec.choices(changelist)):
            if number and choice["selected"]:
                said.append(_filter_in_words(spec, str(choice["display"])))
    if changelist.query:
        said.append(_("search for “%(text)s”") % {"text": redacted(changelist.query)})
    return separated(said) or _("all members of the list")


def _filter_in_words(spec: Any, chosen: str) -> str:
    """A filter and its choice: "is vouched", or "country: BR"."""
    title = str(spec.title)
    if isinstance(spec, BooleanFieldListFilter) and spec.lookup_val == "1":
        return title
    return _("%(filter)s: %(choice)s") % {"filter": title, "choice": chosen}
