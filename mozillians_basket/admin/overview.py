"""The overview in the admin: the state between the site and Basket."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from waffle import get_waffle_switch_model

from mozillians_basket.admin.activity import activities
from mozillians_basket.admin.brakes import BrakePages
from mozillians_basket.admin.pages import standing_of_basket
from mozillians_basket.admin.people import admin_of, url_of
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Approval, BulkRequest, Contact, Event, FailingContact
from mozillians_basket.upkeep import doctor, statistics

#: The number of open bulk requests that the overview names.
OPEN_REQUESTS = 10


class StatusAdmin(BrakePages):
    """The overview in place of a list: there is one row only."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The overview."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            **standing_of_basket(),
            "title": _("Basket: overview"),
            "opts": self.model._meta,
            "switch_url": self._switch_url(request),
            "queue": statistics.queue(),
            "subscriptions": statistics.subscriptions(),
            "activities": activities(),
            "open_requests": self._open_requests(request),
            "findings": [
                finding
                for finding in doctor.examine_settings()
                if finding.level is not doctor.Level.OK
            ],
            "lists": {
                model._meta.model_name: self._list_url(request, model)
                for model in (BulkRequest, Contact, Event, FailingContact)
            },
            **(extra_context or {}),
        }
        context["sweep_is_overdue"] = doctor.is_overdue(context["basket_status"].swept_at)
        questions = context["basket_questions"]
        context["brakes"] = [row for row in questions if row.kind == Approval.Kind.BRAKE]
        context["losses"] = [row for row in questions if row.kind == Approval.Kind.LOSS]
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mozillians_basket/overview.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The overview, to which the admin's log of what was released leads."""
        return HttpResponseRedirect(self._url(self.model, "changelist"))

    def _switch_url(self, request: HttpRequest) -> str:
        """Return the page on which this admin can turn the switch, if they may."""
        model = get_waffle_switch_model()
        page = admin_of(self.admin_site, model)
        if page is None:
            return ""
        row = model.objects.filter(name=SWITCH).first()
        if row is not None:
            return url_of(self.admin_site, row) if page.has_change_permission(request, row) else ""
        url = self._url(model, "add") if page.has_add_permission(request) else ""
        turned = {} if switch_is_on() else {"active": "on"}
        return f"{url}?{urlencode({'name': SWITCH, **turned})}" if url else ""

    def _open_requests(self, request: HttpRequest) -> list[tuple[BulkRequest, str]]:
        """Bulk requests that are not through, with their pages."""
        page = admin_of(self.admin_site, BulkRequest)
        if page is None or not page.has_view_permission(request):
            return []
        rows = BulkRequest.objects.filter(finished_at__isnull=True)
        rows = rows.exclude(state=BulkRequest.State.DRAFT).defer("keys")
        return [
            (row, url_of(self.admin_site, row))
            for row in rows.select_related("actor").order_by("-pk")[:OPEN_REQUESTS]
        ]

    def _list_url(self, request: HttpRequest, model: type[Any]) -> str:
        page = admin_of(self.admin_site, model)
        if page is None or not page.has_view_permission(request):
            return ""
        return self._url(model, "changelist")

    def _url(self, model: type[Any], page: str) -> str:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        try:
            return reverse(name, current_app=self.admin_site.name)
        except NoReverseMatch:
            return ""
