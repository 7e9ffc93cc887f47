"""The panel with a member's newsletters and buttons, on the member's own admin page."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.backends.django import Template
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from mozillians_basket.admin.asked import asked
from mozillians_basket.admin.dossier import Dossier, dossier_of_member
from mozillians_basket.admin.links import links_from_member
from mozillians_basket.admin.orders import carry_out
from mozillians_basket.admin.pages import may_change_newsletters, standing_of_basket
from mozillians_basket.client.switch import switch_is_on

if TYPE_CHECKING:
    MemberModelAdmin = admin.ModelAdmin[Any]
else:
    MemberModelAdmin = object


class BasketPanel(MemberModelAdmin):
    """
    Part of ``BasketMemberAdmin``: the panel below a member's form, and as a page of its own.

    The panel follows the form, as forms do not nest. It is put into whatever
    template the form is shown with, by the blocks that each admin theme
    keeps; the page of its own needs nothing of the form's.
    """

    def get_urls(self) -> list[URLPattern]:
        """With the page of a member's newsletters, and the one that asks Basket."""
        opts, view = self.opts, self.admin_site.admin_view
        names = f"{opts.app_label}_{opts.model_name}_basket"
        # Outside of a transaction: on SQLite it would block all other writers during the call.
        ask = transaction.non_atomic_requests(view(self.ask_basket_view))
        own: list[URLPattern] = [
            path("<path:object_id>/basket/", view(self.basket_view), name=names),
            path("<path:object_id>/basket/ask/", ask, name=f"{names}_ask"),
        ]
        return own + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The form as the site shows it, with the panel below it."""
        response = super().render_change_form(request, context, *args, **kwargs)
        member = context.get("original")
        popup = IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST
        if member is None or popup or not isinstance(response, TemplateResponse):
            return response
        parent: Any = response.resolve_template(response.template_name)
        if isinstance(parent, Template):
            response.context_data = {
                **(response.context_data or {}),
                **self._basket_context(request, member, dossier_of_member(request, member)),
                "basket_parent": parent,
            }
            response.template_name = "admin/mozillians_basket/member_change_form.html"
        return response

    def basket_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The panel as a page of its own; a POST orders something."""
        member = self._basket_member(request, object_id)
        if request.method != "POST":
            return self._basket_page(request, member)
        if not may_change_newsletters(request):
            raise PermissionDenied
        self._basket_order(request, member)
        if request.POST.get("on_own_page"):
            return HttpResponseRedirect(self._basket_url(member, "basket"))
        return HttpResponseRedirect(f"{self._basket_url(member, 'change')}#basket")

    def ask_basket_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show Basket's live answer about the member beside the ledger."""
        member = self._basket_member(request, object_id)
        if request.method != "POST":
            return HttpResponseRedirect(self._basket_url(member, "basket"))
        if not may_change_newsletters(request):
            raise PermissionDenied
        dossier = dossier_of_member(request, member)
        answer = asked(request, member, dossier)
        return self._basket_page(request, member, dossier, basket_asked=answer)

    def _basket_order(self, request: HttpRequest, member: Model) -> None:
        if not switch_is_on():
            told = _("Nothing was done: the switch BASKET_SWITCH_ENABLED is off.")
            self.message_user(request, told, messages.WARNING)
            return
        done, told = carry_out(request, member)
        if done:
            self.log_change(request, member, told)
        self.message_user(request, told, messages.SUCCESS if done else messages.ERROR)

    def _basket_member(self, request: HttpRequest, object_id: str) -> Model:
        member: Model | None = self.get_object(request, unquote(object_id))
        if not self.has_view_or_change_permission(request, member):
            raise PermissionDenied
        if member is None:
            raise Http404
        return member

    def _basket_page(
        self, request: HttpRequest, member: Model, dossier: Dossier | None = None, **more: Any
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            **standing_of_basket(),
            **self._basket_context(request, member, dossier or dossier_of_member(request, member)),
            "title": _("Newsletters"),
            "subtitle": str(member),
            "opts": self.opts,
            "original": member,
            "media": self.media,
            "basket_on_own_page": True,
            **more,
        }
        return TemplateResponse(request, "admin/mozillians_basket/member.html", context)

    def _basket_context(
        self, request: HttpRequest, member: Model, dossier: Dossier
    ) -> dict[str, Any]:
        return {
            "basket": dossier,
            "basket_may_order": may_change_newsletters(request),
            "basket_url": self._basket_url(member, "basket"),
            "basket_ask_url": self._basket_url(member, "basket_ask"),
            "basket_member_url": self._basket_url(member, "change"),
            "basket_links": links_from_member(
                request, self.admin_site, member.pk, dossier.contact, fails=bool(dossier.problem)
            ),
        }

    def _basket_url(self, member: Model, name: str) -> str:
        return reverse(
            f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}",
            args=[quote(member.pk)],
            current_app=self.admin_site.name,
        )
