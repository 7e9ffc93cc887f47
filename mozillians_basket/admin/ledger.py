"""The ledger in the admin, to read: nothing in it is changed by hand."""

from mozillians_basket.admin.pages import AnyTabularInline, BasketPages, ReadOnly
from mozillians_basket.models import Subscription


class SubscriptionInline(ReadOnly, AnyTabularInline):
    """A contact's newsletters."""

    model = Subscription
    fields = (
        "newsletter", "wanted", "decided_by", "decided_at", "state", "confirmed_at", "error_code",
    )  # fmt: skip
    extra = 0


class ContactAdmin(BasketPages):
    """What the site knows of a member's newsletters. No address and no token is shown."""

    list_display = ("id", "member_id", "touched_at", "settled_at", "not_before", "error", "cause")
    list_filter = ("error", "subscriptions__newsletter", "subscriptions__state")
    ordering = ("-pk",)
    inlines = (SubscriptionInline,)
    fields = (
        "member_id", "departed_at", "touched_at", "settled_at", "leased_until", "not_before",
        "attempts", "error", "error_code", "cause",
    )  # fmt: skip
    readonly_fields = fields
