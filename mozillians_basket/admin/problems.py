"""Contacts that need an admin's eye."""

from django.db.models import QuerySet
from django.http import HttpRequest

from mozillians_basket.admin.pages import BasketPages
from mozillians_basket.models import Problem


class ProblemAdmin(BasketPages):
    """Contacts that fail, are parked or refused, the oldest trouble first."""

    list_display = ("id", "member_id", "failing_since", "error", "error_code", "not_before")
    ordering = ("failing_since",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Problem]:
        """Without those that were put aside."""
        rows: QuerySet[Problem] = super().get_queryset(request)
        return rows.filter(failing_since__isnull=False, dismissed_at__isnull=True)
