"""The pages on which an admin answers a question: removals held back, or a possible loss."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.lists import CHUNK, csv_of
from mozillians_basket.admin.pages import (
    BasketPages,
    is_off,
    may_manage,
    members_with_addresses,
    rendered,
    require,
)
from mozillians_basket.admin.wording import cause_in_words
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.models import Approval, Status, alias
from mozillians_basket.upkeep import approvals

#: The salt for what a page signs, so that an answer covers what was shown.
SALT = "mozillians_basket.answer"

#: Seconds for which a page may lie open before it is answered.
OPEN_FOR = 3600

#: The number of members that are shown as examples.
EXAMPLES = 5

Answer, Kind = Approval.Answer, Approval.Kind

#: The page of each kind of question, by the last part of its address.
PAGES = {Kind.BRAKE: "removals", Kind.LOSS: "losses"}


class AnswerForm(forms.Form):
    """An admin's answer to one question; a brake has one answer only."""

    answer = forms.ChoiceField(
        label=gettext_lazy("Your answer"),
        error_messages={"required": gettext_lazy("Nothing was done: choose an answer first.")},
    )
    confirm = forms.BooleanField(
        label=gettext_lazy("I have looked at the numbers and the examples"),
        error_messages={"required": gettext_lazy("Nothing was done: tick the box first.")},
    )
    seen = forms.CharField()

    def __init__(self, *args: Any, kind: Approval.Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        labels = {
            Answer.OPTED_OUT: _("They all opted out: record it as their choice"),
            Answer.LOST: _("Basket lost them: subscribe them again"),
        }
        answers: Any = self.fields["answer"]
        answers.choices = [(each, labels.get(each, "")) for each in approvals.ANSWERS[kind]]

    def clean_seen(self) -> tuple[Approval, int, datetime]:
        """The question that was on the page, its number, and when it was shown."""
        try:
            key, number, at = signing.loads(self.cleaned_data["seen"], salt=SALT, max_age=OPEN_FOR)
            question = Approval.objects.get(pk=key, kind=self.kind)
        except (signing.BadSignature, ValueError, Approval.DoesNotExist):
            text = _("This page lay open for too long. Look at it again.")
            raise forms.ValidationError(text) from None
        return question, number, datetime.fromisoformat(at)


class ApprovalPages(BasketPages):
    """The pages of open questions, to which the overview links."""

    def get_urls(self) -> list[URLPattern]:
        view, urls = self.admin_site.admin_view, []
        for kind, page in PAGES.items():
            extra, name = {"kind": kind}, f"mozillians_basket_status_{page}"
            urls += [
                path(f"{page}/", view(self.questions_view), extra, name=name),
                path(f"{page}/<int:key>.csv", view(self.csv_view), extra, name=f"{name}_csv"),
            ]
        return urls + super().get_urls()

    def questions_view(self, request: HttpRequest, kind: Approval.Kind) -> HttpResponse:
        """Show the open questions of a kind, and take an admin's answer to one of them."""
        require(self.has_view_permission(request))
        may_answer, seen = may_manage(request), None
        form = AnswerForm(request.POST if request.method == "POST" else None, kind=kind)
        rows = Approval.objects.filter(kind=kind, closed_at__isnull=True)
        if request.method == "POST":
            require(may_answer)
            here = HttpResponseRedirect(self.url_to(PAGES[kind]))
            if is_off(request):
                return here
            if not rows.exists():
                messages.warning(
                    request, _("Nothing was done: this question is not open any more.")
                )
                return here
            if form.is_valid():
                self._answer(request, form)
                return here
            seen = form.cleaned_data.get("seen")
        is_brake = kind == Kind.BRAKE
        title = (
            _("Removals that are held back") if is_brake else _("Subscriptions missing at Basket")
        )
        rows = rows.select_related("actor").order_by("newsletter")
        return rendered(
            self,
            request,
            "questions",
            title=title,
            is_brake=is_brake,
            may_answer=may_answer,
            switch_is_on=switch_is_on(),
            questions=[self._question(request, row) for row in rows],
            form=form,
            answered=seen[0].pk if seen else None,
        )

    def csv_view(
        self, request: HttpRequest, kind: Approval.Kind, key: int
    ) -> StreamingHttpResponse:
        """Return all members that a question is about, to download."""
        require(self.has_view_permission(request))
        row = get_object_or_404(Approval.objects, pk=key, kind=kind, closed_at=None)
        columns = ["member", "held back" if kind == Kind.BRAKE else "missing"]
        found = approvals.concerned(row).iterator(CHUNK)
        return csv_of(request, f"{kind}-{row.newsletter}", columns, found)

    def _answer(self, request: HttpRequest, form: AnswerForm) -> None:
        """Give the answer, which covers what the admin saw."""
        question, number, shown_at = form.cleaned_data["seen"]
        chosen = Answer(form.cleaned_data["answer"])
        logged = _("Answered a question: %(answer)s (%(newsletter)s: %(number)s/%(total)s).") % {
            "answer": chosen.label,
            "newsletter": question.newsletter,
            "number": number,
            "total": question.total,
        }
        with transaction.atomic(using=alias()):
            if not approvals.answer(question, chosen, request.user, shown_at=shown_at):
                messages.warning(request, _("Nothing was done: it was answered already."))
                return
            self.log_change(request, Status.read(), logged)
        told = _("Answered. The worker carries it out in the background.")
        if question.kind == Kind.BRAKE:
            told = _("Released. The worker carries it out in the background.")
        messages.success(request, told)

    def _question(self, request: HttpRequest, row: Approval) -> dict[str, Any]:
        """Read a question with all that its page shows, as of one moment."""
        shown_at = timezone.now()
        if row.kind == Kind.BRAKE and not row.answer:
            row.number, shown_at = approvals.held_back_so_far(row)
        examples = [key for key, _at in approvals.concerned(row)[:EXAMPLES]]
        actors = get_user_model()._default_manager.filter(
            pk__in=[actor for _cause, actor, _number in row.causes if actor is not None]
        )
        names = {str(user.pk): user.get_username() for user in actors}
        return {
            "approval": row,
            "causes": [
                (cause_in_words(cause), names.get(actor, ""), n) for cause, actor, n in row.causes
            ],
            "examples": members_with_addresses(request, self.admin_site, examples),
            "csv_url": self.url_to(f"{PAGES[Kind(row.kind)]}_csv", row.pk),
            "seen": signing.dumps((row.pk, row.number, shown_at.isoformat()), salt=SALT),
        }
