"""Bulk actions on the site's member list."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.pages import may_change_newsletters
from mozillians_basket.admin.panel import BasketPanel
from mozillians_basket.admin.sites import register
from mozillians_basket.ledger import draft_batch
from mozillians_basket.models import Batch
from mozillians_basket.selection import SelectionLost, everybody_on, selected, these_of
from mozillians_basket.switch import switch_is_on


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
        return super().changelist_view(request, extra_context)

    @admin.action(
        description=_("Subscribe selected %(verbose_name_plural)s to newsletters"),
        permissions=["sync_members"],
    )
    def subscribe_user_to_basket(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Remember who is selected, and ask which newsletters."""
        return self._draft(request, queryset, Batch.Action.SUBSCRIBE)

    @admin.action(
        description=_("Unsubscribe selected %(verbose_name_plural)s from newsletters"),
        permissions=["sync_members"],
    )
    def unsubscribe_from_basket_task(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Remember who is selected, and ask which newsletters."""
        return self._draft(request, queryset, Batch.Action.UNSUBSCRIBE)

    def _draft(
        self, request: HttpRequest, queryset: QuerySet[Model], action: Batch.Action
    ) -> HttpResponse | None:
        if not switch_is_on():
            self.message_user(
                request,
                _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off."),
                messages.WARNING,
            )
            return None
        try:
            selection, total = self._selection(request, queryset)
        except SelectionLost:
            self.message_user(
                request,
                _(
                    "Nothing was done: this list depends on more than its URL, so the worker "
                    "cannot build it again. Tick the members of one page at a time instead."
                ),
                messages.ERROR,
            )
            return None
        batch = draft_batch(action, selection, total, actor=request.user)
        return HttpResponseRedirect(
            reverse(
                "admin:mozillians_basket_batch_confirm",
                args=[batch.pk],
                current_app=self.admin_site.name,
            )
        )

    def _selection(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> tuple[dict[str, Any], int]:
        """
        Who is selected, in a form that the worker can read, and how many they are.

        :raises SelectionLost: when the list as the worker would build it is another one.
        """
        if request.POST.get("select_across") not in {"1", "True", "true"}:
            keys = list(queryset.order_by().values_list("pk", flat=True))
            return these_of(self, request, keys), len(keys)
        selection = everybody_on(self, request)
        members = selected(selection, request.user)
        total = members.count()
        same = members.query.sql_with_params() == queryset.query.sql_with_params()
        if not same and not _are_equal(members, queryset, total):
            raise SelectionLost("no list")
        return selection, total


def _are_equal(rebuilt: QuerySet[Model], shown: QuerySet[Model], total: int) -> bool:
    """Whether two lists, the first of which has ``total`` rows, have the same members."""
    here = shown.order_by().values("pk")
    return total == here.count() and not rebuilt.order_by().exclude(pk__in=here).exists()
