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

from mozillians_basket.admin.drafts import DraftPages
from mozillians_basket.admin.exports import csv_of
from mozillians_basket.admin.failures import failures_of, skipped_of
from mozillians_basket.admin.pages import (
    BasketPages,
    may_change_newsletters,
    standing_of_basket,
)
from mozillians_basket.admin.progress import Progress, progress_of, progress_of_all, shown
from mozillians_basket.hints import hint_sweep
from mozillians_basket.ledger import cancel_batch, retry_failed, take_back
from mozillians_basket.models import Batch, Event
from mozillians_basket.switch import switch_is_on

#: Why a request was cancelled though no admin wanted it, by the outcome that the history notes.
REASONS = {
    "no admin": gettext_lazy("The admin who ordered it is gone or not active any more."),
    "no permission": gettext_lazy("The admin who ordered it may not change newsletters any more."),
    "no list": gettext_lazy("The list of members could not be built any more."),
}


class BatchAdmin(DraftPages, BasketPages):
    """Bulk requests: who ordered what, when, and how far it got."""

    list_display = ("order", "newsletter_names", "actor", "created_at", "state", "progress")
    list_filter = ("state", "action")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without drafts: those are their admin's own."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.exclude(state=Batch.State.DRAFT).select_related("actor")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may order bulk requests may see them, too."""
        return may_change_newsletters(request) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As above, for the admin's index."""
        return may_change_newsletters(request) or super().has_module_permission(request)

    def get_urls(self) -> list[URLPattern]:
        """With the pages of a draft and of a running request."""
        views = {
            "confirm": self.confirm_view,
            "progress": self.progress_view,
            "cancel": self.cancel_view,
            "retry": self.retry_view,
            "csv": self.csv_view,
        }
        return [
            path(
                f"<int:batch_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"mozillians_basket_batch_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list with the progress of its rows, by one query for all."""
        listed = super().get_changelist_instance(request)
        progress = progress_of_all(listed.result_list)
        for batch in listed.result_list:
            batch.how_far = progress[batch.pk]
        return listed

    @admin.display(description=gettext_lazy("batch"), ordering="pk")
    def order(self, batch: Batch) -> str:
        """What it is."""
        return f"{batch.pk}: {batch.get_action_display()}"

    @admin.display(description=gettext_lazy("newsletters"))
    def newsletter_names(self, batch: Batch) -> str:
        """Which newsletters it is about."""
        return ", ".join(batch.newsletters)

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, batch: Any) -> str:
        """How far it got."""
        far: Progress = batch.how_far
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
        """The page of one request."""
        batch: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, batch):
            raise PermissionDenied
        if batch is None:
            raise Http404
        request.current_app = self.admin_site.name
        progress = progress_of(batch)
        return TemplateResponse(
            request,
            "admin/mozillians_basket/batch.html",
            {
                **self.admin_site.each_context(request),
                **standing_of_basket(),
                "title": _("Batch %(number)d") % {"number": batch.pk},
                "opts": self.opts,
                "batch": batch,
                "progress": progress,
                "numbers": numbers_of(progress),
                "stopped": self._stopped(batch),
                "may_change": may_change_newsletters(request),
                "skipped": skipped_of(batch) if progress.over and progress.skipped else [],
                "failures": failures_of(batch, progress.failed, request, self.admin_site),
                **(extra_context or {}),
            },
        )

    def _stopped(self, batch: Batch) -> dict[str, Any] | None:
        """Who cancelled it, when, and why."""
        if batch.state != Batch.State.CANCELLED:
            return None
        event = (
            Event.objects.filter(batch=batch, kind=Event.Kind.CANCELLED, contact__isnull=True)
            .select_related("actor")
            .first()
        )
        if event is None:
            return None
        why = REASONS.get(event.outcome, "")
        return {"by": event.actor, "at": event.created_at, "why": why}

    def progress_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """The numbers of a request's page, for its script."""
        batch = self._batch(request, batch_id)
        progress = progress_of(batch)
        return JsonResponse(
            {
                "over": progress.over,
                "percent": progress.percent,
                "state": batch.get_state_display(),
                "sentence": progress.sentence,
                "pace": progress.pace,
                "failed": progress.failed,
                "numbers": {name: number for name, _label, number in numbers_of(progress)},
                "mayCancel": progress.may_cancel,
                "mayRetry": progress.may_retry,
            }
        )

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Stop a request."""
        batch = self._batch_to_change(request, batch_id)
        if cancel_batch(batch, actor=request.user):
            take_back(batch)  # at once, for those who are next; the rest is the worker's
            self._went_through(request, batch, _("Cancelled."))
        else:
            self.message_user(request, _("There was nothing to cancel."), messages.WARNING)
        return HttpResponseRedirect(self.url_of("change", batch.pk))

    @method_decorator(require_POST)
    def retry_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Have what failed start again."""
        batch = self._batch_to_change(request, batch_id)
        if not switch_is_on():
            off = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
            self.message_user(request, off, messages.WARNING)
        elif retry_failed(batch, actor=request.user):
            self._went_through(request, batch, _("What had failed is tried again."))
        else:
            self.message_user(request, _("There was nothing to try again."), messages.WARNING)
        return HttpResponseRedirect(self.url_of("change", batch.pk))

    def csv_view(self, request: HttpRequest, batch_id: int) -> StreamingHttpResponse:
        """All items of a request, to download."""
        if not may_change_newsletters(request):
            raise PermissionDenied
        return csv_of(self._batch(request, batch_id), request)

    def _went_through(self, request: HttpRequest, batch: Batch, text: str) -> None:
        hint_sweep()
        self.log_change(request, batch, text)
        self.message_user(request, text, messages.SUCCESS)

    def _batch(self, request: HttpRequest, batch_id: int) -> Batch:
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch: Batch = get_object_or_404(self.get_queryset(request), pk=batch_id)
        return batch

    def _batch_to_change(self, request: HttpRequest, batch_id: int) -> Batch:
        if not may_change_newsletters(request):
            raise PermissionDenied
        return self._batch(request, batch_id)


def numbers_of(progress: Progress) -> list[tuple[str, str, str]]:
    """Key, label and number of what is counted."""
    return [
        ("done", _("done"), shown(progress.done)),
        ("failed", _("failed"), shown(progress.failed)),
        ("skipped", _("skipped"), shown(progress.skipped)),
        ("cancelled", _("cancelled"), shown(progress.cancelled)),
        ("waiting", _("waiting"), shown(progress.waiting)),
    ]
