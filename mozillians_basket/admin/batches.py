"""Bulk requests in the admin."""

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from mozillians_basket.admin.pages import BasketPages
from mozillians_basket.models import BatchItem


class BatchAdmin(BasketPages):
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
