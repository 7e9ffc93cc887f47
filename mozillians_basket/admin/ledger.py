"""The ledger in the admin, to read: nothing in it is changed by hand."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest

from mozillians_basket.models import Batch, BatchItem, Contact, Event, Pulse, Subscription

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
else:
    AnyModelAdmin = admin.ModelAdmin
    AnyTabularInline = admin.TabularInline


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


class SubscriptionInline(ReadOnly, AnyTabularInline):
    """A contact's newsletters."""

    model = Subscription
    fields = (
        "newsletter", "wanted", "decided_by", "decided_at", "state", "confirmed_at", "error_code",
    )  # fmt: skip
    extra = 0


@admin.register(Contact)
class ContactAdmin(ReadOnly, AnyModelAdmin):
    """What the site knows of a member's newsletters. No address and no token is shown."""

    list_display = ("id", "member_id", "touched_at", "settled_at", "not_before", "error", "cause")
    list_filter = ("error", "subscriptions__newsletter", "subscriptions__state")
    ordering = ("-pk",)
    show_full_result_count = False
    inlines = (SubscriptionInline,)
    fields = (
        "member_id", "departed_at", "touched_at", "settled_at", "leased_until", "not_before",
        "attempts", "error", "error_code", "cause",
    )  # fmt: skip
    readonly_fields = fields


@admin.register(Event)
class EventAdmin(ReadOnly, AnyModelAdmin):
    """What happened, the newest first."""

    list_display = ("created_at", "contact_id", "kind", "newsletters", "outcome", "cause", "actor")
    list_filter = ("kind", "created_at")
    list_select_related = ("actor",)
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(Batch)
class BatchAdmin(ReadOnly, AnyModelAdmin):
    """Bulk requests and how far they got."""

    list_display = ("id", "action", "newsletters", "actor", "total", *BatchItem.State.values)
    list_select_related = ("actor",)
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of items in each state."""
        counts = {
            f"count_{state}": Count("items", filter=Q(items__state=state))
            for state in BatchItem.State.values
        }
        rows: QuerySet[Any] = super().get_queryset(request).annotate(**counts)
        return rows

    def pending(self, batch: Any) -> int:
        """Waiting."""
        return int(batch.count_pending)

    def done(self, batch: Any) -> int:
        """Carried out."""
        return int(batch.count_done)

    def failed(self, batch: Any) -> int:
        """Refused by Basket."""
        return int(batch.count_failed)

    def skipped(self, batch: Any) -> int:
        """Left out: opted out, gone, or without an address."""
        return int(batch.count_skipped)

    def cancelled(self, batch: Any) -> int:
        """Called off."""
        return int(batch.count_cancelled)


@admin.register(Pulse)
class PulseAdmin(ReadOnly, AnyModelAdmin):
    """Whether Basket is there: the breaker, and the sweeper's last run."""

    list_display = ("__str__", "opened_at", "reason", "status", "error_code", "probes", "swept_at")
    ordering = ("pk",)
