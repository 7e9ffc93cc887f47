"""The common part of this app's admin pages: nothing can be edited, and a banner is on top."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse

from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.models import Approval, Status

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
else:
    AnyModelAdmin = admin.ModelAdmin
    AnyTabularInline = admin.TabularInline


def standing_of_basket() -> dict[str, Any]:
    """The template context of ``banner.html``: the switch, the breaker and open questions."""
    return {
        "basket_switch_is_on": switch_is_on(),
        "basket_status": Status.read(),
        "basket_questions": list(Approval.objects.filter(closed_at=None).order_by("newsletter")),
    }


def may_change_newsletters(request: HttpRequest) -> bool:
    """Whether this admin may order what is sent to Basket."""
    return request.user.has_perm("mozillians_basket.sync_members")


def may_manage(request: HttpRequest) -> bool:
    """Whether this admin may approve removals, answer losses and stop everything."""
    return request.user.has_perm("mozillians_basket.manage_basket")


#: Columns with addresses and tokens, and what tells them apart: no page shows them to everybody.
HIDDEN = frozenset({"email", "key", "token", "hash"})


class ReadOnly:
    """Rows that the app writes by itself."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes rows."""
        return False


class BasketPages(ReadOnly, AnyModelAdmin):
    """The list of one of the app's tables, and a row's page, each under the banner."""

    change_list_template = "admin/mozillians_basket/change_list.html"
    change_form_template = "admin/mozillians_basket/change_form.html"
    show_full_result_count = False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse lookups of what is hidden: ``?token__startswith=`` would read it off the list."""
        if HIDDEN.intersection(lookup.split(LOOKUP_SEP)):
            return False
        return super().lookup_allowed(lookup, value, request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list."""
        return super().changelist_view(request, {**standing_of_basket(), **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One row."""
        context = {**standing_of_basket(), **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)
