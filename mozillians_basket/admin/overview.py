"""The overview in the admin, and the emergency stop."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
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
    may_change_newsletters,
    may_manage,
    member_admin,
    page_url,
    rendered,
    standing_of_basket,
    url_of,
)
from mozillians_basket.admin.wording import grouped, in_plain_words, listed, with_code
from mozillians_basket.client import calls
from mozillians_basket.client.breaker import probe_soon
from mozillians_basket.client.switch import row_is_on
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


@dataclass(frozen=True, slots=True)
class Need:
    """Something that needs an admin, with the page where to see to it."""

    text: str
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """A number on the overview, with the list that it counts."""

    label: str
    number: int
    url: str
    help: str = ""


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
        """With the emergency stop, and the button that tries Basket."""
        view, name = self.admin_site.admin_view, "mozillians_basket_status"
        return [
            path("stop/", view(self.stop_view), name=f"{name}_stop"),
            path("try/", view(self.try_view), name=f"{name}_try"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The overview."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**standing_of_basket(), **(extra_context or {})}
        queue, problems = statistics.queue(), statistics.problems()
        findings = [each for each in doctor.examine_settings() if each.level is not doctor.Level.OK]
        standing = statistics.subscriptions()
        lists = {
            model._meta.model_name: url_of(request, self.admin_site, model, "changelist")
            for model in (BulkRequest, Contact, Event, FailingContact)
        }
        lists["wanted"] = self._members_url(request)
        return rendered(
            self,
            request,
            "overview",
            title=_("Basket: overview"),
            needs=[*self._needs(context, problems, lists), *_of_settings(findings)],
            stop_url=self.url_to("stop"),
            may_try=may_manage(request) or may_change_newsletters(request),
            try_url=self.url_to("try"),
            breaker_words=in_plain_words(
                context["basket_status"].reason, context["basket_status"].error_code
            ),
            queue=queue,
            numbers=_numbers_of_queue(queue, lists["contact"]),
            problems=_numbers_of_problems(problems, lists["failingcontact"]),
            counted_at=standing.at,
            newsletters=[_of_newsletter(row, standing.at, lists) for row in standing.newsletters],
            activities=activities(),
            open_requests=self._open_requests(request),
            lists=lists,
            brakes=[q for q in context["basket_questions"] if q.kind == Approval.Kind.BRAKE],
            losses=[q for q in context["basket_questions"] if q.kind == Approval.Kind.LOSS],
            sweep_is_overdue=doctor.is_overdue(context["basket_status"].swept_at),
            **context,
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The overview, to which the admin's log of what was released leads."""
        return HttpResponseRedirect(self.url_to("changelist"))

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        """The emergency stop: what will wait, and who turned the switch when."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        model = get_waffle_switch_model()
        may = may_manage(request) or request.user.has_perm(
            f"{model._meta.app_label}.change_{model._meta.model_name}"
        )
        is_on = row_is_on()  # waffle's cache can be behind, and must not keep anybody from stopping
        form = StopForm(request.POST if request.method == "POST" and is_on else None)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if request.POST.get("turn") == "off" and is_on and form.is_valid():
                _turn(request, on=False, reason=redacted(form.cleaned_data["reason"]))
                told = _("Stopped: nothing more is sent to Basket. Changes are kept.")
                self.message_user(request, told, messages.WARNING)
                return HttpResponseRedirect(self.url_to("stop"))
            if request.POST.get("turn") == "on" and not is_on:
                _turn(request, on=True)
                wake_sweeper()
                told = _("The switch is on again: what was kept is sent in the background.")
                self.message_user(request, told, messages.SUCCESS)
                return HttpResponseRedirect(self.url_to("stop"))
        context = {**standing_of_basket(), "basket_switch_is_on": is_on}
        contacts = url_of(request, self.admin_site, Contact, "changelist")
        running = BulkRequest.objects.filter(state=BulkRequest.State.RUNNING)
        requests = url_of(request, self.admin_site, BulkRequest, "changelist")
        queue = statistics.queue()
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
                Number(
                    _("Bulk requests that are running"),
                    running.filter(finished_at__isnull=True).count(),
                    f"{requests}?state__exact=running" if requests else "",
                ),
            ],
            **context,
        )

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Call Basket once for an admin, while the breaker is open; if it answers, go on."""
        if not (may_manage(request) or may_change_newsletters(request)):
            raise PermissionDenied
        if request.method == "POST":
            try:
                with calls.within(PATIENCE):
                    calls.look_up(doctor.NOBODY)
            except BasketError as error:
                words = with_code(error.label, getattr(error, "code", None))
                told = _("Basket still gives no usable answer: %(words)s") % {"words": words}
                self.message_user(request, told, messages.ERROR)
            else:
                probe_soon()
                wake_sweeper()
                told = _("Basket answers. The next probe starts now, and all goes on after it.")
                self.message_user(request, told, messages.SUCCESS)
        return HttpResponseRedirect(self.url_to("changelist"))

    def _needs(
        self, context: dict[str, Any], problems: statistics.Problems, lists: dict[Any, str]
    ) -> Iterator[Need]:
        """List what needs an admin, the most urgent first."""
        status = context["basket_status"]
        if not context["basket_switch_is_on"]:
            text = _(
                "The switch BASKET_SWITCH_ENABLED is off: nothing is sent to Basket. Changes are "
                "kept, and sent when it is turned on."
            )
            yield Need(text, self.url_to("stop"), _("Turn it on again"))
        if doctor.is_overdue(status.swept_at):
            if status.swept_at is None:
                yield Need(_("The sweeper has never run: start a worker and beat."))
            else:
                ago = {"ago": timesince(status.swept_at)}
                yield Need(
                    _("The sweeper last ran %(ago)s ago: no worker, or no beat, is running.") % ago
                )
        if status.is_open:
            words = in_plain_words(status.reason, status.error_code)
            yield Need(_("Nothing reaches Basket: %(words)s") % {"words": words})
        if status.unknown:
            names = {"newsletters": listed(sorted(status.unknown))}
            yield Need(_("Basket does not know %(newsletters)s: they are paused.") % names)
        for kind, page in ((Approval.Kind.LOSS, "losses"), (Approval.Kind.BRAKE, "removals")):
            for row in context["basket_questions"]:
                if row.kind == kind and not row.answer:
                    yield Need(row.sentence, self.url_to(page), _("Look at them and decide"))
        if problems.for_admins:
            text = ngettext(
                "%(count)s problem needs you or a change: nothing more is tried.",
                "%(count)s problems need you or a change: nothing more is tried.",
                problems.for_admins,
            )
            yield Need(
                text % {"count": grouped(problems.for_admins)},
                _list(lists["failingcontact"], waits="admins"),
                _("Look at the problems"),
            )

    def _members_url(self, request: HttpRequest) -> str:
        """The site's list of members, if it can show those who should get a newsletter."""
        page = member_admin(self.admin_site)
        if page is None or WantedFilter not in page.get_list_filter(request):
            return ""
        return url_of(request, self.admin_site, page.model, "changelist")

    def _open_requests(self, request: HttpRequest) -> list[tuple[BulkRequest, str]]:
        """Bulk requests that are not through, with their pages."""
        if not url_of(request, self.admin_site, BulkRequest, "changelist"):
            return []
        rows = BulkRequest.objects.filter(finished_at__isnull=True)
        rows = rows.exclude(state=BulkRequest.State.DRAFT).defer("keys")
        return [
            (row, page_url(self.admin_site, BulkRequest, "change", row.pk))
            for row in rows.select_related("actor").order_by("-pk")[:OPEN_REQUESTS]
        ]


