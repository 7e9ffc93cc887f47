"""What an admin orders with the buttons on a member's page."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _

from mozillians_basket import ledger
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.hints import hint_contacts
from mozillians_basket.ledger import Outcome

REFUSALS = {
    Outcome.NO_MEMBER: lambda: _("Nothing was done: there is no such member any more."),
    Outcome.NO_ADDRESS: lambda: _("Nothing was done: they have no e-mail address."),
    Outcome.OPTED_OUT: lambda: _(
        "Nothing was done: they opted out themselves. Tick “although they opted out” if they "
        "asked to be subscribed again."
    ),
}


def carry_out(request: HttpRequest, member: Model) -> tuple[bool, str]:
    """
    Write what was posted into the ledger, and have the worker told.

    :return: whether it was done, and what to tell the admin.
    """
    order = request.POST.get("order")
    names = request.POST.getlist("newsletters")
    ticked = bool(request.POST.get("despite_opt_out"))
    try:
        if order == "sync":
            outcome, keys = ledger.sync_member(member.pk, actor=request.user)
            told = _("Basket is being asked about them, and told what it lacks.")
        elif order in {"subscribe", "unsubscribe"}:
            outcome, keys = ledger.order_for_member(
                member.pk,
                names,
                subscribe=order == "subscribe",
                despite_opt_out=ticked,
                actor=request.user,
            )
            told = _told(order, names, despite_opt_out=ticked)
        else:
            return False, _("Nothing was done: nothing that can be ordered was named.")
    except UnknownNewsletter:
        return False, _("Nothing was done: it is none of this site's newsletters.")
    if outcome is not Outcome.ORDERED:
        return False, REFUSALS[outcome]()
    hint_contacts(keys)
    return True, told


def _told(order: str, names: list[str], *, despite_opt_out: bool) -> str:
    named: dict[str, Any] = {"newsletters": ", ".join(sorted(names))}
    if order == "unsubscribe":
        return _("They are being unsubscribed from %(newsletters)s.") % named
    if despite_opt_out:
        return _("They are being subscribed to %(newsletters)s, although they opted out.") % named
    return _("They are being subscribed to %(newsletters)s.") % named
