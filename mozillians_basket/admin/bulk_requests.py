"""Bulk requests in the admin: their list, and a page for each that follows it to its end."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import formats, timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_POST

from mozillians_basket import bulk
from mozillians_basket.admin.confirmation import DraftPages, selection_in_words
from mozillians_basket.admin.exports import CHUNK, csv_of
from mozillians_basket.admin.pages import (
    is_off,
    may_change_newsletters,
    members_with_addresses,
    rendered,
)
from mozillians_basket.admin.wording import code_of, grouped, in_plain_words, listed
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.models import BulkItem, BulkRequest, Event

#: The stretch of time whose finished items tell the rate.
LATELY = timedelta(minutes=1)

#: Rates over less than this many seconds are no rates.
SHORTEST = 2.0

State = BulkItem.State


class Progress:
    """
    The progress of one request.

    :param counts: the numbers of its items by their state.
    :param rate: members a second, of late; ``None`` while that cannot be told.
    """

    def __init__(
        self, row: BulkRequest, counts: Mapping[str, int], rate: float | None = None
    ) -> None:
        self.state, self.rate = row.state, rate
        self.over = row.finished_at is not None
        self.total, self.begun = row.total, row.position
        self.done, self.failed, self.skipped = (
            counts.get(state, 0) for state in (State.DONE, State.FAILED, State.SKIPPED)
        )
        self.ended = self.done + self.failed + self.skipped
        self.left = self.total - self.begun
        is_cancelled = self.state == BulkRequest.State.CANCELLED
        #: The number of members not begun when the request was cancelled.
        self.cancelled = self.left if is_cancelled else 0
        #: The number of members whose order has not ended.
        self.waiting = max(self.total - self.ended - self.cancelled, 0)
        self.may_cancel = self.state == BulkRequest.State.RUNNING and self.left > 0
        self.may_retry = self.failed > 0 and not is_cancelled

    @property
    def percent(self) -> int:
        """Whole percents of the members whose order has ended; 100 only if all of them have."""
        if self.over and not self.cancelled:
            return 100
        if self.ended >= self.total:
            return 100 if self.total else 0
        return 100 * self.ended // self.total

    @property
    def sentence(self) -> str:
        """The progress in words, for people who do not see the bar."""
        if self.state == BulkRequest.State.CANCELLED:
            text = _(
                "Cancelled: %(closed)s of %(total)s members are through, %(left_out)s left out."
            )
        elif self.over:
            text = _("Finished: %(closed)s of %(total)s members.")
        else:
            text = _("%(closed)s of %(total)s members are through (%(percent)s %%).")
        return text % {
            "closed": grouped(self.ended),
            "total": grouped(self.total),
            "left_out": grouped(self.cancelled),
            "percent": self.percent,
        }

    @property
    def pace(self) -> str:
        """Rate and time left."""
        if self.over or self.rate is None:
            return ""
        if not self.rate:
            return _("Nothing was finished in the last minute.")
        seconds = self.waiting / self.rate
        if seconds < 60:
            number = max(round(seconds), 1)
            text = ngettext("%(number)d second", "%(number)d seconds", number)
        elif seconds < 5400:
            number = round(seconds / 60)
            text = ngettext("%(number)d minute", "%(number)d minutes", number)
        else:
            number = round(seconds / 3600)
            text = ngettext("%(number)d hour", "%(number)d hours", number)
        return _("%(rate)s members a second, about %(time)s left") % {
            "rate": formats.number_format(round(self.rate, 1), 1),
            "time": text % {"number": number},
        }

    @property
    def numbers(self) -> list[tuple[str, str, str]]:
        """Key, label and number of each of its lists of members."""
        return [
            (name, str(label), grouped(getattr(self, name)))
            for name, (label, _states) in LISTS.items()
        ]


def progress_of(row: BulkRequest) -> Progress:
    """Say how far a request got: two queries, read off an index; none when it is over."""
    counts, now = bulk.progress(row), timezone.now()
    # The rate is that of the last minute, or of the time since the order if that is shorter.
    since = max(row.created_at, now - LATELY)
    seconds = (now - since).total_seconds()
    if row.finished_at is not None or seconds < SHORTEST:
        return Progress(row, counts)
    ended = [State.DONE, State.FAILED, State.SKIPPED]
    lately = BulkItem.objects.filter(request=row, state__in=ended, finished_at__gte=since)
    return Progress(row, counts, lately.count() / seconds)


PER_PAGE = 50


class Members(Sequence[BulkItem]):
    """The members of a request in some states, of which a page is read at a time."""

    def __init__(self, row: BulkRequest, states: Collection[str], keys: int, length: int) -> None:
        """
        Name the members.

        :param states: the states of those that were begun.
        :param keys: the number of those not begun that belong to them, too.
        :param length: how many there are in all.
        """
        self.row, self.length, self.items = row, length, length - keys
        self.begun = BulkItem.objects.filter(request=row, state__in=states)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, part: Any) -> Any:
        found = list(self.begun.order_by("finished_at", "pk")[part]) if self.items else []
        start = self.row.position + max(part.start - self.items, 0)
        end = self.row.position + max(part.stop - self.items, 0)
        keys = self.row.keys[start:end] if end > start else []
        return [*found, *(BulkItem(member_id=key) for key in keys)]


#: The lists of a request's members, each with its heading and the states in it.
LISTS: dict[str, tuple[Any, tuple[BulkItem.State, ...]]] = {
    "done": (pgettext_lazy("members", "done"), (State.DONE,)),
    "failed": (pgettext_lazy("members", "failed"), (State.FAILED,)),
    "skipped": (pgettext_lazy("members", "skipped"), (State.SKIPPED,)),
    "cancelled": (pgettext_lazy("members", "left out"), ()),
    "waiting": (pgettext_lazy("members", "waiting"), (State.PENDING,)),
}


def reasons_of(row: BulkRequest, state: BulkItem.State) -> list[tuple[str, int]]:
    """Count the members in a state by reason, in one query."""
    items = BulkItem.objects.filter(request=row, state=state).exclude(reason="")
    counted = items.values_list("reason").annotate(number=Count("pk")).order_by("-number")
    return [(in_plain_words(reason), number) for reason, number in counted]


def busy_in_words(row: BulkRequest, progress: Progress) -> str:
    """Say that the worker has earlier work, if it has; one query while the request runs."""
    if progress.over or not progress.waiting:
        return ""
    running = BulkRequest.objects.filter(state=BulkRequest.State.RUNNING, pk__lt=row.pk)
    number = running.filter(position__lt=F("total")).count()
    if not number:
        return ""
    text = ngettext(
        "The worker is busy: %(number)d earlier bulk request is not through.",
        "The worker is busy: %(number)d earlier bulk requests are not through.",
        number,
    )
    return text % {"number": number}


#: Reasons for a cancellation that no admin ordered, by the outcome in the history.
REASONS = {
    "unknown newsletter": gettext_lazy("One of its newsletters is not this site's any more."),
}


class BulkRequestAdmin(DraftPages):
    """The list of bulk requests, with actor, order, time and progress."""

    list_display = ("order", "members_selected", "actor", "created_at", "state", "progress")
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
            "retry": require_POST(self.retry_view),
            "repeat": require_POST(self.repeat_view),
            "csv": self.csv_view,
        }
        name = "mozillians_basket_bulkrequest"
        own = [
            path(f"<int:key>/{page}/", self.admin_site.admin_view(view), name=f"{name}_{page}")
            for page, view in views.items()
        ]
        return own + super().get_urls()

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Add the progress of the list's rows, read in one query."""
        changelist = super().get_changelist_instance(request)
        counts = bulk.progress_of_all(changelist.result_list)
        for row in changelist.result_list:
            row.how_far = Progress(row, counts[row.pk])
        return changelist

    @admin.display(description=gettext_lazy("bulk request"), ordering="pk")
    def order(self, row: BulkRequest) -> str:
        """Name the action and the newsletters of the request."""
        text = _("%(number)d: unsubscribe from %(newsletters)s")
        if row.action == BulkRequest.Action.SUBSCRIBE:
            text = _("%(number)d: subscribe to %(newsletters)s")
        return text % {"number": row.pk, "newsletters": listed(row.newsletters)}

    @admin.display(description=pgettext_lazy("the selection of a bulk request", "members"))
    def members_selected(self, row: BulkRequest) -> str:
        """Describe the selection, with its size."""
        return selection_in_words(row)

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, row: Any) -> str:
        """Describe the progress."""
        far: Progress = row.how_far
        text = _("%(closed)s of %(total)s")
        if far.failed:
            text = _("%(closed)s of %(total)s, %(failed)s failed")
        numbers = {"closed": far.ended, "total": far.total, "failed": far.failed}
        return text % {name: grouped(number) for name, number in numbers.items()}

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
        progress = progress_of(row)
        chosen = request.GET.get("list", "")
        chosen = chosen if chosen in LISTS else "failed"
        waiting = [] if progress.over else reasons_of(row, State.PENDING)
        skipped = reasons_of(row, State.SKIPPED) if progress.over and progress.skipped else []
        context = {
            "title": _("Bulk request %(number)d") % {"number": row.pk},
            "bulk_request": row,
            "progress": progress,
            "stopped": self._cancellation(row),
            "may_change": may_change_newsletters(request),
            "skipped": skipped,
            "waiting": waiting,
            "chosen": chosen,
            "heading": LISTS[chosen][0],
            "outcomes": self._outcomes(request, row, progress, chosen),
            "selection": selection_in_words(row),
            "busy": busy_in_words(row, progress),
            **(extra_context or {}),
        }
        return rendered(self, request, "bulk_request", **context)

    def _outcomes(
        self, request: HttpRequest, row: BulkRequest, progress: Progress, chosen: str
    ) -> Page[Any]:
        """Return the page of one of the ``LISTS`` that ``?page=`` asks for, in a few queries."""
        number, not_begun = getattr(progress, chosen), 0
        if chosen == "cancelled":
            not_begun = number
        elif chosen == "waiting":
            not_begun = number - (progress.begun - progress.ended)
        found = Members(row, LISTS[chosen][1], not_begun, number)
        page: Page[Any] = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
        items = list(page.object_list) if number else []
        keys = [item.member_id for item in items]
        people = members_with_addresses(request, self.admin_site, keys)
        page.object_list = [
            {
                "person": person,
                "address": address,
                "words": in_plain_words(item.reason) if item.reason else "",
                "code": code_of(item.reason) if item.reason else "",
                "when": item.finished_at,
            }
            for item, (person, address) in zip(items, people, strict=True)
        ]
        return page

    def _cancellation(self, row: BulkRequest) -> dict[str, Any] | None:
        """Describe the cancellation of a request: actor, time and reason."""
        if row.state != BulkRequest.State.CANCELLED:
            return None
        cancelled = Event.objects.filter(bulk_request=row, kind=Event.Kind.CANCELLED)
        event = cancelled.select_related("actor").first()
        if event is None:
            return None
        return {"by": event.actor, "at": event.created_at, "why": REASONS.get(event.outcome, "")}

    def progress_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Return the numbers of a request's page, for its script."""
        row = self._row(request, key)
        progress = progress_of(row)
        return JsonResponse(
            {
                "over": progress.over,
                "percent": progress.percent,
                "busy": busy_in_words(row, progress),
                "state": row.get_state_display(),
                "sentence": progress.sentence,
                "pace": progress.pace,
                "failed": progress.failed,
                "numbers": {name: number for name, _label, number in progress.numbers},
                "mayCancel": progress.may_cancel,
                "mayRetry": progress.may_retry,
            }
        )

    def cancel_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Ask, then leave out the members whose orders were not begun."""
        row = self._row(request, key, to_change=True)
        progress = progress_of(row)
        if request.method != "POST" and progress.may_cancel:
            return rendered(
                self,
                request,
                "cancel",
                title=_("Cancel bulk request %(number)d") % {"number": row.pk},
                selection=selection_in_words(row),
                begun=grouped(progress.begun),
                left_out=progress.left,
                back=self.url_to("change", row.pk),
            )
        if request.method == "POST" and bulk.cancel(row, actor=request.user):
            text = _("Cancelled. Orders that were begun end as ordered.")
            self._went_through(request, row, text)
        else:
            self.message_user(request, _("There was nothing to cancel."), messages.WARNING)
        return HttpResponseRedirect(self.url_to("change", row.pk))

    def retry_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Retry the failed orders."""
        row = self._row(request, key, to_change=True)
        if not is_off(request):
            if bulk.retry(row, actor=request.user):
                self._went_through(request, row, _("The failed members are tried again."))
            else:
                self.message_user(request, _("There was nothing to try again."), messages.WARNING)
        return HttpResponseRedirect(self.url_to("change", row.pk))

    def repeat_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Draft the same order for the members that a cancellation left out."""
        row = self._row(request, key, to_change=True)
        keys = row.keys[row.position :] if row.state == BulkRequest.State.CANCELLED else []
        if not keys:
            self.message_user(request, _("There is nobody to repeat it for."), messages.WARNING)
            return HttpResponseRedirect(self.url_to("change", row.pk))
        selection = _("left out of bulk request %(number)d") % {"number": row.pk}
        action = BulkRequest.Action(row.action)
        draft = bulk.draft(action, keys, actor=request.user, selection=selection)
        query = urlencode({"newsletters": row.newsletters}, doseq=True)
        return HttpResponseRedirect(f"{self.url_to('confirm', draft.pk)}?{query}")

    def csv_view(self, request: HttpRequest, key: int) -> StreamingHttpResponse:
        """Return all members of a request, or those of one of its lists, to download."""
        row = self._row(request, key, to_change=True)
        chosen, name = request.GET.get("list", ""), f"bulk-request-{row.pk}"
        states, not_begun = tuple(State), True
        if chosen in LISTS:
            states, name = LISTS[chosen][1], f"{name}-{chosen}"
            left_out = row.state == BulkRequest.State.CANCELLED
            not_begun = chosen == ("cancelled" if left_out else "waiting")
        items = BulkItem.objects.filter(request=row, state__in=states).order_by("pk")
        rows = (
            (
                item.member_id,
                item.state,
                code_of(item.reason) if item.reason else "",
                item.finished_at,
            )
            for item in items.iterator(CHUNK)
        )
        left = row.keys[row.position :] if not_begun else []
        members = chain(rows, ((key, _("not begun"), "", None) for key in left))
        return csv_of(request, name, ["member", "state", "reason", "finished"], members)

    def _went_through(self, request: HttpRequest, row: BulkRequest, text: str) -> None:
        wake_sweeper()
        self.log_change(request, row, text)
        self.message_user(request, text, messages.SUCCESS)

    def _row(self, request: HttpRequest, key: int, *, to_change: bool = False) -> BulkRequest:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if to_change and not may_change_newsletters(request):
            raise PermissionDenied
        row: BulkRequest = get_object_or_404(self.get_queryset(request), pk=key)
        return row
