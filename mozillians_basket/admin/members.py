"""The mixin for a site's member admin, and the app's pages on an admin site."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.filters import BooleanFieldListFilter
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import display_for_value, unquote
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import DateTimeField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.defaultfilters import yesno
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket import bulk
from mozillians_basket.admin.bulk_requests import BulkRequestAdmin
from mozillians_basket.admin.contacts import ContactAdmin, WantedFilter
from mozillians_basket.admin.explanations import when
from mozillians_basket.admin.history import EventAdmin
from mozillians_basket.admin.member_page import (
    NothingDone,
    Summary,
    ask,
    carry_out,
    summary_of_member,
)
from mozillians_basket.admin.overview import StatusAdmin
from mozillians_basket.admin.pages import (
    Link,
    extended,
    history_link,
    is_off,
    may_change_newsletters,
    may_export,
    page_url,
    rendered,
    require,
    standing_of_basket,
    url_of,
)
from mozillians_basket.admin.problems import ProblemAdmin
from mozillians_basket.admin.wording import listed, separated
from mozillians_basket.api import export
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.models import (
    Approval,
    BulkItem,
    BulkRequest,
    Contact,
    Decision,
    Event,
    FailingContact,
    Member,
    Move,
    Status,
    Subscription,
    Suppression,
    Touch,
)
from mozillians_basket.redaction import redacted

if TYPE_CHECKING:
    MemberModelAdmin = admin.ModelAdmin[Any]
else:
    MemberModelAdmin = object

PAGES = {
    BulkRequest: BulkRequestAdmin,
    Contact: ContactAdmin,
    Event: EventAdmin,
    FailingContact: ProblemAdmin,
    Status: StatusAdmin,
}


#: The effect of a deletion on newsletters, for the question before it.
ABOUT_DELETING = gettext_lazy(
    "If members are deleted, they are unsubscribed at Basket from this site's newsletters, "
    "unless other members with the same addresses want them. Then their addresses are erased "
    "in this app; their opt-outs stay known by keyed hashes."
)
#: The limit of that.
ABOUT_THE_BRAKE = gettext_lazy(
    "If more than a limit would be removed within an hour, a brake holds that back until an admin "
    "approves it: until then they stay subscribed."
)

#: Columns that no page and no file of the admin shows.
SECRET = frozenset({"token", "renamed_people", "lease", "hash"})

#: The tables of an export, each with its heading.
TABLES: dict[str, tuple[type[Model], Any]] = {
    "members": (Member, gettext_lazy("Member")),
    "decisions": (Decision, gettext_lazy("Decisions")),
    "contacts": (Contact, gettext_lazy("Addresses")),
    "subscriptions": (Subscription, gettext_lazy("Newsletters at Basket")),
    "moves": (Move, gettext_lazy("Changes of address that are under way")),
    "suppressions": (Suppression, gettext_lazy("Opt-outs of erased addresses")),
    "touches": (Touch, gettext_lazy("Changes that are not looked at yet")),
    "events": (Event, gettext_lazy("History")),
    "bulk_items": (BulkItem, gettext_lazy("Outcomes in bulk requests")),
    "bulk_requests": (BulkRequest, gettext_lazy("Bulk requests")),
    "approvals": (Approval, gettext_lazy("Questions to admins")),
}


def register(site: admin.AdminSite) -> None:
    """Add the app's pages to an admin site, but for those that it has registered its own way."""
    for model, page in PAGES.items():
        if not site.is_registered(model):
            site.register(model, page)
    if site.index_template is None:
        site.index_template = "admin/mozillians_basket/index.html"
    app_list: Callable[..., list[Any]] = site.get_app_list
    if hasattr(app_list, "overview_first"):
        return

    def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """List the overview before the app's other pages, which Django sorts by their names."""
        apps = app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda page: page.get("model") is not Status)
        return apps

    get_app_list.overview_first = True  # type: ignore[attr-defined]
    site.get_app_list = get_app_list  # type: ignore[method-assign]


class BasketDeletionNotice(MemberModelAdmin):
    """
    Mixin for a ``ModelAdmin`` whose deletions delete members too, such as that of users.

    Put it before ``ModelAdmin``. The question before a deletion then says what happens to
    the members' newsletters.
    """

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if not isinstance(response, TemplateResponse):
            return response
        asks = "deletable_objects" in (response.context_data or {})
        return _noticed(response, ABOUT_DELETING) if asks else response

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        response = super().render_delete_form(request, context)
        return _noticed(response, self.basket_notice(request, context["object"]))

    def basket_notice(self, request: HttpRequest, row: Model) -> Any:
        """Say what happens to newsletters if a row is deleted."""
        return ABOUT_DELETING


