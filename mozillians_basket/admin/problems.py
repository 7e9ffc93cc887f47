"""Contacts that need an admin's eye: what is wrong, try again, put aside."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mozillians_basket import ledger
from mozillians_basket.admin.contacts import ContactPages
from mozillians_basket.admin.dossier import dossier_of_contact
from mozillians_basket.admin.explanations import problem
from mozillians_basket.admin.filters import (
    AgeFilter,
    DismissedFilter,
    ErrorFilter,
    NewsletterFilter,
    StandingFilter,
    is_concerned,
)
from mozillians_basket.admin.journal import log_repairs
from mozillians_basket.admin.links import links_from_problem
from mozillians_basket.admin.notes import NoteForm
from mozillians_basket.admin.pages import may_change_newsletters, standing_of_basket
from mozillians_basket.hints import hint_contacts, hint_sweep
from mozillians_basket.models import Problem, Repair
from mozillians_basket.switch import switch_is_on

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
    ordering = ("failing_since", "pk")
    sortable_by = ("failing_since", "attempts")
    actions = ("retry", "dismiss")

    def has_sync_members_permission(self, request: HttpRequest) -> bool:
        """Whether this admin may order anything here."""
        return may_change_newsletters(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Problem]:
        """Those that fail now, also if they were put aside."""
        rows: QuerySet[Problem] = super().get_queryset(request)
        return rows.filter(failing_since__isnull=False)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With the newsletters of each row; where there is none, with how many are put aside."""
        changelist = super().get_changelist_instance(request)
        prefetch_related_objects(changelist.result_list, "subscriptions")
        if not changelist.result_count:
            put_aside = self.get_queryset(request).filter(dismissed_at__isnull=False)
            changelist.put_aside = put_aside.count()
        return changelist

    @admin.display(description=gettext_lazy("what is wrong"))
    def what_is_wrong(self, contact: Problem) -> str:
        """In plain words, with the code beside them."""
        return problem(contact)

    @admin.display(description=gettext_lazy("newsletters"))
    def newsletters_shown(self, contact: Problem) -> str:
        """The newsletters that it concerns."""
        lines = contact.subscriptions.all()
        return ", ".join(sorted(line.newsletter for line in lines if is_concerned(line)))

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
            "basket_links": links_from_problem(request, self.admin_site, contact),
            "basket_may_order": may_change_newsletters(request),
            # By the list's own actions; with all shown, or one that was put aside is not found.
            "basket_actions_url": f"{self._list_url()}?dismissed=any",
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    @admin.action(description=gettext_lazy("Try again"), permissions=["sync_members"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Problem]) -> None:
        """Make them due, as if they had never failed."""
        if not switch_is_on():
            told = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
            self.message_user(request, told, messages.WARNING)
            return
        keys = self._repair(request, queryset, Repair.Action.RETRY)
        told = ngettext(
            "%(count)d problem is tried again in the background.",
            "%(count)d problems are tried again in the background.",
            len(keys),
        ) % {"count": len(keys)}
        self.message_user(request, told, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Put aside with a note"), permissions=["sync_members"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[Problem]) -> HttpResponse | None:
        """Ask for the note, then put them aside."""
        form = NoteForm(request.POST if CONFIRM in request.POST else None)
        if form.is_valid():
            keys = self._repair(
                request, queryset, Repair.Action.DISMISS, form.cleaned_data["remark"]
            )
            told = ngettext(
                "%(count)d problem was put aside. Another one of the same member's is shown again.",
                "%(count)d problems were put aside. Another one of the same members' is shown "
                "again.",
                len(keys),
            ) % {"count": len(keys)}
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

    def _repair(
        self,
        request: HttpRequest,
        queryset: QuerySet[Problem],
        action: Repair.Action,
        remark: str = "",
    ) -> list[int]:
        keys = sorted(queryset.order_by().values_list("pk", flat=True))
        if ledger.repair(action, keys, actor=request.user, remark=remark):
            hint_contacts(keys)
        else:
            hint_sweep()
        log_repairs(request, action, keys, remark)
        return keys

    def _list_url(self) -> str:
        return reverse(
            "admin:mozillians_basket_problem_changelist", current_app=self.admin_site.name
        )
