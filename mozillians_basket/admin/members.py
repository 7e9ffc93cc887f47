"""Bulk actions on the site's member list."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from mozillians_basket.admin.forms import NewslettersForm, SubscribeForm
from mozillians_basket.admin.panel import BasketPanel
from mozillians_basket.admin.sites import register
from mozillians_basket.hints import hint_sweep
from mozillians_basket.ledger import create_batch
from mozillians_basket.models import Batch
from mozillians_basket.switch import switch_is_on

#: The name of the button that confirms, and that tells the second request from the first.
CONFIRM = "basket_confirm"


class BasketMemberAdmin(BasketPanel):
    """
    Mixin for the ``ModelAdmin`` of the site's member model; put it before ``ModelAdmin``.

    Adds the actions ``subscribe_user_to_basket`` and
    ``unsubscribe_from_basket_task`` for admins with the permission
    ``mozillians_basket.sync_members``, and shows a member's newsletters on the
    member's page. No policy stands behind what admins order: they may
    subscribe and unsubscribe anyone.
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
        return request.user.has_perm("mozillians_basket.sync_members")

    @admin.action(
        description=_("Subscribe selected %(verbose_name_plural)s to newsletters"),
        permissions=["sync_members"],
    )
    def subscribe_user_to_basket(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Ask which newsletters, then write a batch for the worker."""
        return self._bulk(request, queryset, Batch.Action.SUBSCRIBE, SubscribeForm)

    @admin.action(
        description=_("Unsubscribe selected %(verbose_name_plural)s from newsletters"),
        permissions=["sync_members"],
    )
    def unsubscribe_from_basket_task(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Ask which newsletters, then write a batch for the worker."""
        return self._bulk(request, queryset, Batch.Action.UNSUBSCRIBE, NewslettersForm)

    def _bulk(
        self,
        request: HttpRequest,
        queryset: QuerySet[Model],
        action: Batch.Action,
        form_class: type[NewslettersForm],
    ) -> HttpResponse | None:
        if not switch_is_on():
            self.message_user(
                request,
                _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off."),
                messages.WARNING,
            )
            return None
        form = form_class(request.POST if CONFIRM in request.POST else None)
        if form.is_valid():
            self._order(request, queryset, action, form.cleaned_data)
            return None
        return TemplateResponse(
            request,
            "admin/mozillians_basket/bulk.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Subscribe to newsletters")
                if action == Batch.Action.SUBSCRIBE
                else _("Unsubscribe from newsletters"),
                "opts": self.model._meta,
                "form": form,
                "count": queryset.count(),
                "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
                "select_across": request.POST.get("select_across", "0"),
                "action": request.POST.get("action", ""),
                "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
                "confirm": CONFIRM,
            },
        )

    def _order(
        self,
        request: HttpRequest,
        queryset: QuerySet[Model],
        action: Batch.Action,
        choice: dict[str, Any],
    ) -> None:
        batch = create_batch(
            action,
            choice["newsletters"],
            queryset.order_by("pk").values_list("pk", flat=True).iterator(),
            actor=request.user,
            despite_opt_out=choice.get("despite_opt_out", False),
        )
        hint_sweep()
        self.message_user(
            request,
            ngettext(
                "%(count)d member is being worked on in the background (batch %(batch)d).",
                "%(count)d members are being worked on in the background (batch %(batch)d).",
                batch.total,
            )
            % {"count": batch.total, "batch": batch.pk},
            messages.SUCCESS,
        )
