"""How things stand between the site and Basket, in the admin."""

from mozillians_basket.admin.pages import BasketPages


class PulseAdmin(BasketPages):
    """Whether Basket is there: the breaker, and the sweeper's last run."""

    list_display = ("__str__", "opened_at", "reason", "status", "error_code", "probes", "swept_at")
    ordering = ("pk",)
