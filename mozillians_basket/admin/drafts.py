"""The page on which an admin says what is to be done with the members they selected."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mozillians_basket.admin.forms import OrderForm
from mozillians_basket.admin.newsletters import Newsletter, offered
from mozillians_basket.admin.outlook import Outlook, Prospect, look_ahead
from mozillians_basket.admin.pages import (
    AnyModelAdmin,
    may_change_newsletters,
    standing_of_basket,
)
from mozillians_basket.admin.progress import shown
from mozillians_basket.hints import hint_sweep
from mozillians_basket.ledger import order_batch
from mozillians_basket.models import Batch
from mozillians_basket.selection import SelectionLost, list_url, selected
from mozillians_basket.switch import switch_is_on


@dataclass(frozen=True, slots=True)
class Row:
    """One newsletter on the page."""

    newsletter: Newsletter
    prospect: Prospect
    warning: str
    chosen: bool


class DraftPages(AnyModelAdmin):
    """The part of the batches' admin that turns a draft into an order."""

    def confirm_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Ask what is to be done with the selected members; order it when that is said."""
        if not may_change_newsletters(request):
            raise PermissionDenied
        batch = get_object_or_404(Batch, pk=batch_id)
        if batch.actor_id != request.user.pk:
            raise PermissionDenied  # also when it is ordered already: it was not theirs to confirm
        if batch.state != Batch.State.DRAFT:
            return self._to_batch(batch)
        if request.method == "POST" and not switch_is_on():
            off = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
            self.message_user(request, off, messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        subscribe = batch.action == Batch.Action.SUBSCRIBE
        newsletters = offered()
        form = OrderForm(
            request.POST if request.method == "POST" else None,
            offered=newsletters,
            subscribe=subscribe,
        )
        if form.is_valid():
            self._order(request, batch, form.cleaned_data)
            return self._to_batch(batch)
        try:
            outlook = look_ahead(selected(batch.selection, request.user), subscribe=subscribe)
        except SelectionLost as lost:
            return self._give_up(request, lost)
        return self._ask(request, batch, form, rows(form, newsletters, outlook, batch), outlook)

    def _order(self, request: HttpRequest, batch: Batch, choice: dict[str, Any]) -> None:
        despite_opt_out = choice.get("despite_opt_out", False)
        if not order_batch(batch, choice["newsletters"], despite_opt_out=despite_opt_out):
            return
        hint_sweep()
        self.log_addition(request, batch, order_in_words(batch))
        self.message_user(
            request,
            _("Ordered. You may leave this page: it is carried out in the background."),
            messages.SUCCESS,
        )

    def _ask(
        self,
        request: HttpRequest,
        batch: Batch,
        form: OrderForm,
        newsletters: list[Row],
        outlook: Outlook,
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        subscribe = batch.action == Batch.Action.SUBSCRIBE
        context = {
            **self.admin_site.each_context(request),
            **standing_of_basket(),
            "title": _("Subscribe to newsletters") if subscribe else _("Unsubscribe"),
            "opts": self.opts,
            "batch": batch,
            "subscribe": subscribe,
            "form": form,
            "rows": newsletters,
            "outlook": outlook,
            "back": list_url(batch.selection),
        }
        return TemplateResponse(request, "admin/mozillians_basket/confirm.html", context)

    def _give_up(self, request: HttpRequest, lost: SelectionLost) -> HttpResponse:
        if lost.why == "no permission":
            raise PermissionDenied
        text = _("Nothing was done: the list of members cannot be built any more.")
        self.message_user(request, text, messages.ERROR)
        return self._to_list()

    def _to_batch(self, batch: Batch) -> HttpResponse:
        return HttpResponseRedirect(self.url_of("change", batch.pk))

    def _to_list(self) -> HttpResponse:
        return HttpResponseRedirect(self.url_of("changelist"))

    def url_of(self, page: str, *args: object) -> str:
        """The address of one of the batches' pages on this admin site."""
        return reverse(
            f"admin:mozillians_basket_batch_{page}", args=args, current_app=self.admin_site.name
        )


def rows(
    form: OrderForm, newsletters: list[Newsletter], outlook: Outlook, batch: Batch
) -> list[Row]:
    """The newsletters with what would happen to each."""
    chosen = set(form["newsletters"].value() or ())
    return [
        Row(
            newsletter,
            outlook.by_newsletter[newsletter.slug],
            warning_of(newsletter, outlook.by_newsletter[newsletter.slug], batch),
            newsletter.slug in chosen,
        )
        for newsletter in newsletters
    ]


def warning_of(newsletter: Newsletter, prospect: Prospect, batch: Batch) -> str:
    """That the policy says otherwise, of how many, and for how long it does not count."""
    if not prospect.against_policy:
        return ""
    if batch.action == Batch.Action.SUBSCRIBE:
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


def order_in_words(batch: Batch) -> str:
    """What was ordered, for the admin's log."""
    members = ngettext("%(count)s member", "%(count)s members", batch.total)
    words = {
        "members": members % {"count": shown(batch.total)},
        "newsletters": ", ".join(batch.newsletters),
    }
    if batch.action == Batch.Action.UNSUBSCRIBE:
        return _("Ordered: unsubscribe %(members)s from %(newsletters)s.") % words
    if batch.despite_opt_out:
        return (
            _(
                "Ordered: subscribe %(members)s to %(newsletters)s, also those who opted out "
                "themselves."
            )
            % words
        )
    return _("Ordered: subscribe %(members)s to %(newsletters)s.") % words
