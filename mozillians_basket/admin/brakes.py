"""The pages on which an admin looks at what a brake holds back, and releases it."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket import held_back, releases, verification
from mozillians_basket.admin.addresses import shown
from mozillians_basket.admin.outcomes import DECISIONS
from mozillians_basket.admin.pages import (
    BasketPages,
    may_change_newsletters,
    standing_of_basket,
)
from mozillians_basket.admin.people import members
from mozillians_basket.hints import hint_sweep
from mozillians_basket.models import Contact, Pulse
from mozillians_basket.releases import Answer, Brake, Numbers
from mozillians_basket.switch import switch_is_on

#: What the numbers on a page are signed for, so that a release covers what was shown.
SALT = "mozillians_basket.release"

#: Seconds for which a page may lie open before it is answered.
OPEN_FOR = 3600


class ReleaseForm(forms.Form):
    """The admin's word."""

    answer = forms.ChoiceField(label=gettext_lazy("What happened"), widget=forms.RadioSelect)
    confirm = forms.BooleanField(
        label=gettext_lazy("I have looked at the numbers and the examples"),
        error_messages={"required": gettext_lazy("Nothing was released: tick the box first.")},
    )
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, brake: Brake, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.brake = brake
        field: Any = self.fields["answer"]
        if brake is Brake.REMOVALS:
            field.choices = [(Answer.REMOVE, "")]
            field.initial, field.widget = Answer.REMOVE, forms.HiddenInput()
        else:
            field.choices = [
                (Answer.OPTED_OUT, _("They all opted out: record it as their choice")),
                (Answer.RESTORE, _("Basket lost them: subscribe them again")),
            ]

    def clean_seen(self) -> Numbers:
        """The numbers that were on the page."""
        try:
            brake, numbers = signing.loads(self.cleaned_data["seen"], salt=SALT, max_age=OPEN_FOR)
        except signing.BadSignature:
            brake, numbers = "", {}
        if brake != self.brake:
            raise forms.ValidationError(_("This page lay open for too long. Look at it again."))
        return {name: (number, of) for name, (number, of) in numbers.items()}


class BrakePages(BasketPages):
    """What the overview's brakes lead to."""

    def get_urls(self) -> list[URLPattern]:
        """With one page for each brake."""
        view = self.admin_site.admin_view
        return [
            path(f"{brake}/", view(self.brake_view), {"brake": brake}, name=_name(brake))
            for brake in Brake
        ] + super().get_urls()

    def brake_view(self, request: HttpRequest, brake: Brake) -> HttpResponse:
        """Show what a brake holds back, and take an admin's word on it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = None
        if request.method == "POST":
            if not may_change_newsletters(request):
                raise PermissionDenied
            form = ReleaseForm(request.POST, brake=brake)
            if self._is_pointless(request, brake) or (
                form.is_valid() and self._release(request, brake, form)
            ):
                return HttpResponseRedirect(self._url_of(brake))
        return self._page(request, brake, form)

    def words_given(self, pulse: Pulse) -> dict[str, Any]:
        """For each brake the word that is being carried out, or was stopped, and whose it was."""
        given = {brake: releases.read(pulse, brake) for brake in Brake}
        keys = [word.actor for word in given.values() if word is not None]
        users = get_user_model()._default_manager.filter(pk__in=keys) if keys else ()
        names = {str(user.pk): user.get_username() for user in users}
        return {
            str(brake): {"word": word, "by": names.get(word.actor, "-")}
            for brake, word in given.items()
            if word is not None
        }

    def _is_pointless(self, request: HttpRequest, brake: Brake) -> bool:
        if not switch_is_on():
            text = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
        elif not releases.is_on(Pulse.now(), brake):
            text = _("Nothing was done: this brake is not on any more.")
        else:
            return False
        messages.warning(request, text)
        return True

    def _release(self, request: HttpRequest, brake: Brake, form: ReleaseForm) -> bool:
        answer, numbers = Answer(form.cleaned_data["answer"]), form.cleaned_data["seen"]
        with transaction.atomic():
            releases.order(brake, answer, numbers, request.user)
            what = ", ".join(f"{name}: {number}/{of}" for name, (number, of) in numbers.items())
            told = _("Released a brake: %(answer)s (%(numbers)s).")
            told %= {"answer": DECISIONS[answer], "numbers": what}
            self.log_change(request, Pulse.now(), told)
            hint_sweep()
        messages.success(request, _("Released. The worker carries it out in the background."))
        return True

    def _page(self, request: HttpRequest, brake: Brake, form: ReleaseForm | None) -> HttpResponse:
        context = standing_of_basket()
        pulse = context["basket_pulse"]
        context["is_on"] = releases.is_on(pulse, brake)
        numbers: Numbers = {}
        if context["is_on"]:
            if brake is Brake.REMOVALS:
                context["held_back"] = held_back.count_removals()
                numbers = context["held_back"].numbers
                context["examples"] = self._examples_of_removals(request, context["held_back"])
                context["first_caption"] = _("Members who do not meet the policy any more")
                context["second_caption"] = _("Members who are gone")
            else:
                numbers = context["losses"] = verification.losses()
                context["examples"] = [
                    (name, self._named(request, held_back.examples_of_losses(name)), [])
                    for name in numbers
                ]
                context["first_caption"] = _("Members whose subscription is gone at Basket")
        if numbers and may_change_newsletters(request) and context["basket_switch_is_on"]:
            seen = signing.dumps((str(brake), numbers), salt=SALT)
            context["form"] = form or ReleaseForm(brake=brake)
            context["seen"] = seen
        context |= {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("Removals that are held back")
            if brake is Brake.REMOVALS
            else _("Subscriptions gone at Basket"),
            "given": self.words_given(pulse).get(str(brake)),
            "total": sum(number for number, _of in numbers.values()),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/mozillians_basket/{brake}.html", context)

    def _examples_of_removals(
        self, request: HttpRequest, found: held_back.HeldBack
    ) -> list[tuple[str, list[Any], list[Any]]]:
        return [
            (name, self._named(request, lost), self._named(request, gone))
            for name, lost, gone in held_back.examples_of_removals(found)
        ]

    def _named(self, request: HttpRequest, contacts: Iterable[Contact]) -> list[dict[str, Any]]:
        """Contacts with the person, if there is one, and the address as this admin may see it."""
        rows = list(contacts)
        people = members(request, self.admin_site, [row.member_id for row in rows])
        return [
            {
                "person": people.get(row.member_id),
                "key": row.member_id,
                "address": shown(request, row.email or row.wanted_email),
            }
            for row in rows
        ]

    def _url_of(self, brake: Brake) -> str:
        return reverse(f"admin:{_name(brake)}", current_app=self.admin_site.name)


def _name(brake: Brake) -> str:
    return f"mozillians_basket_pulse_{brake}"
