"""A member's newsletters in the admin: the panel, its orders, and Basket's live answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.pages import (
    Link,
    extended,
    history_link,
    is_off,
    may_change_newsletters,
    may_export,
    may_see_addresses,
    page_url,
    problem_link,
    rendered,
    visible_address,
)
from mozillians_basket.admin.summary import Summary, summary_of_member
from mozillians_basket.admin.wording import ORDER, SYNC, listed, with_code
from mozillians_basket.api import export
from mozillians_basket.client import calls
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.dispatch import LOOKUP, send
from mozillians_basket.exceptions import BasketError, BasketSwitchedOff, UnknownNewsletter
from mozillians_basket.ledger import decisions, history
from mozillians_basket.ledger.share import Context, write
from mozillians_basket.ledger.touches import drained_members, locked_touches
from mozillians_basket.models import Contact, Event, Status, alias
from mozillians_basket.rules.evaluate import Result, contact_key
from mozillians_basket.site import get_site

if TYPE_CHECKING:
    MemberModelAdmin = admin.ModelAdmin[Any]
else:
    MemberModelAdmin = object


NO_MEMBER = gettext_lazy("Nothing was done: there is no such member any more.")
NO_ADDRESS = gettext_lazy("Nothing was done: they have no e-mail address.")
OPTED_OUT = gettext_lazy(
    "Nothing was done: they opted out themselves. Tick “although they opted out” if they "
    "asked to be subscribed again."
)


def carry_out(request: HttpRequest, member: Model) -> tuple[bool, str]:
    """
    Write what was posted into the ledger, and have the worker told.

    :return: whether it was done, and what to tell the admin.
    """
    order = request.POST.get("order")
    names = request.POST.getlist("newsletters")
    ticked = bool(request.POST.get("despite_opt_out"))
    try:
        with transaction.atomic(using=alias()):
            if order == "sync":
                refusal = _sync(member, Context(cause=SYNC, actor_id=request.user.pk))
                told = _("Basket is being asked about them, and told what it lacks.")
            elif order in {"subscribe", "unsubscribe"}:
                context = Context(cause=ORDER, actor_id=request.user.pk)
                refusal = _order(
                    member, names, context, subscribe=order == "subscribe", despite_opt_out=ticked
                )
                told = _told(order, names, despite_opt_out=ticked)
            else:
                return False, _("Nothing was done: nothing that can be ordered was named.")
            if refusal:
                transaction.set_rollback(True, using=alias())
                return False, str(refusal)
            transaction.on_commit(partial(send, LOOKUP), using=alias())
    except UnknownNewsletter:
        return False, _("Nothing was done: it is none of this site's newsletters.")
    return True, told


def _order(
    member: Model, names: list[str], context: Context, *, subscribe: bool, despite_opt_out: bool
) -> str | Promise:
    """Order for one member; return the reason if the order changes nothing."""
    results = decisions.order(
        [member.pk], names, subscribe=subscribe, despite_opt_out=despite_opt_out, context=context
    )
    if member.pk not in results:
        return NO_MEMBER
    if not decisions.keys_with_address(results):
        return NO_ADDRESS
    refused = all(result == Result.REFUSED for result in results[member.pk].values())
    return OPTED_OUT if refused else ""


def _sync(member: Model, context: Context) -> str | Promise:
    """Evaluate a member and look them up; return the reason if that is of no use."""
    drained = drained_members(locked_touches([member.pk]), [member.pk], context=context)
    write(drained.before, drained.after, context)
    known = drained.after.members.get(drained.ids.get(member.pk, 0))
    if known is None:
        return NO_MEMBER
    if known.contact_id is None:
        return NO_ADDRESS
    decisions.retry(Contact.objects.filter(pk=known.contact_id), context)
    asked = history.event(context, Event.Kind.RETRIED, known.contact_id, member.pk)
    asked.save(using=alias())
    return ""


def _told(order: str, names: list[str], *, despite_opt_out: bool) -> str:
    named = {"newsletters": listed(sorted(names))}
    if order == "unsubscribe":
        return _("They are being unsubscribed from %(newsletters)s.") % named
    if despite_opt_out:
        return _("They are being subscribed to %(newsletters)s, although they opted out.") % named
    return _("They are being subscribed to %(newsletters)s.") % named


#: Seconds to wait for each answer; a worker waits for ``BASKET_TIMEOUT``, a person not so long.
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Basket's answer about one address, beside the ledger; its token is not in it."""

    address: str = field(repr=False)
    trouble: str = ""
    """The reason for a missing answer, in plain words; empty when there is an answer."""

    known: bool = False
    opted_out: bool = False
    confirmed: bool = False
    others: int = 0
    """The number of their newsletters that are not this site's."""

    rows: tuple[tuple[str, str, bool, bool], ...] = ()
    """The site's newsletters: name, state in the ledger, at Basket, and whether both agree."""

    @property
    def differs(self) -> bool:
        """Whether Basket says something else than the ledger."""
        return not all(agrees for _name, _state, _has, agrees in self.rows)


