"""Bulk actions on the site's member list."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from mozillians_basket import bulk
from mozillians_basket.admin.pages import may_change_newsletters
from mozillians_basket.admin.panel import BasketPanel
from mozillians_basket.admin.sites import register
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.models import BulkRequest


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
        """Write down the selected members, and ask which newsletters."""
        return self._draft(request, queryset, BulkRequest.Action.SUBSCRIBE)

    @admin.action(
        description=_("Unsubscribe selected %(verbose_name_plural)s from newsletters"),
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
        if not switch_is_on():
            self.message_user(
                request,
                _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off."),
                messages.WARNING,
            )
            return None
        # Read at once: the selection is the list of members that the admin sees now.
        keys = list(queryset.order_by().values_list("pk", flat=True))
        draft = bulk.draft(action, keys, actor=request.user)
        url = reverse(
            "admin:mozillians_basket_bulkrequest_confirm",
            args=[draft.pk],
            current_app=self.admin_site.name,
        )
        filters = request.GET.urlencode()
        if filters:
            url = f"{url}?{urlencode({'_changelist_filters': filters})}"
        return HttpResponseRedirect(url)
