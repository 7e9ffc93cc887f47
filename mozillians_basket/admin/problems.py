"""The list of contacts with problems, which an admin can retry or dismiss."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mozillians_basket.admin.causes import RETRY
from mozillians_basket.admin.contacts import ContactPages
from mozillians_basket.admin.dossier import dossier_of_contact
from mozillians_basket.admin.explanations import problem
from mozillians_basket.admin.filters import (
    AgeFilter,
    DismissedFilter,
    ErrorFilter,
    NewsletterFilter,
    StandingFilter,
    concerned,
    failing,
)
from mozillians_basket.admin.journal import log_problems
from mozillians_basket.admin.links import links_from_problem
from mozillians_basket.admin.notes import NoteForm
from mozillians_basket.admin.pages import may_change_newsletters, standing_of_basket
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.ledger import decisions
from mozillians_basket.ledger.share import Context
from mozillians_basket.models import Contact, Event, FailingContact, alias

#: The name of the button that confirms, and that tells the second request from the first.
CONFIRM = "basket_confirm"


class ProblemAdmin(ContactPages):
    """Contacts that fail, are parked or refused, the oldest trouble first."""

    change_list_template = "admin/mozillians_basket/problem_list.html"
    change_form_template = "admin/mozillians_basket/problem.html"
    list_display = (
        "what_is_wrong", "member_shown", "address_shown", "newsletters_shown", "failing_since",
        "attempts", "next_attempt_shown",
    )  # fmt: skip
    list_filter = (StandingFilter, ErrorFilter, NewsletterFilter, AgeFilter, DismissedFilter)
    ordering = (F("failing_since").asc(nulls_last=True), "pk")
    sortable_by = ("failing_since", "attempts")
    actions = ("retry", "dismiss")

    def has_sync_members_permission(self, request: HttpRequest) -> bool:
        """Whether this admin may order anything here."""
        return may_change_newsletters(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[FailingContact]:
        """The contacts that fail now, including dismissed ones."""
        rows: QuerySet[FailingContact] = super().get_queryset(request)
        return failing(rows)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Add the newsletters of each row, or to an empty list the number of dismissed problems."""
        changelist = super().get_changelist_instance(request)
        prefetch_related_objects(changelist.result_list, "members__decisions")
        if not changelist.result_count:
            put_aside = self.get_queryset(request).filter(dismissed_at__isnull=False)
            changelist.put_aside = put_aside.count()
        return changelist

    @admin.display(description=gettext_lazy("problem"))
    def what_is_wrong(self, contact: FailingContact) -> str:
        """The problem in plain words, with its code."""
        return problem(contact, contact.subscriptions.all())

    @admin.display(description=gettext_lazy("newsletters"))
    def newsletters_shown(self, contact: FailingContact) -> str:
        """The newsletters that it concerns."""
        return ", ".join(concerned(contact))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; an action that was not offered is forged."""
        forged = set(request.POST.getlist("action")) & set(self.actions)
        if forged and not may_change_newsletters(request):
            raise PermissionDenied
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
            self.message_user(request, _("This problem is over."), messages.SUCCESS)
            return HttpResponseRedirect(self._list_url())
        if contact is None or not self.has_view_permission(request, contact):
            raise PermissionDenied
        context = {
            "title": _("Problem"),
            "subtitle": self.whose(request, contact),
            "basket": dossier_of_contact(request, contact),
            "basket_links": links_from_problem(
                request, self.admin_site, contact, self.member_keys(contact)
            ),
            "basket_may_order": may_change_newsletters(request),
            # By the list's own actions, with all shown: a dismissed problem would not be found.
            "basket_actions_url": f"{self._list_url()}?dismissed=any",
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    @admin.action(description=gettext_lazy("Try again"), permissions=["sync_members"])
    def retry(self, request: HttpRequest, queryset: QuerySet[FailingContact]) -> None:
        """Make the contacts due, as if they had never failed."""
        if not switch_is_on():
            told = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
            self.message_user(request, told, messages.WARNING)
            return
        context = Context(cause=RETRY, actor_id=request.user.pk)
        with transaction.atomic(using=alias()):
            log_problems(request, queryset, Event.Kind.RETRIED)
            number = decisions.retry(self._chosen(queryset), context)
            wake_sweeper()
        told = ngettext(
            "%(count)d problem is tried again in the background.",
            "%(count)d problems are tried again in the background.",
            number,
        ) % {"count": number}
        self.message_user(request, told, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Put aside with a note"), permissions=["sync_members"])
    def dismiss(
        self, request: HttpRequest, queryset: QuerySet[FailingContact]
    ) -> HttpResponse | None:
        """Ask for the note, then dismiss the problems."""
        form = NoteForm(request.POST if CONFIRM in request.POST else None)
        if form.is_valid():
            number = self._put_aside(request, queryset, form.cleaned_data["remark"])
            told = ngettext(
                "%(count)d problem was put aside. Another one of the same member's is shown again.",
                "%(count)d problems were put aside. Another one of the same members' is shown "
                "again.",
                number,
            ) % {"count": number}
            self.message_user(request, told, messages.SUCCESS)
            return None
        context = {
            **self.admin_site.each_context(request),
            **standing_of_basket(),
            "title": _("Put problems aside"),
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "count": queryset.count(),
            "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
            "confirm": CONFIRM,
            "basket_list_url": self._list_url(),
        }
        return TemplateResponse(request, "admin/mozillians_basket/dismiss.html", context)

    def _put_aside(
        self, request: HttpRequest, queryset: QuerySet[FailingContact], note: str
    ) -> int:
        with transaction.atomic(using=alias()):
            log_problems(request, queryset, Event.Kind.DISMISSED, note)
            chosen = self._chosen(queryset)
            # A refused subscription is no failure of the contact, which may have none.
            chosen.filter(failing_since__isnull=True).update(failing_since=timezone.now())
            return decisions.dismiss(chosen)

    def _chosen(self, queryset: QuerySet[FailingContact]) -> QuerySet[Contact]:
        """The contacts behind problems that were chosen, as rows to be updated."""
        rows = Contact.objects.using(alias())
        return rows.filter(pk__in=queryset.order_by().values("pk"))

    def _list_url(self) -> str:
        return reverse(
            "admin:mozillians_basket_failingcontact_changelist", current_app=self.admin_site.name
        )
