"""The list of contacts with problems, which an admin can retry or dismiss."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import F, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from mozillians_basket.admin.contacts import ContactPages, ErrorFilter, NewsletterFilter, concerned
from mozillians_basket.admin.lists import ChoiceFilter
from mozillians_basket.admin.pages import is_off, may_change_newsletters, rendered, require
from mozillians_basket.admin.wording import RETRY, listed
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.ledger import decisions
from mozillians_basket.ledger.share import Context
from mozillians_basket.models import Contact, Event, FailingContact, Member, alias
from mozillians_basket.redaction import redacted
from mozillians_basket.upkeep import statistics


class StandingFilter(ChoiceFilter):
    """Filter problems by what they wait for, as the overview counts them."""

    title = gettext_lazy("waits for")
    parameter_name = "waits"
    choices_offered = {
        "admins": gettext_lazy("an admin or a change: all of these"),
        "parked": gettext_lazy("an admin: parked"),
        "address": gettext_lazy("an address that Basket accepts"),
        "refused": gettext_lazy("an admin: refused otherwise, or missing"),
        "asked": gettext_lazy("an admin's answer about a loss"),
        "retry": gettext_lazy("the next attempt, by itself"),
    }

    def condition(self, chosen: str) -> Q:
        return statistics.in_problem_group(chosen)


class AgeFilter(ChoiceFilter):
    """Filter by the begin of the problem."""

    title = gettext_lazy("when it began")
    parameter_name = "since"
    choices_offered = {
        "hour": gettext_lazy("the last hour"),
        "day": gettext_lazy("the last day"),
        "week": gettext_lazy("the last week"),
        "older": gettext_lazy("longer ago"),
    }

    def condition(self, chosen: str) -> Q:
        ages = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
        begin = timezone.now() - ages.get(chosen, timedelta(weeks=1))
        if chosen == "older":
            return Q(failing_since__lt=begin)
        return Q(failing_since__gte=begin)


class DismissedFilter(ChoiceFilter):
    """Filter by dismissal. Dismissed problems are hidden unless they are chosen."""

    title = gettext_lazy("dismissal")
    parameter_name = "dismissed"
    choices_offered = {
        "yes": gettext_lazy("dismissed"),
        "any": pgettext_lazy("problems, dismissed or not", "all"),
    }

    def choices(self, changelist: Any) -> Any:
        """The choices, the first of which is not "all" here."""
        shown = list(super().choices(changelist))
        shown[0]["display"] = _("not dismissed")
        return shown

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.chosen() == "any":
            return queryset
        return queryset.filter(dismissed_at__isnull=self.chosen() != "yes")


class NoteForm(forms.Form):
    """The reason for the dismissal."""

    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy(
            "Why there is nothing to do, for the next one who looks. Addresses in it are left out."
        ),
    )


#: Up to so many problems have an entry each; for more there is one for all of them.
EACH = 500


def log_problems(
    request: HttpRequest, problems: QuerySet[Any], kind: Event.Kind, note: str = ""
) -> None:
    """Note that problems are retried or dismissed; call it before they are. No address is kept."""
    actor: Any = request.user.pk
    note = redacted(note)
    rows = list(problems.order_by("pk").only("pk", "problem")[: EACH + 1])
    retried = kind == Event.Kind.RETRIED
    message = " ".join(filter(None, [_("Tried again.") if retried else _("Dismissed."), note]))
    common: dict[str, Any] = {
        "kind": kind,
        "actor_id": actor,
        "note": note[:200],
        "cause": RETRY if retried else "",
    }
    if len(rows) <= EACH:
        members = defaultdict(list)
        found = Member.objects.filter(contact__in=rows, site_member__isnull=False)
        for contact_id, key in found.values_list("contact_id", "site_member_id"):
            members[contact_id].append(key)
        Event.objects.bulk_create(
            Event(
                contact_id=row.pk,
                member_id=members[row.pk][0] if len(members[row.pk]) == 1 else None,
                outcome=row.problem,
                **common,
            )
            for row in rows
        )
        LogEntry.objects.log_actions(actor, rows, CHANGE, message)
        return
    number = problems.count()
    text = ngettext("%(count)d problem", "%(count)d problems", number) % {"count": number}
    Event.objects.create(outcome=text, **common)
    LogEntry.objects.create(
        user_id=actor,
        content_type=ContentType.objects.get_for_model(FailingContact, for_concrete_model=False),
        object_repr=text,
        action_flag=CHANGE,
        change_message=message,
    )


#: The name of the button that confirms, and that tells the second request from the first.
CONFIRM = "basket_confirm"


class ProblemAdmin(ContactPages):
    """Contacts that fail, are parked or refused, the oldest trouble first."""

    change_list_template = "admin/mozillians_basket/problem_list.html"
    list_display = (
        "problem_shown", "member_and_address", "newsletters_shown", "failing_since",
        "next_attempt_shown",
    )  # fmt: skip
    list_filter = (StandingFilter, ErrorFilter, NewsletterFilter, AgeFilter, DismissedFilter)
    ordering = (F("failing_since").asc(nulls_last=True), "pk")
    sortable_by = ("failing_since",)
    actions = ("retry", "dismiss")
    page_title = gettext_lazy("Problem")

    def has_sync_members_permission(self, request: HttpRequest) -> bool:
        return may_change_newsletters(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[FailingContact]:
        """The contacts that fail now, including dismissed ones."""
        rows: QuerySet[FailingContact] = super().get_queryset(request)
        return statistics.with_problems(rows)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Add the newsletters of each row, or to an empty list the number of dismissed problems."""
        changelist = super().get_changelist_instance(request)
        prefetch_related_objects(changelist.result_list, "members__decisions")
        if not changelist.result_count:
            dismissed = self.get_queryset(request).filter(dismissed_at__isnull=False)
            changelist.dismissed = dismissed.count()
        return changelist

    @admin.display(description=gettext_lazy("newsletters"))
    def newsletters_shown(self, contact: FailingContact) -> str:
        return listed(concerned(contact))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; an action that was not offered is forged."""
        if set(request.POST.getlist("action")) & set(self.actions):
            require(may_change_newsletters(request))
        return super().changelist_view(request, {"title": _("Problems"), **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One problem, explained; back to the list when it is over."""
        contact = self.get_object(request, object_id or "")
        if contact is None and self.has_view_permission(request):
            messages.success(request, _("This problem is over."))
            return HttpResponseRedirect(self.url_to("changelist"))
        context = {
            "basket_may_order": may_change_newsletters(request),
            # By the list's own actions, with all shown: a dismissed problem would not be found.
            "basket_actions_url": self.url_to("changelist") + "?dismissed=any",
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    @admin.action(description=gettext_lazy("Try again"), permissions=["sync_members"])
    def retry(self, request: HttpRequest, queryset: QuerySet[FailingContact]) -> None:
        """Make the contacts due, as if they had never failed."""
        if is_off(request):
            return
        context = Context(cause=RETRY, actor_id=request.user.pk)
        with transaction.atomic(using=alias()):
            log_problems(request, queryset, Event.Kind.RETRIED)
            number = decisions.retry(_contacts(queryset), context)
            wake_sweeper()
        told = ngettext(
            "%(count)d problem is tried again in the background.",
            "%(count)d problems are tried again in the background.",
            number,
        ) % {"count": number}
        messages.success(request, told)

    @admin.action(description=gettext_lazy("Dismiss with a note"), permissions=["sync_members"])
    def dismiss(
        self, request: HttpRequest, queryset: QuerySet[FailingContact]
    ) -> HttpResponse | None:
        """Ask for the note, then dismiss the problems."""
        form = NoteForm(request.POST if CONFIRM in request.POST else None)
        if not form.is_valid():
            return rendered(
                self,
                request,
                "dismiss",
                title=_("Dismiss problems"),
                media=self.media,
                form=form,
                count=queryset.count(),
                selected=request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
                select_across=request.POST.get("select_across", "0"),
                action_checkbox_name=helpers.ACTION_CHECKBOX_NAME,
                confirm=CONFIRM,
                basket_list_url=self.url_to("changelist"),
            )
        with transaction.atomic(using=alias()):
            log_problems(request, queryset, Event.Kind.DISMISSED, form.cleaned_data["note"])
            chosen = _contacts(queryset)
            # A refused subscription is no failure of the contact, which may have none.
            chosen.filter(failing_since__isnull=True).update(failing_since=timezone.now())
            number = decisions.dismiss(chosen)
        told = ngettext(
            "%(count)d problem was dismissed. Another one of the same member's is shown again.",
            "%(count)d problems were dismissed. Another one of the same members' is shown again.",
            number,
        ) % {"count": number}
        messages.success(request, told)
        return None


def _contacts(problems: QuerySet[FailingContact]) -> QuerySet[Contact]:
    """The contacts behind problems that were chosen, as rows to be updated."""
    return Contact.objects.filter(pk__in=problems.order_by().values("pk"))