def distinct(addresses: Iterable[str]) -> list[str]:
    """Each address once, however it is spelled, in the order given; without empty ones."""
    found: dict[str, str] = {}
    for address in addresses:
        if address:
            found.setdefault(contact_key(address) or address, address)
    return list(found.values())


def ask(request: HttpRequest, member: Model, summary: Summary) -> tuple[str, list[Answer]]:
    """
    Look every address of a member up in Basket; takes some seconds when Basket is slow.

    Neither ledger nor breaker hear of it: a Basket that is only slow would look broken.

    :return: why nobody was asked, empty when Basket was; and the answers.
    """
    if not switch_is_on():
        return _("The switch BASKET_SWITCH_ENABLED is off: Basket was not asked."), []
    if Status.read().is_open:
        return _("The breaker is open: Basket was not asked, as it fails everybody."), []
    standing = get_site().standings([member.pk]).get(member.pk)
    known = [summary.contact.email] if summary.contact is not None else []
    on_site = standing.email if standing is not None else ""
    answers: list[Answer] = []
    for address in distinct([on_site, *known, *summary.emails_before]):
        answers.append(_ask(visible_address(request, address), address, summary))
        if answers[-1].trouble:
            break  # nobody should wait for the same failure twice
    return "", answers


def _ask(shown: str, address: str, summary: Summary) -> Answer:
    try:
        with calls.within(TIMEOUT):
            person = calls.look_up(address)
    except BasketSwitchedOff:
        return Answer(shown, _("The switch has just been turned off: Basket was not asked."))
    except BasketError as error:
        return Answer(shown, with_code(error.label, getattr(error, "code", None)))
    names = person.newsletters if person is not None else frozenset()
    nothing = [(name, _("nothing known"), False) for name in sorted(get_site().newsletters)]
    ledger = summary.ledger.get(contact_key(address), nothing)
    return Answer(
        shown,
        known=person is not None,
        opted_out=person is not None and person.optout,
        confirmed=person is not None and person.optin,
        others=len(names - get_site().newsletters),
        rows=tuple(
            (name, state, name in names, expected is None or expected == (name in names))
            for name, state, expected in ledger
        ),
    )


#: Columns that no page and no file of the admin shows.
SECRET = frozenset({"token", "renamed_people", "lease", "hash"})

#: The tables of an export, in words.
TABLES = {
    "members": gettext_lazy("Member"),
    "decisions": gettext_lazy("Decisions"),
    "contacts": gettext_lazy("Addresses"),
    "subscriptions": gettext_lazy("Newsletters at Basket"),
    "moves": gettext_lazy("Changes of address that are under way"),
    "suppressions": gettext_lazy("Opt-outs of erased addresses"),
    "touches": gettext_lazy("Changes that are not looked at yet"),
    "events": gettext_lazy("History"),
    "bulk_items": gettext_lazy("Outcomes in bulk requests"),
    "bulk_requests": gettext_lazy("Bulk requests"),
    "approvals": gettext_lazy("Questions to admins"),
}


def stored_about(key: Any) -> dict[str, list[dict[str, Any]]]:
    """All rows about a member, by table; of secrets only that there is one."""
    return {
        table: [
            {
                name: _("stored, but secret") if name in SECRET and value else value
                for name, value in row.items()
            }
            for row in rows
        ]
        for table, rows in export(key).items()
    }


