"""The overview in the admin, and the emergency stop."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from waffle import get_waffle_switch_model

from mozillians_basket.admin.approvals import ApprovalPages
from mozillians_basket.admin.charts import activities
from mozillians_basket.admin.contacts import WantedFilter
from mozillians_basket.admin.explanations import when
from mozillians_basket.admin.pages import (
    Link,
    may_change_newsletters,
    may_manage,
    member_admin,
    page_url,
    rendered,
    require,
    standing_of_basket,
    url_of,
)
from mozillians_basket.admin.wording import grouped, in_plain_words, listed, with_code
from mozillians_basket.client import calls, transport
from mozillians_basket.client.breaker import probe_soon
from mozillians_basket.client.transport import row_is_on
from mozillians_basket.conf import SWITCH
from mozillians_basket.dispatch import wake_sweeper
from mozillians_basket.exceptions import BasketError
from mozillians_basket.models import (
    Approval,
    BulkRequest,
    Contact,
    Event,
    FailingContact,
)
from mozillians_basket.redaction import redacted
from mozillians_basket.upkeep import doctor, statistics

#: The number of open bulk requests that the overview names.
OPEN_REQUESTS = 10

#: Seconds to wait for Basket's answer when an admin tries it.
PATIENCE = 5.0

#: The time that can lie between the moment in a switch's row and that of the admin's log.
SAME_MOMENT = timedelta(seconds=5)


class StopForm(forms.Form):
    """An admin's reason for the emergency stop."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("For the admins who find it off. Addresses in it are left out."),
    )
    confirm = forms.BooleanField(label=gettext_lazy("Yes, send nothing more to Basket"))