class BasketMemberAdmin(BasketDeletionNotice):
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
        return may_change_newsletters(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The member list; a forged action is refused instead of passed over."""
        if set(request.POST.getlist("action")) & set(self.basket_actions):
            require(self.has_sync_members_permission(request))
        response = super().changelist_view(request, extra_context)
        if not isinstance(response, TemplateResponse):
            return response
        if "basket_notices" in (response.context_data or {}):
            return response
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

    def get_urls(self) -> list[URLPattern]:
        opts, view = self.opts, self.admin_site.admin_view
        names = f"{opts.app_label}_{opts.model_name}_basket"
        # Outside of a transaction: on SQLite it would block all other writers during the call.
        ask = transaction.non_atomic_requests(view(self.ask_basket_view))
        own: list[URLPattern] = [
            path("<path:object_id>/basket/", view(self.basket_view), name=names),
            path("<path:object_id>/basket/ask/", ask, name=f"{names}_ask"),
            path("<path:object_id>/basket/data/", view(self.data_view), name=f"{names}_data"),
        ]
        return own + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """
        The form as the site shows it, with the panel below it, as forms do not nest.

        The panel is put into whatever template the form is shown with, by the blocks
        that each admin theme keeps.
        """
        response = super().render_change_form(request, context, *args, **kwargs)
        member = context.get("original")
        popup = IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST
        if member is None or popup:
            return response
        more = self._basket_context(request, member, summary_of_member(request, member))
        return extended(response, basket_anchor="#basket", **standing_of_basket(), **more)

    def basket_notice(self, request: HttpRequest, row: Model) -> Any:
        """Say what happens to a member's newsletters if they are deleted."""
        summary = summary_of_member(request, row)
        has = [entry.newsletter for entry in summary.entries if entry.held]
        if has:
            return _(
                "Basket has %(newsletters)s for them. If you delete them, they are unsubscribed "
                "there, unless another member with the same address wants it. Then their address "
                "is erased in this app; their opt-outs stay known by a keyed hash of it."
            ) % {"newsletters": listed(has)}
        if summary.address and not (summary.contact and summary.contact.looked_up_at):
            return _(
                "It is not known yet what Basket has for them. If you delete them, they are "
                "unsubscribed there from this site's newsletters, unless another member with the "
                "same address wants them. Then their address is erased in this app; their opt-outs "
                "stay known by a keyed hash of it."
            )
        return _(
            "Basket has none of this site's newsletters for them. Their address is erased in "
            "this app; their opt-outs stay known by a keyed hash of it."
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().history_view(request, object_id, extra_context)
        link = history_link(request, self.admin_site, q=unquote(object_id))
        return extended(response, basket_history_url=link.url)

    def basket_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The panel as a page of its own; a POST orders something."""
        member = self._basket_member(request, object_id)
        if request.method != "POST":
            return self._basket_page(request, member)
        require(may_change_newsletters(request))
        if not is_off(request):
            try:
                told = carry_out(request, member)
            except NothingDone as nothing:
                messages.error(request, str(nothing))
            except UnknownNewsletter:
                told = _("Nothing was done: it is none of this site's newsletters.")
                messages.error(request, told)
            else:
                self.log_change(request, member, told)
                messages.success(request, told)
        if request.POST.get("on_own_page"):
            return HttpResponseRedirect(self._basket_url(member, "basket"))
        return HttpResponseRedirect(f"{self._basket_url(member, 'change')}#basket")

    def data_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Everything that is stored about a member, as a page or as a file."""
        member = self._basket_member(request, object_id)
        require(may_export(request))
        data = export(member.pk)
        for rows in data.values():
            for row in rows:
                row |= {name: _("stored, but secret") for name in SECRET if row.get(name)}
        if request.GET.get("format") == "json":
            self.log_change(request, member, _("Exported everything that is stored about them."))
            name = f"member-{member.pk}.json"
            return JsonResponse(
                data,
                json_dumps_params={"indent": 2},
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        return self._basket_page(
            request,
            member,
            template="data",
            title=_("Data stored about this member"),
            basket_tables=[_table(name, rows) for name, rows in data.items()],
        )

    def ask_basket_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show Basket's live answer about the member beside the ledger."""
        member = self._basket_member(request, object_id)
        if request.method != "POST":
            return HttpResponseRedirect(self._basket_url(member, "basket"))
        require(may_change_newsletters(request))
        summary = summary_of_member(request, member)
        not_asked, answers = ask(request, summary)
        return self._basket_page(
            request, member, summary, basket_asked=True, not_asked=not_asked, answers=answers
        )

    def _basket_member(self, request: HttpRequest, object_id: str) -> Model:
        member: Model | None = self.get_object(request, unquote(object_id))
        require(self.has_view_or_change_permission(request, member))
        if member is None:
            raise Http404
        return member

    def _basket_page(
        self,
        request: HttpRequest,
        member: Model,
        summary: Summary | None = None,
        template: str = "member",
        **more: Any,
    ) -> HttpResponse:
        summary = summary or summary_of_member(request, member)
        context = {
            **self._basket_context(request, member, summary),
            "title": _("Newsletters"),
            "subtitle": str(member),
            "original": member,
            "media": self.media,
            "basket_on_own_page": True,
            **more,
        }
        return rendered(self, request, template, **context)

    def _basket_context(
        self, request: HttpRequest, member: Model, summary: Summary
    ) -> dict[str, Any]:
        links, problem_url = [history_link(request, self.admin_site, q=member.pk)], ""
        if summary.problem and summary.contact is not None:
            key = summary.contact.pk
            problem_url = url_of(request, self.admin_site, FailingContact, "change", key)
        if may_export(request):
            text = _("Data stored about this member")
            links.append(Link(text, self._basket_url(member, "basket_data")))
        return {
            "basket": summary,
            "basket_problem_url": problem_url,
            "basket_may_order": may_change_newsletters(request),
            "basket_url": self._basket_url(member, "basket"),
            "basket_ask_url": self._basket_url(member, "basket_ask"),
            "basket_member_url": self._basket_url(member, "change"),
            "basket_links": [link for link in links if link.url],
        }

    def _basket_url(self, member: Model, name: str) -> str:
        return page_url(self.admin_site, self.model, name, member.pk)


def _noticed(response: HttpResponse, notice: Any) -> HttpResponse:
    """A question before a deletion, with its effect on newsletters, under the banner."""
    notices = [notice, ABOUT_THE_BRAKE]
    return extended(response, **standing_of_basket(), basket_notices=notices)


def _selection(request: HttpRequest) -> str:
    """The filters and search in words ("is vouched, country: BR"), or that rows were ticked."""
    changelist: ChangeList = request.basket_changelist  # type: ignore[attr-defined]
    said = [] if request.POST.get("select_across") == "1" else [_("ticked in the list")]
    for spec in changelist.filter_specs:
        if changelist.filter_params.keys().isdisjoint(map(str, spec.expected_parameters())):
            continue  # without a query for its choices
        for number, choice in enumerate(spec.choices(changelist)):
            if not number or not choice["selected"]:
                continue
            if isinstance(spec, BooleanFieldListFilter) and spec.lookup_val == "1":
                said.append(str(spec.title))
            else:
                named = {"filter": str(spec.title), "choice": str(choice["display"])}
                said.append(_("%(filter)s: %(choice)s") % named)
    if changelist.query:
        said.append(_("search for “%(text)s”") % {"text": redacted(changelist.query)})
    return separated(said) or _("all members of the list")


def _table(name: str, rows: list[dict[str, Any]]) -> tuple[Any, list[Any], list[list[Any]]]:
    """A table of an export in words: its heading, those of its columns, and its values."""
    model, heading = TABLES[name]
    fields = {field.attname: field for field in model._meta.concrete_fields}
    columns = [fields[column].verbose_name for column in rows[0]] if rows else []
    shown = [[_shown(fields[column], value) for column, value in row.items()] for row in rows]
    return heading, columns, shown


def _shown(field: Any, value: Any) -> Any:
    """A stored value in words; a dash where there is none."""
    if isinstance(value, bool):
        return yesno(value)
    if isinstance(field, DateTimeField) and value:
        return when(datetime.fromisoformat(value))
    if isinstance(value, dict):
        value = [f"{key}: {each}" for key, each in value.items()]
    if isinstance(value, list):
        value = separated(map(str, value))
    return display_for_value(dict(field.flatchoices).get(value, value), "-")