def about_deleting(newsletters: list[str]) -> str:
    """The effect of a member's deletion on their newsletters."""
    if not newsletters:
        return _(
            "Basket has none of this site's newsletters for them. Their address is erased here; "
            "their opt-outs stay known by a keyed hash of it."
        )
    return _(
        "Basket has %(newsletters)s for them. If you delete them, they are unsubscribed there, "
        "unless another member with the same address wants it. Then their address is erased here; "
        "their opt-outs stay known by a keyed hash of it."
    ) % {"newsletters": listed(newsletters)}


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
            path("<path:object_id>/basket/data/", view(self.data_view), name=f"{names}_data"),
        ]
        return own + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The form as the site shows it, with the panel below it."""
        response = super().render_change_form(request, context, *args, **kwargs)
        member = context.get("original")
        popup = IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST
        if member is None or popup:
            return response
        more = self._basket_context(request, member, summary_of_member(request, member))
        return extended(response, basket_anchor="#basket", **more)

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """The question before a member is deleted, with what becomes of their newsletters."""
        response = super().render_delete_form(request, context)
        has = [entry.newsletter for entry in summary_of_member(request, context["object"]).entries
               if entry.held]  # fmt: skip
        return extended(response, basket_notice=about_deleting(has))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The admin's log of the member, which leads to what happened with their newsletters."""
        response = super().history_view(request, object_id, extra_context)
        link = history_link(request, self.admin_site, q=unquote(object_id))
        return extended(response, basket_history_url=link.url)

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

    def data_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Everything that is stored about a member, as a page or as a file."""
        member = self._basket_member(request, object_id)
        if not (may_export(request) and may_see_addresses(request)):
            raise PermissionDenied
        data = stored_about(member.pk)
        if request.GET.get("format") == "json":
            self.log_change(request, member, _("Exported everything that is stored about them."))
            name = f"member-{member.pk}.json"
            return JsonResponse(
                data,
                json_dumps_params={"indent": 2},
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        return self._basket_page(
            request,
            member,
            template="data",
            title=_("Data stored about this member"),
            basket_tables=[
                (TABLES.get(name, name), list(rows[0]) if rows else [], rows)
                for name, rows in data.items()
            ],
        )

    def ask_basket_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show Basket's live answer about the member beside the ledger."""
        member = self._basket_member(request, object_id)
        if request.method != "POST":
            return HttpResponseRedirect(self._basket_url(member, "basket"))
        if not may_change_newsletters(request):
            raise PermissionDenied
        summary = summary_of_member(request, member)
        not_asked, answers = ask(request, member, summary)
        return self._basket_page(
            request, member, summary, basket_asked=True, not_asked=not_asked, answers=answers
        )

    def _basket_order(self, request: HttpRequest, member: Model) -> None:
        if is_off(request):
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
        self,
        request: HttpRequest,
        member: Model,
        summary: Summary | None = None,
        template: str = "member",
        **more: Any,
    ) -> HttpResponse:
        summary = summary or summary_of_member(request, member)
        context = {
            **self._basket_context(request, member, summary),
            "title": _("Newsletters"),
            "subtitle": str(member),
            "original": member,
            "media": self.media,
            "basket_on_own_page": True,
            **more,
        }
        return rendered(request, self.admin_site, self.opts, template, **context)

    def _basket_context(
        self, request: HttpRequest, member: Model, summary: Summary
    ) -> dict[str, Any]:
        links = [history_link(request, self.admin_site, q=member.pk)]
        if summary.problem and summary.contact is not None:
            links.append(problem_link(request, self.admin_site, summary.contact))
        if may_export(request) and may_see_addresses(request):
            text = _("Data stored about this member")
            links.append(Link(self._basket_url(member, "basket_data"), text))
        return {
            "basket": summary,
            "basket_may_order": may_change_newsletters(request),
            "basket_url": self._basket_url(member, "basket"),
            "basket_ask_url": self._basket_url(member, "basket_ask"),
            "basket_member_url": self._basket_url(member, "change"),
            "basket_links": [link for link in links if link.url],
        }

    def _basket_url(self, member: Model, name: str) -> str:
        return page_url(self.admin_site, self.model, name, member.pk)