def _list(url: str, **query: str) -> str:
    return f"{url}?{urlencode(query)}" if url else ""


def _of_settings(findings: list[doctor.Finding]) -> list[Need]:
    return [Need(finding.text) for finding in findings]


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

#: The groups of problems, each with its meaning.
PROBLEMS: dict[str, tuple[Any, Any]] = {
    "retry": (
        gettext_lazy("Waiting after a failure"),
        gettext_lazy("They are tried again by themselves."),
    ),
    "parked": (
        gettext_lazy("Parked"),
        gettext_lazy("They failed too often, and wait for an admin or a new change."),
    ),
    "address": (
        gettext_lazy("Address not accepted"),
        gettext_lazy("They wait for another address."),
    ),
    "refused": (
        gettext_lazy("Refused or missing"),
        gettext_lazy(
            "Basket refuses them, or does not know them any more; they wait for an admin."
        ),
    ),
    "dismissed": (
        gettext_lazy("Dismissed"),
        gettext_lazy("An admin has said that nothing needs to be done."),
    ),
}


def _numbers_of_queue(queue: statistics.Queue, contacts: str) -> list[Number]:
    numbers = []
    for name, (label, help_text) in QUEUE.items():
        if name == "due" and queue.oldest:
            ago = {"ago": timesince(queue.oldest)}
            help_text = _("The oldest has waited for %(ago)s.") % ago
        url = _list(contacts, queue=name)
        numbers.append(Number(label, getattr(queue, name), url, help_text))
    return numbers


def _numbers_of_problems(problems: statistics.Problems, url: str) -> list[Number]:
    return [
        Number(
            label,
            getattr(problems, name),
            _list(url, dismissed="yes") if name == "dismissed" else _list(url, waits=name),
            help_text,
        )
        for name, (label, help_text) in PROBLEMS.items()
    ]


def _of_newsletter(
    row: statistics.Newsletter, at: Any, lists: dict[Any, str]
) -> tuple[str, list[Number]]:
    """A newsletter with the members who should get it, and its numbers at Basket."""
    contacts, events = lists["contact"], lists["event"]
    since = (at - statistics.LATELY).isoformat()
    left = {"kind__exact": Event.Kind.OPTED_OUT.value, "outcome": "inferred"}
    return (
        row.name,
        [
            Number("wanted", row.wanted, _list(lists["wanted"], basket_wanted=row.name)),
            *(
                Number(
                    state, getattr(row, state), _list(contacts, subscription=f"{state} {row.name}")
                )
                for state in statistics.SUBSCRIPTIONS
            ),
            Number(
                "left",
                row.left_lately,
                _list(events, newsletter=row.name, created_at__gte=since, **left),
            ),
        ],
    )


def _turn(request: HttpRequest, *, on: bool, reason: str = "") -> None:
    """Write waffle's row, and who did so into the admin's log of that row."""
    model: Any = get_waffle_switch_model()
    rows = model._default_manager.using(router.db_for_write(model))
    row = rows.filter(name=SWITCH).first() or model(name=SWITCH)
    flag = CHANGE if row.pk else ADDITION
    row.active = on
    row.save()
    said = _("Turned on.") if on else _("Turned off: %(reason)s") % {"reason": reason}
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
