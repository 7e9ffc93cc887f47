"""Bulk requests in the admin: their list, and a page for each that follows it to its end."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from mozillians_basket import bulk
from mozillians_basket.admin.drafts import DraftPages
from mozillians_basket.admin.exports import csv_of
from mozillians_basket.admin.failures import failures_of, reasons_of
from mozillians_basket.admin.pages import (
    BasketPages,
    may_change_newsletters,
    standing_of_basket,
)
from mozillians_basket.admin.progress import Progress, progress_of, progress_of_all, shown
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.models import BulkItem, BulkRequest, Event

#: Reasons for a cancellation that no admin ordered, by the outcome in the history.
REASONS = {
    "unknown newsletter": gettext_lazy("One of its newsletters is not this site's any more."),
}


class BulkRequestAdmin(DraftPages, BasketPages):
    """The list of bulk requests, with actor, order, time and progress."""

    list_display = ("order", "newsletter_names", "actor", "created_at", "state", "progress")
    list_filter = ("state", "action")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """List requests without their members' keys, and without drafts: those are an admin's."""
        rows: QuerySet[Any] = super().get_queryset(request).defer("keys")
        return rows.exclude(state=BulkRequest.State.DRAFT).select_related("actor")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admins who may order bulk requests may see them, too."""
        return may_change_newsletters(request) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return the same for the admin's index."""
        return may_change_newsletters(request) or super().has_module_permission(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of a draft and of a running request."""
        views = {
            "confirm": self.confirm_view,
            "progress": self.progress_view,
            "cancel": self.cancel_view,
            "retry": self.retry_view,
            "csv": self.csv_view,
        }
        return [
            path(
                f"<int:key>/{name}/",
                self.admin_site.admin_view(view),
                name=f"mozillians_basket_bulkrequest_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Add the progress of the list's rows, read in one query."""
        listed = super().get_changelist_instance(request)
        progress = progress_of_all(listed.result_list)
        for row in listed.result_list:
            row.how_far = progress[row.pk]
        return listed

    @admin.display(description=gettext_lazy("bulk request"), ordering="pk")
    def order(self, row: BulkRequest) -> str:
        """Name the action of the request."""
        return f"{row.pk}: {row.get_action_display()}"

    @admin.display(description=gettext_lazy("newsletters"))
    def newsletter_names(self, row: BulkRequest) -> str:
        """Name the newsletters."""
        return ", ".join(row.newsletters)

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, row: Any) -> str:
        """Describe the progress."""
        far: Progress = row.how_far
        numbers = {"closed": shown(far.closed), "total": shown(far.total)}
        if far.failed:
            return _("%(closed)s of %(total)s, %(failed)s failed") % {
                **numbers,
                "failed": shown(far.failed),
            }
        return _("%(closed)s of %(total)s") % numbers

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one request."""
        row: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404
        request.current_app = self.admin_site.name
        progress = progress_of(row)
        return TemplateResponse(
            request,
            "admin/mozillians_basket/bulk_request.html",
            {
                **self.admin_site.each_context(request),
                **standing_of_basket(),
                "title": _("Bulk request %(number)d") % {"number": row.pk},
                "opts": self.opts,
                "bulk_request": row,
                "progress": progress,
                "numbers": numbers_of(progress),
                "stopped": _stopped(row),
                "may_change": may_change_newsletters(request),
                "skipped": reasons_of(row, BulkItem.State.SKIPPED)
                if progress.over and progress.skipped
                else [],
                "waiting": [] if progress.over else reasons_of(row, BulkItem.State.PENDING),
                "failures": failures_of(row, progress.failed, request, self.admin_site),
                **(extra_context or {}),
            },
        )

    def progress_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Return the numbers of a request's page, for its script."""
        row = self._row(request, key)
        progress = progress_of(row)
        return JsonResponse(
            {
                "over": progress.over,
                "percent": progress.percent,
                "state": row.get_state_display(),
                "sentence": progress.sentence,
                "pace": progress.pace,
                "failed": progress.failed,
                "numbers": {name: number for name, _label, number in numbers_of(progress)},
                "mayCancel": progress.may_cancel,
                "mayRetry": progress.may_retry,
            }
        )

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Leave out the members whose orders were not begun."""
        row = self._row_to_change(request, key)
        if bulk.cancel(row, actor=request.user):
            text = _("Cancelled. Orders that were begun end as ordered.")
            self._went_through(request, row, text)
        else:
            self.message_user(request, _("There was nothing to cancel."), messages.WARNING)
        return HttpResponseRedirect(self.url_of("change", row.pk))

    @method_decorator(require_POST)
    def retry_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Retry the failed orders."""
        row = self._row_to_change(request, key)
        if not switch_is_on():
            off = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
            self.message_user(request, off, messages.WARNING)
        elif bulk.retry(row, actor=request.user):
            self._went_through(request, row, _("The failed members are tried again."))
        else:
            self.message_user(request, _("There was nothing to try again."), messages.WARNING)
        return HttpResponseRedirect(self.url_of("change", row.pk))

    def csv_view(self, request: HttpRequest, key: int) -> StreamingHttpResponse:
        """Return all members of a request, to download."""
        if not may_change_newsletters(request):
            raise PermissionDenied
        return csv_of(self._row(request, key), request)

    def _went_through(self, request: HttpRequest, row: BulkRequest, text: str) -> None:
        wake_sweeper()
        self.log_change(request, row, text)
        self.message_user(request, text, messages.SUCCESS)

    def _row(self, request: HttpRequest, key: int) -> BulkRequest:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row: BulkRequest = get_object_or_404(self.get_queryset(request), pk=key)
        return row

    def _row_to_change(self, request: HttpRequest, key: int) -> BulkRequest:
        if not may_change_newsletters(request):
            raise PermissionDenied
        return self._row(request, key)


def _stopped(row: BulkRequest) -> dict[str, Any] | None:
    """Describe the cancellation of a request: actor, time and reason."""
    if row.state != BulkRequest.State.CANCELLED:
        return None
    cancelled = Event.objects.filter(bulk_request=row, kind=Event.Kind.CANCELLED)
    event = cancelled.select_related("actor").first()
    if event is None:
        return None
    return {"by": event.actor, "at": event.created_at, "why": REASONS.get(event.outcome, "")}


def numbers_of(progress: Progress) -> list[tuple[str, str, str]]:
    """List key, label and number of each count."""
    return [
        ("done", _("done"), shown(progress.done)),
        ("failed", _("failed"), shown(progress.failed)),
        ("skipped", _("skipped"), shown(progress.skipped)),
        ("cancelled", _("left out"), shown(progress.left_out)),
        ("waiting", _("waiting"), shown(progress.waiting)),
    ]
