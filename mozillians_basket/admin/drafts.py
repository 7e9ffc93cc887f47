"""The page on which an admin confirms a bulk request for the selected members."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mozillians_basket import bulk
from mozillians_basket.admin.forms import OrderForm
from mozillians_basket.admin.newsletters import Newsletter, offered
from mozillians_basket.admin.pages import (
    AnyModelAdmin,
    may_change_newsletters,
    standing_of_basket,
)
from mozillians_basket.admin.people import member_admin
from mozillians_basket.admin.preview import Preview, Prospect, preview_of
from mozillians_basket.admin.progress import shown
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.models import BulkRequest


@dataclass(frozen=True, slots=True)
class Row:
    """One newsletter on the page."""

    newsletter: Newsletter
    prospect: Prospect
    warning: str
    chosen: bool


class DraftPages(AnyModelAdmin):
    """The part of the bulk requests' admin that turns a draft into an order."""

    def confirm_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Show the form for the selected members; confirm the request when it is posted."""
        if not may_change_newsletters(request) or not self._may_view_members(request):
            raise PermissionDenied
        draft = get_object_or_404(BulkRequest.objects.defer("keys"), pk=key)
        if draft.actor_id != request.user.pk:
            raise PermissionDenied  # also when it is ordered already: it was not theirs to confirm
        if draft.state != BulkRequest.State.DRAFT:
            return HttpResponseRedirect(self.url_of("change", draft.pk))
        if request.method == "POST" and not switch_is_on():
            off = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
            self.message_user(request, off, messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        newsletters = offered()
        form = OrderForm(
            request.POST if request.method == "POST" else None,
            offered=newsletters,
            subscribe=draft.action == BulkRequest.Action.SUBSCRIBE,
        )
        if not form.is_valid():
            return self._ask(request, draft, form, newsletters)
        self._order(request, draft, form.cleaned_data)
        return HttpResponseRedirect(self.url_of("change", draft.pk))

    def _may_view_members(self, request: HttpRequest) -> bool:
        page = member_admin(self.admin_site)
        return page is not None and page.has_view_or_change_permission(request)

    def _order(self, request: HttpRequest, draft: BulkRequest, choice: dict[str, Any]) -> None:
        despite_opt_out = choice.get("despite_opt_out", False)
        if not bulk.confirm(draft, choice["newsletters"], despite_opt_out=despite_opt_out):
            return
        wake_sweeper()
        self.log_addition(request, draft, order_in_words(draft))
        self.message_user(
            request,
            _("Ordered. You may leave this page: it is carried out in the background."),
            messages.SUCCESS,
        )

    def _ask(
        self,
        request: HttpRequest,
        draft: BulkRequest,
        form: OrderForm,
        newsletters: list[Newsletter],
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        subscribe = draft.action == BulkRequest.Action.SUBSCRIBE
        preview = preview_of(draft.keys, subscribe=subscribe)
        context = {
            **self.admin_site.each_context(request),
            **standing_of_basket(),
            "title": _("Subscribe to newsletters") if subscribe else _("Unsubscribe"),
            "opts": self.opts,
            "bulk_request": draft,
            "subscribe": subscribe,
            "form": form,
            "rows": rows(form, newsletters, preview, draft),
            "preview": preview,
            "back": self._list_url(request),
        }
        return TemplateResponse(request, "admin/mozillians_basket/confirm.html", context)

    def _list_url(self, request: HttpRequest) -> str:
        """Return the address of the member list, as it was when the members were selected."""
        page: Any = member_admin(self.admin_site)
        url = reverse(
            f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist",
            current_app=self.admin_site.name,
        )
        filters = QueryDict(request.GET.get("_changelist_filters", "")).urlencode()
        return f"{url}?{filters}" if filters else url

    def url_of(self, page: str, *args: object) -> str:
        """Return the address of one of the bulk requests' pages on this admin site."""
        return reverse(
            f"admin:mozillians_basket_bulkrequest_{page}",
            args=args,
            current_app=self.admin_site.name,
        )


def rows(
    form: OrderForm, newsletters: list[Newsletter], preview: Preview, draft: BulkRequest
) -> list[Row]:
    """List the newsletters, each with a preview of the changes."""
    chosen = set(form["newsletters"].value() or ())
    return [
        Row(
            newsletter,
            preview.by_newsletter[newsletter.slug],
            warning_of(newsletter, preview.by_newsletter[newsletter.slug], draft),
            newsletter.slug in chosen,
        )
        for newsletter in newsletters
    ]


def warning_of(newsletter: Newsletter, prospect: Prospect, row: BulkRequest) -> str:
    """Warn of members that the policy judges otherwise, and until when the order stands."""
    if not prospect.against_policy:
        return ""
    if row.action == BulkRequest.Action.SUBSCRIBE:
        text = ngettext(
            "%(count)s of them does not meet the policy of %(newsletter)s: they get it because "
            "you say so, until what the policy says of them changes.",
            "%(count)s of them do not meet the policy of %(newsletter)s: they get it because "
            "you say so, until what the policy says of them changes.",
            prospect.against_policy,
        )
    else:
        text = ngettext(
            "%(count)s of them meets the policy of %(newsletter)s: they lose it because you say "
            "so, until what the policy says of them changes.",
            "%(count)s of them meet the policy of %(newsletter)s: they lose it because you say "
            "so, until what the policy says of them changes.",
            prospect.against_policy,
        )
    return text % {"count": shown(prospect.against_policy), "newsletter": newsletter.slug}


def order_in_words(row: BulkRequest) -> str:
    """Describe the order, for the admin's log."""
    members = ngettext("%(count)s member", "%(count)s members", row.total)
    words = {
        "members": members % {"count": shown(row.total)},
        "newsletters": ", ".join(row.newsletters),
    }
    if row.action == BulkRequest.Action.UNSUBSCRIBE:
        return _("Ordered: unsubscribe %(members)s from %(newsletters)s.") % words
    if row.despite_opt_out:
        return (
            _(
                "Ordered: subscribe %(members)s to %(newsletters)s, also those who opted out "
                "themselves."
            )
            % words
        )
    return _("Ordered: subscribe %(members)s to %(newsletters)s.") % words