class StatusAdmin(ApprovalPages):
    """The overview in place of a list, as there is one row only; and the emergency stop."""

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, "mozillians_basket_status"
        return [
            path("stop/", view(self.stop_view), name=f"{name}_stop"),
            path("try/", view(self.try_view), name=f"{name}_try"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        require(self.has_view_permission(request))
        context = {**standing_of_basket(), **(extra_context or {})}
        status, questions = context["basket_status"], context["basket_questions"]
        queue, problems = statistics.queue(), statistics.problems()
        totals = statistics.subscriptions()
        lists = {
            model._meta.model_name: url_of(request, self.admin_site, model, "changelist")
            for model in (BulkRequest, Contact, Event, FailingContact)
        }
        page = member_admin(self.admin_site)
        if page is not None and WantedFilter in page.get_list_filter(request):
            lists["wanted"] = url_of(request, self.admin_site, page.model, "changelist")
        return rendered(
            self,
            request,
            "overview",
            title=_("Basket: overview"),
            needs=list(self._needs(context, problems, lists["failingcontact"])),
            stop_url=self.url_to("stop"),
            may_try=may_manage(request) or may_change_newsletters(request),
            try_url=self.url_to("try"),
            breaker_words=in_plain_words(status.reason, status.error_code),
            queue=queue,
            numbers=_numbers_of_queue(queue, lists["contact"]),
            problems=[
                (label, _number(getattr(problems, name), lists["failingcontact"], **query), text)
                for name, (label, text, query) in PROBLEMS.items()
            ],
            counted_at=totals.at,
            newsletters=[_of_newsletter(row, totals.at, lists) for row in totals.newsletters],
            activities=activities(),
            open_requests=self._open_requests(lists["bulkrequest"]),
            lists=lists,
            brakes=[row for row in questions if row.kind == Approval.Kind.BRAKE],
            losses=[row for row in questions if row.kind == Approval.Kind.LOSS],
            sweep_is_overdue=doctor.is_overdue(status.swept_at),
            **context,
        )

    def change_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """The overview, to which the admin's log of what was released leads."""
        return HttpResponseRedirect(self.url_to("changelist"))

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        """The emergency stop: what will wait, and who turned the switch when."""
        require(self.has_view_permission(request))
        model = get_waffle_switch_model()
        may = may_manage(request) or request.user.has_perm(
            f"{model._meta.app_label}.change_{model._meta.model_name}"
        )
        is_on = row_is_on()  # waffle's cache can be behind, and must not keep anybody from stopping
        form = StopForm(request.POST if request.method == "POST" and is_on else None)
        turn = request.POST.get("turn") if request.method == "POST" else None
        require(may or request.method != "POST")
        if turn == "off" and is_on and form.is_valid():
            reason = redacted(form.cleaned_data["reason"])
            _turn(request, _("Turned off: %(reason)s") % {"reason": reason}, active=False)
            told = _("Stopped: nothing more is sent to Basket. Changes are kept.")
            messages.warning(request, told)
            return HttpResponseRedirect(self.url_to("stop"))
        if turn == "on" and not is_on:
            _turn(request, _("Turned on."), active=True)
            wake_sweeper()
            told = _("The switch is on again: what was kept is sent in the background.")
            messages.success(request, told)
            return HttpResponseRedirect(self.url_to("stop"))
        contacts = url_of(request, self.admin_site, Contact, "changelist")
        requests = url_of(request, self.admin_site, BulkRequest, "changelist")
        running = BulkRequest.objects.filter(
            state=BulkRequest.State.RUNNING, finished_at__isnull=True
        )
        queue = statistics.queue()
        link = _number(running.count(), requests, state__exact="running")
        return rendered(
            self,
            request,
            "stop",
            title=_("Emergency stop"),
            form=form,
            may_turn=may,
            last=_last_turned(),
            queue=queue,
            numbers=[
                *_numbers_of_queue(queue, contacts),
                (_("Bulk requests that are running"), link, ""),
            ],
            **{**standing_of_basket(), "basket_switch_is_on": is_on},
        )

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Call Basket once for an admin, while the breaker is open; if it answers, go on."""
        require(may_manage(request) or may_change_newsletters(request))
        if request.method == "POST":
            try:
                with transport.within(PATIENCE):
                    calls.look_up(doctor.NOBODY)
            except BasketError as error:
                words = with_code(error.label, getattr(error, "code", None))
                told = _("Basket still gives no usable answer: %(words)s") % {"words": words}
                messages.error(request, told)
            else:
                probe_soon()
                wake_sweeper()
                told = _("Basket answers. The next probe starts now, and all goes on after it.")
                messages.success(request, told)
        return HttpResponseRedirect(self.url_to("changelist"))

    def _needs(
        self, context: dict[str, Any], problems: statistics.Problems, list_of_problems: str
    ) -> Iterator[tuple[str, Link | None]]:
        """List what needs an admin, the most urgent first, with the pages where to see to it."""
        status = context["basket_status"]
        if not context["basket_switch_is_on"]:
            text = _(
                "The switch BASKET_SWITCH_ENABLED is off: nothing is sent to Basket. Changes are "
                "kept, and sent when it is turned on."
            )
            yield text, Link(_("Turn it on again"), self.url_to("stop"))
        if status.swept_at is None:
            yield _("The sweeper has never run: start a worker and beat."), None
        elif doctor.is_overdue(status.swept_at):
            text = _("The sweeper last ran %(ago)s ago: no worker, or no beat, is running.")
            yield text % {"ago": timesince(status.swept_at)}, None
        if status.is_open:
            words = in_plain_words(status.reason, status.error_code)
            yield _("Nothing reaches Basket: %(words)s") % {"words": words}, None
        if status.unknown:
            text = _("Basket does not know %(newsletters)s: they are paused.")
            yield text % {"newsletters": listed(sorted(status.unknown))}, None
        for kind, page in ((Approval.Kind.LOSS, "losses"), (Approval.Kind.BRAKE, "removals")):
            for row in context["basket_questions"]:
                if row.kind == kind and not row.answer:
                    yield row.sentence, Link(_("Look at them and decide"), self.url_to(page))
        if problems.for_admins:
            text = ngettext(
                "%(count)s problem needs you or a change: nothing more is tried.",
                "%(count)s problems need you or a change: nothing more is tried.",
                problems.for_admins,
            ) % {"count": grouped(problems.for_admins)}
            url = f"{list_of_problems}?waits=admins"
            yield text, Link(_("Look at the problems"), url) if list_of_problems else None
        for finding in doctor.examine_settings():
            if finding.level is not doctor.Level.OK:
                yield finding.text, None

    def _open_requests(self, list_url: str) -> list[tuple[BulkRequest, str]]:
        if not list_url:
            return []
        rows = BulkRequest.objects.filter(finished_at__isnull=True)
        rows = rows.exclude(state=BulkRequest.State.DRAFT).defer("keys")
        return [
            (row, page_url(self.admin_site, BulkRequest, "change", row.pk))
            for row in rows.select_related("actor").order_by("-pk")[:OPEN_REQUESTS]
        ]


def _number(number: int, list_url: str | None, **query: str) -> Link:
    """A number that leads to the part of a list that it counts."""
    return Link(grouped(number), f"{list_url}?{urlencode(query)}" if list_url else "")


#: The parts of the queue, each with its meaning.
QUEUE: dict[str, tuple[Any, Any]] = {
    "due": (gettext_lazy("Due"), gettext_lazy("Nobody waits.")),
    "under_way": (
        gettext_lazy("Under way"),
        gettext_lazy("A worker is carrying them to Basket."),
    ),
    "resting": (
        gettext_lazy("Looked at again later"),
        gettext_lazy("To see that Basket has carried out what it had queued."),
    ),
}

#: The groups of problems, each with its meaning, and what shows them in the list.
PROBLEMS: dict[str, tuple[Any, Any, dict[str, str]]] = {
    "retry": (
        gettext_lazy("Waiting after a failure"),
        gettext_lazy("They are tried again by themselves."),
        {"waits": "retry"},
    ),
    "parked": (
        gettext_lazy("Parked"),
        gettext_lazy("They failed too often, and wait for an admin or a new change."),
        {"waits": "parked"},
    ),
    "address": (
        gettext_lazy("Address not accepted"),
        gettext_lazy("They wait for another address."),
        {"waits": "address"},
    ),
    "refused": (
        gettext_lazy("Refused or missing"),
        gettext_lazy(
            "Basket refuses them, or does not know them any more; they wait for an admin."
        ),
        {"waits": "refused"},
    ),
    "asked": (
        gettext_lazy("Missing persons in a question"),
        gettext_lazy("Basket does not know them; they wait for an admin's answer about the loss."),
        {"waits": "asked"},
    ),
    "dismissed": (
        gettext_lazy("Dismissed"),
        gettext_lazy("An admin has said that nothing needs to be done."),
        {"dismissed": "yes"},
    ),
}


def _numbers_of_queue(queue: statistics.Queue, contacts: str) -> list[tuple[str, Link, str]]:
    numbers = []
    for name, (label, meaning) in QUEUE.items():
        if name == "due" and queue.oldest:
            ago = {"ago": timesince(queue.oldest)}
            meaning = _("The oldest has waited for %(ago)s.") % ago
        numbers.append((label, _number(getattr(queue, name), contacts, queue=name), meaning))
    return numbers


def _of_newsletter(
    row: statistics.Newsletter, at: datetime, lists: dict[Any, str]
) -> tuple[str, list[Link]]:
    """A newsletter with the members who should get it, and its numbers at Basket."""

    def counted(number: int, list_name: str, **query: str) -> Link:
        return _number(number, lists.get(list_name) if number else "", **query)

    return row.name, [
        counted(row.wanted, "wanted", basket_wanted=row.name),
        *(
            counted(getattr(row, state), "contact", subscription=f"{state} {row.name}")
            for state in ("confirmed", "awaiting", "opted_out", "refused", "missing")
        ),
        counted(
            row.left_lately,
            "event",
            newsletter=row.name,
            created_at__gte=(at - statistics.LATELY).isoformat(),
            kind__exact=Event.Kind.OPTED_OUT.value,
            outcome="inferred",
        ),
    ]


def _turn(request: HttpRequest, said: str, *, active: bool) -> None:
    """Write waffle's row, and who did so into the admin's log of that row."""
    model: Any = get_waffle_switch_model()
    rows = model._default_manager.using(router.db_for_write(model))
    row = rows.filter(name=SWITCH).first() or model(name=SWITCH)
    flag = CHANGE if row.pk else ADDITION
    row.active = active
    row.save()
    actor: Any = request.user.pk
    LogEntry.objects.log_actions(actor, [row], flag, said, single_object=True)


def _last_turned() -> dict[str, Any] | None:
    """Read who wrote waffle's row when; no name if it was not written in the admin."""
    model: Any = get_waffle_switch_model()
    row = model._default_manager.filter(name=SWITCH).first()
    if row is None:
        return None
    logged = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(model), object_id=str(row.pk)
    )
    entry = logged.select_related("user").order_by("-action_time").first()
    if entry is None or row.modified > entry.action_time + SAME_MOMENT:
        return {"at": when(row.modified), "by": "", "note": ""}
    return {
        "at": when(entry.action_time),
        "by": entry.user.get_username(),
        "note": entry.get_change_message(),
    }
