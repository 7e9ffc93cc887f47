"""The orders behind the buttons on a member's page."""

from functools import partial

from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.causes import ORDER, SYNC
from mozillians_basket.dispatch import LOOKUP, send
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.ledger import decisions, history
from mozillians_basket.ledger.share import Context, write
from mozillians_basket.ledger.touches import drained_members, locked_touches
from mozillians_basket.models import Contact, Event, alias
from mozillians_basket.rules.evaluate import Result

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
    named = {"newsletters": ", ".join(sorted(names))}
    if order == "unsubscribe":
        return _("They are being unsubscribed from %(newsletters)s.") % named
    if despite_opt_out:
        return _("They are being subscribed to %(newsletters)s, although they opted out.") % named
    return _("They are being subscribed to %(newsletters)s.") % named
