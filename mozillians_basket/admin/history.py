"""What happened, in the admin."""

from mozillians_basket.admin.pages import BasketPages


class EventAdmin(BasketPages):
    """What happened, the newest first."""

    list_display = ("created_at", "contact_id", "kind", "newsletters", "outcome", "cause", "actor")
    list_filter = ("kind", "created_at")
    list_select_related = ("actor",)
    ordering = ("-pk",)
