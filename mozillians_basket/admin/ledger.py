"""The ledger in the admin. It can only be read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.causes import in_words
from mozillians_basket.admin.contacts import ContactPages
from mozillians_basket.admin.explanations import problem
from mozillians_basket.admin.filters import (
    ErrorFilter,
    NewsletterFilter,
    StateFilter,
    failing,
)
from mozillians_basket.admin.links import links_from_ledger
from mozillians_basket.admin.pages import AnyTabularInline, ReadOnly
from mozillians_basket.admin.reasons import when
from mozillians_basket.models import Contact, Decision, FailingContact, Member, Subscription


class SubscriptionInline(ReadOnly, AnyTabularInline):
    """The subscriptions of a contact."""

    model = Subscription
    verbose_name_plural = _("newsletters at Basket")
    fields = (
        "newsletter", "state", "confirmed_at", "seen_at", "missing_at", "requested_at",
        "removed_at", "removal_pending", "opted_out_at", "error_code",
    )  # fmt: skip
    extra = 0


class MemberInline(ReadOnly, AnyTabularInline):
    """The members at a contact, with their decisions."""

    model = Member
    fields = ("site_key", "wanted", "opted_out_at", "held_back_at")
    readonly_fields = fields
    extra = 0

    @admin.display(description=_("member"))
    def site_key(self, member: Member) -> str:
        """The key on the site, as a name can be an address."""
        return member.key or gettext("no member, only an address")

    @admin.display(description=_("decisions"))
    def wanted(self, member: Member) -> str:
        """The member's decisions, each with its author."""
        return "; ".join(_decision(row) for row in member.decisions.order_by("newsletter"))


def _decision(row: Decision) -> str:
    """One decision: "mozilla-phone: wanted, policy, opted out"."""
    parts = [gettext("wanted") if row.wanted else gettext("not wanted")]
    if row.decided_by:
        parts.append(row.get_decided_by_display())
    if row.opted_out_at is not None:
        parts.append(gettext("opted out"))
    if row.despite_opt_out:
        parts.append(gettext("despite opt-outs"))
    return f"{row.newsletter}: {', '.join(parts)}"


class ContactAdmin(ContactPages):
    """An address at Basket, with its members and newsletters. Neither it nor a token is shown."""

    change_form_template = "admin/mozillians_basket/contact.html"
    list_display = (
        "id", "member_shown", "problem_shown", "next_attempt_shown", "settled_at", "cause_shown",
    )  # fmt: skip
    list_filter = (ErrorFilter, NewsletterFilter, StateFilter)
    ordering = ("-pk",)
    sortable_by = ("id",)
    inlines = (MemberInline, SubscriptionInline)
    fields = (
        "problem_shown", "failing_since", "dismissed_at", "attempts", "not_before", "parked",
        "touched_at", "settled_at", "asked_at", "leased_until", "cause_shown", "clear",
        "renamed_at",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("problem"))
    def problem_shown(self, contact: Contact) -> str:
        """In plain words, with the code beside them."""
        return problem(contact, contact.subscriptions.all())

    @admin.display(description=_("Basket was last asked"))
    def asked_at(self, contact: Contact) -> str:
        """The time of the last lookup, if there was one."""
        return when(contact.looked_up_at) if contact.looked_up_at else gettext("never")

    @admin.display(description=_("last cause"))
    def cause_shown(self, contact: Contact) -> str:
        """The cause of the last change."""
        return in_words(contact.cause)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One row, with its members, and links to related pages."""
        contact = self.get_object(request, object_id or "")
        context = dict(extra_context or {})
        if contact is not None:
            context["subtitle"] = self.whose(request, contact)
            context["basket_links"] = links_from_ledger(
                request,
                self.admin_site,
                contact,
                self.member_keys(contact),
                fails=failing(FailingContact.objects.filter(pk=contact.pk)).exists(),
            )
        return super().changeform_view(request, object_id, form_url, context)
