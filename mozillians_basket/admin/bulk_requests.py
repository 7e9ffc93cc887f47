"""Bulk requests in the admin: their list, and a page for each that follows it to its end."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import chain
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import formats, timezone
from django.utils.http import urlencode
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy
from django.views.decorators.http import require_POST

from mozillians_basket import bulk
from mozillians_basket.admin.confirmation import (
    OrderForm,
    order_in_words,
    preview_of,
    selection_in_words,
    titles_and_descriptions,
)
from mozillians_basket.admin.lists import CHUNK, csv_of
from mozillians_basket.admin.pages import (
    BasketPages,
    is_off,
    may_change_newsletters,
    member_admin,
    members_with_addresses,
    page_url,
    rendered,
    require,
)
from mozillians_basket.admin.wording import (
    code_of,
    grouped,
    in_plain_words,
    listed,
    outcome_of,
)
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.models import BulkItem, BulkRequest, Contact, Event, Member

#: The stretch of time whose finished items tell the rate.
LATELY = timedelta(minutes=1)

#: Rates over less than this many seconds are no rates.
SHORTEST = 2.0

State = BulkItem.State


class Progress:
    """The progress of one request, of whose items ``counts`` has the numbers by state."""

    def __init__(self, row: BulkRequest, counts: Mapping[str, int], stuck: int = 0) -> None:
        """:param stuck: the waiting members whose order has a reason to wait."""
        self.row, self.total, self.stuck = row, row.total, stuck
        self.over = row.finished_at is not None
        self.done = counts.get(State.DONE, 0)
        self.failed = counts.get(State.FAILED, 0)
        self.skipped = counts.get(State.SKIPPED, 0)
        self.ended = self.done + self.failed + self.skipped
        #: The number of members whose orders are not begun.
        self.left = row.total - row.position
        is_cancelled = row.state == BulkRequest.State.CANCELLED
        self.cancelled = self.left if is_cancelled else 0
        #: The number of members whose order has not ended.
        self.waiting = max(self.total - self.ended - self.cancelled, 0)
        self.may_cancel = row.state == BulkRequest.State.RUNNING and self.left > 0
        self.may_retry = self.failed > 0

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
        if self.row.state == BulkRequest.State.CANCELLED:
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
        """The rate of the last minute, or since the order, and the time left; in one query."""
        now = timezone.now()
        since = max(self.row.created_at, now - LATELY)
        seconds = (now - since).total_seconds()
        if self.over or seconds < SHORTEST:
            return ""
        # With the states, as the index has them before the time.
        ended = [State.DONE, State.FAILED, State.SKIPPED]
        lately = BulkItem.objects.filter(request=self.row, state__in=ended, finished_at__gte=since)
        rate = lately.count() / seconds
        if not rate:
            return _("Nothing was finished in the last minute.")
        left = max(self.waiting - self.stuck, 0) / rate
        if not left:
            return _("All that is left waits for the reason below.")
        if left < 60:
            number = max(round(left), 1)
            time = ngettext("%(number)d second", "%(number)d seconds", number) % {"number": number}
        else:
            time = timeuntil(now + timedelta(seconds=left), now)
        text = _("%(rate)s members a second, about %(time)s left")
        if rate < 1:
            rate *= 60
            text = _("%(rate)s members a minute, about %(time)s left")
        return text % {"rate": formats.number_format(round(rate, 1), 1), "time": time}

    @property
    def busy(self) -> str:
        """That the worker has earlier work, if it has; one query while the request runs."""
        if self.over or not self.waiting:
            return ""
        running = BulkRequest.objects.filter(state=BulkRequest.State.RUNNING, pk__lt=self.row.pk)
        number = running.filter(position__lt=F("total")).count()
        if not number:
            return ""
        text = ngettext(
            "The worker is busy: %(number)d earlier bulk request is not through.",
            "The worker is busy: %(number)d earlier bulk requests are not through.",
            number,
        )
        return text % {"number": number}

    @property
    def numbers(self) -> list[tuple[str, str, str]]:
        """Key, label and number of each of its lists of members."""
        labels = {name: str(label) for name, (label, _states) in LISTS.items()}
        return [(name, label, grouped(getattr(self, name))) for name, label in labels.items()]


PER_PAGE = 50

#: The lists of a request's members, each with its heading and the states in it.
LISTS: dict[str, tuple[Any, tuple[BulkItem.State, ...]]] = {
    "done": (pgettext_lazy("members", "done"), (State.DONE,)),
    "failed": (pgettext_lazy("members", "failed"), (State.FAILED,)),
    "skipped": (pgettext_lazy("members", "skipped"), (State.SKIPPED,)),
    "cancelled": (pgettext_lazy("members", "left out"), ()),
    "waiting": (pgettext_lazy("members", "waiting"), (State.PENDING,)),
}


def has_not_begun(row: BulkRequest, chosen: str) -> bool:
    """Whether members whose orders are not begun belong to one of the ``LISTS``."""
    is_cancelled = row.state == BulkRequest.State.CANCELLED
    return chosen == ("cancelled" if is_cancelled else "waiting")


def reasons_of(row: BulkRequest, state: BulkItem.State) -> list[tuple[str, int]]:
    """Count the members in a state by reason, in one query."""
    items = BulkItem.objects.filter(request=row, state=state).exclude(reason="")
    counted = items.values_list("reason").annotate(number=Count("pk")).order_by("-number")
    return [(in_plain_words(reason), number) for reason, number in counted]


def failing(keys: Any) -> QuerySet[Member]:
    """Of the members with these keys, those whose contact fails and is tried again."""
    contacts = Contact.objects.filter(~Q(problem=""), failing_since__isnull=False, parked=False)
    return Member.objects.filter(contact__in=contacts, site_member__in=keys)


def failures_of(row: BulkRequest) -> list[tuple[str, int]]:
    """Count the waiting members whose contact fails, by problem, in one query."""
    waiting = BulkItem.objects.filter(request=row, state=State.PENDING, reason="")
    members = failing(waiting.values("member")).values_list("contact__problem")
    counted = members.annotate(number=Count("pk")).order_by("-number")
    return [(in_plain_words(label), number) for label, number in counted]


class BulkRequestAdmin(BasketPages):
    """The list of bulk requests, with actor, order, time and progress."""

    list_display = ("order", "members_selected", "actor", "created_at", "state", "progress")
    list_filter = ("state", "action")
    filter_of_history = "bulk_request"
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """List requests without their members' keys, and without drafts: those are an admin's."""
        rows: QuerySet[Any] = super().get_queryset(request).defer("keys")
        return rows.exclude(state=BulkRequest.State.DRAFT).select_related("actor")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admins who may order bulk requests may see them, too."""
        return may_change_newsletters(request) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_change_newsletters(request) or super().has_module_permission(request)

    def get_urls(self) -> list[URLPattern]:
        views = {
            "confirm": self.confirm_view,
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
        changelist = super().get_changelist_instance(request)
        counts = bulk.progress_of_all(changelist.result_list)
        for row in changelist.result_list:
            row.how_far = Progress(row, counts[row.pk])
        return changelist

    @admin.display(description=gettext_lazy("bulk request"), ordering="pk")
    def order(self, row: BulkRequest) -> str:
        text = _("%(number)d: unsubscribe from %(newsletters)s")
        if row.action == BulkRequest.Action.SUBSCRIBE:
            text = _("%(number)d: subscribe to %(newsletters)s")
        return text % {"number": row.pk, "newsletters": listed(row.newsletters)}

    @admin.display(description=pgettext_lazy("the selection of a bulk request", "members"))
    def members_selected(self, row: BulkRequest) -> str:
        return selection_in_words(row)

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, row: Any) -> str:
        far: Progress = row.how_far
        text = _("%(closed)s of %(total)s")
        if far.failed:
            text = _("%(closed)s of %(total)s, %(failed)s failed")
        numbers = {"closed": far.ended, "total": far.total, "failed": far.failed}
        return text % {name: grouped(number) for name, number in numbers.items()}

    def confirm_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Show the form for the selected members; confirm the request when it is posted."""
        members = member_admin(self.admin_site)
        if members is None or not members.has_view_or_change_permission(request):
            raise PermissionDenied
        require(may_change_newsletters(request))
        draft = get_object_or_404(BulkRequest.objects.defer("keys"), pk=key)
        # Also when it is ordered already: it was not theirs to confirm.
        require(draft.actor_id == request.user.pk)
        if draft.state != BulkRequest.State.DRAFT:
            return HttpResponseRedirect(self.url_to("change", draft.pk))
        if request.method == "POST" and is_off(request):
            return HttpResponseRedirect(request.get_full_path())
        subscribe = draft.action == BulkRequest.Action.SUBSCRIBE
        form = OrderForm(
            request.POST if request.method == "POST" else None,
            initial={"newsletters": request.GET.getlist("newsletters")},
            subscribe=subscribe,
        )
        if form.is_valid():
            if bulk.confirm(draft, **form.cleaned_data):
                wake_sweeper()
                self.log_addition(request, draft, order_in_words(draft))
                told = _("Ordered. You may leave this page: it is carried out in the background.")
                messages.success(request, told)
            return HttpResponseRedirect(self.url_to("change", draft.pk))
        preview = preview_of(draft.keys, subscribe=subscribe)
        chosen, texts = set(form["newsletters"].value() or ()), titles_and_descriptions()
        back = page_url(self.admin_site, members.model, "changelist")
        if filters := request.GET.get("_changelist_filters"):
            back = f"{back}?{QueryDict(filters).urlencode()}"
        title = pgettext("an order by an admin", "Unsubscribe")
        if subscribe:
            title = _("Subscribe to newsletters")
        return rendered(
            self,
            request,
            "confirm",
            title=title,
            selection=selection_in_words(draft),
            subscribe=subscribe,
            form=form,
            rows=[
                (slug, *texts.get(slug, ("", "")), prospect, slug in chosen)
                for slug, prospect in preview.by_newsletter.items()
            ],
            preview=preview,
            back=back,
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row: Any = self.get_object(request, object_id)
        require(self.has_view_permission(request, row))
        if row is None:
            raise Http404
        counts, waiting = bulk.progress(row), []
        if counts[State.PENDING]:
            waiting = [*reasons_of(row, State.PENDING), *failures_of(row)]
        progress = Progress(row, counts, stuck=sum(number for _words, number in waiting))
        chosen = request.GET.get("list", "")
        chosen = chosen if chosen in LISTS else "failed"
        stopped = None
        if row.state == BulkRequest.State.CANCELLED:
            cancelled = Event.objects.filter(bulk_request=row, kind=Event.Kind.CANCELLED)
            stopped = cancelled.select_related("actor").first()
        context = {
            "title": _("Bulk request %(number)d") % {"number": row.pk},
            "bulk_request": row,
            "progress": progress,
            "stopped": stopped,
            "why_stopped": outcome_of(stopped) if stopped else "",
            "may_change": may_change_newsletters(request),
            "skipped": reasons_of(row, State.SKIPPED) if progress.over and progress.skipped else [],
            "waiting": waiting,
            "chosen": chosen,
            "heading": LISTS[chosen][0],
            "outcomes": self._outcomes(request, row, progress, chosen),
            "selection": selection_in_words(row),
            **(extra_context or {}),
        }
        return rendered(self, request, "bulk_request", **context)

    def _outcomes(
        self, request: HttpRequest, row: BulkRequest, progress: Progress, chosen: str
    ) -> Page[Any]:
        """Return the page of one of the ``LISTS`` that ``?page=`` asks for, in a few queries."""
        number = getattr(progress, chosen)
        page: Page[Any] = Paginator(range(number), PER_PAGE).get_page(request.GET.get("page"))
        # The last ones are not begun: they have no items, and are known by the request's keys.
        begun = number - (progress.left if has_not_begun(row, chosen) else 0)
        start, end = max(page.start_index() - 1, 0), page.end_index()
        items: list[BulkItem] = []
        if start < begun:
            found = BulkItem.objects.filter(request=row, state__in=LISTS[chosen][1])
            items += found.order_by("finished_at", "pk")[start : min(end, begun)]
        if end > begun:
            first = row.position + max(start - begun, 0)
            keys = row.keys[first : row.position + end - begun]
            items += [BulkItem(member_id=key) for key in keys]
        keys = [item.member_id for item in items]
        problems: dict[Any, str] = {}
        if chosen == "waiting" and keys:
            problems = dict(failing(keys).values_list("site_member", "contact__problem"))
        people = members_with_addresses(request, self.admin_site, keys)
        page.object_list = [
            {
                "person": person,
                "address": address,
                "words": in_plain_words(reason),
                "code": code_of(reason),
                "when": item.finished_at,
            }
            for item, (person, address) in zip(items, people, strict=True)
            for reason in [item.reason or problems.get(item.member_id, "")]
        ]
        return page

    def cancel_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Ask, then leave out the members whose orders were not begun."""
        row = self._row(request, key)
        progress = Progress(row, bulk.progress(row))
        if request.method != "POST" and progress.may_cancel:
            return rendered(
                self,
                request,
                "cancel",
                title=_("Cancel bulk request %(number)d") % {"number": row.pk},
                selection=selection_in_words(row),
                begun=grouped(row.position),
                left_out=progress.left,
                back=self.url_to("change", row.pk),
            )
        if request.method == "POST" and bulk.cancel(row, actor=request.user):
            text = _("Cancelled. Orders that were begun end as ordered.")
            self._went_through(request, row, text)
        else:
            messages.warning(request, _("There was nothing to cancel."))
        return HttpResponseRedirect(self.url_to("change", row.pk))

    def retry_view(self, request: HttpRequest, key: int) -> HttpResponse:
        row = self._row(request, key)
        if not is_off(request):
            if bulk.retry(row, actor=request.user):
                self._went_through(request, row, _("The failed members are tried again."))
            else:
                messages.warning(request, _("There was nothing to try again."))
        return HttpResponseRedirect(self.url_to("change", row.pk))

    def repeat_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Draft the same order for the members that a cancellation left out."""
        row = self._row(request, key)
        keys = row.keys[row.position :] if row.state == BulkRequest.State.CANCELLED else []
        if not keys:
            messages.warning(request, _("There is nobody to repeat it for."))
            return HttpResponseRedirect(self.url_to("change", row.pk))
        selection = _("left out of bulk request %(number)d") % {"number": row.pk}
        action = BulkRequest.Action(row.action)
        draft = bulk.draft(action, keys, actor=request.user, selection=selection)
        query = urlencode({"newsletters": row.newsletters}, doseq=True)
        return HttpResponseRedirect(f"{self.url_to('confirm', draft.pk)}?{query}")

    def csv_view(self, request: HttpRequest, key: int) -> StreamingHttpResponse:
        """Return all members of a request, or those of one of its lists, to download."""
        row = self._row(request, key)
        chosen, name = request.GET.get("list", ""), f"bulk-request-{row.pk}"
        states, with_not_begun = tuple(State), True
        if chosen in LISTS:
            states, name = LISTS[chosen][1], f"{name}-{chosen}"
            with_not_begun = has_not_begun(row, chosen)
        items = BulkItem.objects.filter(request=row, state__in=states).order_by("pk")
        rows = (
            (item.member_id, item.state, code_of(item.reason), item.finished_at)
            for item in items.iterator(CHUNK)
        )
        left = row.keys[row.position :] if with_not_begun else []
        members = chain(rows, ((key, "not begun", "", None) for key in left))
        return csv_of(request, name, ["member", "state", "reason", "finished"], members)

    def _went_through(self, request: HttpRequest, row: BulkRequest, text: str) -> None:
        wake_sweeper()
        self.log_change(request, row, text)
        messages.success(request, text)

    def _row(self, request: HttpRequest, key: int) -> BulkRequest:
        require(may_change_newsletters(request))
        row: BulkRequest = get_object_or_404(self.get_queryset(request), pk=key)
        return row
