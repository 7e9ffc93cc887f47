"""The sandbox Basket's own admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from mozillians_basket.sandbox import changes, faults
from mozillians_basket.sandbox.models import (
    ApiKey,
    BlockedDomain,
    Fault,
    Newsletter,
    NewsletterGroup,
    Person,
    ReceivedRequest,
    SentMessage,
    Subscription,
)


class SubscriptionInline(admin.TabularInline):  # type: ignore[type-arg]
    """The subscriptions of a person, on the person's page."""

    model = Subscription
    extra = 0
    autocomplete_fields = ["newsletter"]


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The people, with their newsletters."""

    list_display = ["email", "gets", "optin", "optout", "lang", "last_modified_date"]
    list_filter = ["newsletters", "optin", "optout", "lang"]
    search_fields = ["email", "first_name", "last_name", "token"]
    readonly_fields = ["created_date", "last_modified_date"]
    inlines = [SubscriptionInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        """Fetch the newsletters of all people on the page in one query."""
        return super().get_queryset(request).prefetch_related("newsletters")

    @admin.display(description="newsletters")
    def gets(self, person: Person) -> str:
        """Name the newsletters that a person gets."""
        return ", ".join(newsletter.slug for newsletter in person.newsletters.all())


@admin.register(Newsletter)
class NewsletterAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The newsletters."""

    list_display = ["slug", "title", "active", "private", "requires_double_optin", "order"]
    list_filter = ["active", "private", "requires_double_optin"]
    search_fields = ["slug", "title"]


@admin.register(NewsletterGroup)
class NewsletterGroupAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Groups of newsletters."""

    list_display = ["slug", "title", "active"]
    filter_horizontal = ["newsletters"]


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The keys of callers; one that is not enabled is refused."""

    list_display = ["name", "enabled", "created"]
    list_editable = ["enabled"]


@admin.register(BlockedDomain)
class BlockedDomainAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Domains whose addresses are answered "ok" and not stored."""

    list_display = ["domain"]


@admin.register(Fault)
class FaultAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The page that sets faults and removes them."""

    list_display = ["__str__", "email", "status", "code", "seconds", "share", "remaining"]
    list_filter = ["kind", "endpoint"]
    fieldsets = [
        (None, {"fields": ["kind"]}),
        ("Requests", {"fields": ["endpoint", "email", "remaining"]}),
        ("Loss", {"fields": ["newsletter"]}),
        ("A share of them", {"fields": ["share", "seed"], "classes": ["collapse"]}),
        ("Answer", {"fields": ["status", "code", "desc", "retry_after"]}),
        ("Duration", {"fields": ["seconds", "spread"]}),
    ]

    def has_change_permission(self, request: HttpRequest, obj: Fault | None = None) -> bool:
        """Refuse to change a loss: it has struck, and can only be removed."""
        has_struck = obj is not None and obj.kind in Fault.LOSSES
        return not has_struck and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Fault, form: object, change: object) -> None:
        """Set the fault. A loss strikes at once."""
        faults.set_fault(obj)

    def delete_model(self, request: HttpRequest, obj: Fault) -> None:
        """Remove the fault, and carry out the changes that it kept."""
        faults.remove([obj])
        changes.catch_up()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Fault]) -> None:
        """Remove the faults, and carry out the changes that they kept."""
        faults.remove(queryset)
        changes.catch_up()


class RecordAdmin:
    """Makes rows readable and deletable, but not writable."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: nobody writes records by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Refuse: nobody rewrites records."""
        return False


@admin.register(ReceivedRequest)
class ReceivedRequestAdmin(RecordAdmin, admin.ModelAdmin):  # type: ignore[type-arg]
    """The last requests."""

    list_display = ["received", "method", "path", "email", "newsletters", "status", "code"]
    list_filter = ["endpoint", "status", "code"]
    search_fields = ["email"]


@admin.register(SentMessage)
class SentMessageAdmin(RecordAdmin, admin.ModelAdmin):  # type: ignore[type-arg]
    """The mail that was sent."""

    list_display = ["sent", "kind", "email", "lang", "subject"]
    list_filter = ["kind", "lang"]
    search_fields = ["email"]
