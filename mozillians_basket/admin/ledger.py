"""The ledger in the admin, to read: nothing in it is changed by hand."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.causes import in_words
from mozillians_basket.admin.contacts import ContactPages
from mozillians_basket.admin.explanations import problem
from mozillians_basket.admin.filters import ErrorFilter, NewsletterFilter, StateFilter
from mozillians_basket.admin.links import links_from_ledger
from mozillians_basket.admin.pages import AnyTabularInline, ReadOnly
from mozillians_basket.admin.reasons import when
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.models.ledger import NEVER


class SubscriptionInline(ReadOnly, AnyTabularInline):
    """A contact's newsletters."""

    model = Subscription
    verbose_name_plural = _("newsletters")
    fields = (
        "newsletter", "entitled", "wanted", "decided_by", "decided_at", "state", "confirmed_at",
        "verified_at", "error_code",
    )  # fmt: skip
    extra = 0


class ContactAdmin(ContactPages):
    """What the site knows of a member's newsletters. No address and no token is shown."""

    change_form_template = "admin/mozillians_basket/contact.html"
    list_display = (
        "id", "member_shown", "problem_shown", "next_attempt_shown", "settled_at", "cause_shown",
    )  # fmt: skip
    list_filter = (ErrorFilter, NewsletterFilter, StateFilter)
    ordering = ("-pk",)
    sortable_by = ("id",)
    inlines = (SubscriptionInline,)
    fields = (
        "problem_shown", "failing_since", "dismissed_at", "attempts", "not_before", "parked_at",
        "touched_at", "settled_at", "asked_at", "leased_until", "cause_shown", "departed_at",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("problem"))
    def problem_shown(self, contact: Contact) -> str:
        """In plain words, with the code beside them."""
        return problem(contact)

    @admin.display(description=_("Basket was last asked"))
    def asked_at(self, contact: Contact) -> str:
        """When Basket was last asked, if it ever was."""
        return when(contact.verified_at) if contact.verified_at > NEVER else gettext("never")

    @admin.display(description=_("last cause"))
    def cause_shown(self, contact: Contact) -> str:
        """What the last change began with."""
        return in_words(contact.cause)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One row, with whose it is, and links to whom and what it is about."""
        contact = self.get_object(request, object_id or "")
        context = dict(extra_context or {})
        if contact is not None:
            context["subtitle"] = self.whose(request, contact)
            context["basket_links"] = links_from_ledger(request, self.admin_site, contact)
        return super().changeform_view(request, object_id, form_url, context)
