"""The orders on a member's page, and Basket's live answer."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.pages import visible_address
from mozillians_basket.admin.summary import Summary
from mozillians_basket.admin.wording import ORDER, SYNC, listed, with_code
from mozillians_basket.client import calls, transport
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.dispatch import LOOKUP, send
from mozillians_basket.exceptions import BasketError, BasketSwitchedOff
from mozillians_basket.ledger import decisions, history
from mozillians_basket.ledger.share import Context, write
from mozillians_basket.ledger.touches import drained_members, locked_touches
from mozillians_basket.models import Contact, Event, Status, alias
from mozillians_basket.rules.evaluate import Result, contact_key
from mozillians_basket.site import get_site

NO_MEMBER = gettext_lazy("Nothing was done: there is no such member any more.")
NO_ADDRESS = gettext_lazy("Nothing was done: they have no e-mail address.")
OPTED_OUT = gettext_lazy(
    "Nothing was done: they opted out themselves. Tick “although they opted out” if they "
    "asked to be subscribed again."
)

#: Seconds to wait for each answer; a worker waits for ``BASKET_TIMEOUT``, a person not so long.
TIMEOUT = 5.0


class NothingDone(Exception):
    """An order changes nothing, for a reason to tell the admin."""

    def __init__(self, reason: str | Promise) -> None:
        super().__init__(str(reason))


def carry_out(request: HttpRequest, member: Model) -> str:
    """
    Write what was posted into the ledger, and have the worker told.

    :return: a text for the admin.
    :raises NothingDone: when it is of no use.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    order, names = request.POST.get("order"), request.POST.getlist("newsletters")
    despite_opt_out = bool(request.POST.get("despite_opt_out"))
    named = {"newsletters": listed(sorted(names))}
    with transaction.atomic(using=alias()):
        if order == "sync":
            _sync(member, Context(cause=SYNC, actor_id=request.user.pk))
            told = _("Basket is being asked about them, and told what it lacks.")
        elif order in {"subscribe", "unsubscribe"}:
            results = decisions.order(
                [member.pk],
                names,
                subscribe=order == "subscribe",
                despite_opt_out=despite_opt_out,
                context=Context(cause=ORDER, actor_id=request.user.pk),
            )
            if member.pk not in results:
                raise NothingDone(NO_MEMBER)
            if not decisions.keys_with_address(results):
                raise NothingDone(NO_ADDRESS)
            if all(result == Result.REFUSED for result in results[member.pk].values()):
                raise NothingDone(OPTED_OUT)
            if order == "unsubscribe":
                told = _("They are being unsubscribed from %(newsletters)s.") % named
            elif despite_opt_out:
                told = _("They are being subscribed to %(newsletters)s, although they opted out.")
                told %= named
            else:
                told = _("They are being subscribed to %(newsletters)s.") % named
        else:
            raise NothingDone(_("Nothing was done: nothing that can be ordered was named."))
        transaction.on_commit(partial(send, LOOKUP), using=alias())
    return told


def _sync(member: Model, context: Context) -> None:
    """Evaluate a member and have them looked up."""
    drained = drained_members(locked_touches([member.pk]), [member.pk], context=context)
    write(drained.before, drained.after, context)
    known = drained.after.members.get(drained.ids.get(member.pk, 0))
    if known is None:
        raise NothingDone(NO_MEMBER)
    if known.contact_id is None:
        raise NothingDone(NO_ADDRESS)
    decisions.retry(Contact.objects.filter(pk=known.contact_id), context)
    asked = history.event(context, Event.Kind.RETRIED, known.contact_id, member.pk)
    asked.save(using=alias())


def ask(request: HttpRequest, member: Model, summary: Summary) -> tuple[str, list[dict[str, Any]]]:
    """
    Look every address of a member up in Basket; takes some seconds when Basket is slow.

    Neither ledger nor breaker hear of it: a Basket that is only slow would look broken.

    :return: why nobody was asked, empty when Basket was; and the answers, beside the ledger
        and without tokens.
    """
    if not switch_is_on():
        return _("The switch BASKET_SWITCH_ENABLED is off: Basket was not asked."), []
    if Status.read().is_open:
        return _("The breaker is open: Basket was not asked, as it fails everybody."), []
    site = get_site()
    standing = site.standings([member.pk]).get(member.pk)
    known = [summary.contact.email] if summary.contact is not None else []
    addresses: dict[str, str] = {}
    for email in [standing.email if standing else "", *known, *summary.emails_before]:
        if email:
            addresses.setdefault(contact_key(email) or email, email)
    answers: list[dict[str, Any]] = []
    for email in addresses.values():
        answer: dict[str, Any] = {"address": visible_address(request, email)}
        answers.append(answer)
        try:
            with transport.within(TIMEOUT):
                person = calls.look_up(email)
        except BasketSwitchedOff:
            answer["trouble"] = _("The switch has just been turned off: Basket was not asked.")
        except BasketError as error:
            answer["trouble"] = with_code(error.label, getattr(error, "code", None))
        if "trouble" in answer:
            break  # nobody should wait for the same failure twice
        names = person.newsletters if person is not None else frozenset()
        nothing = [(name, _("nothing known"), False) for name in sorted(site.newsletters)]
        rows = [
            (name, state, name in names, expected is None or expected == (name in names))
            for name, state, expected in summary.ledger.get(contact_key(email), nothing)
        ]
        answer |= {
            "person": person,
            "others": len(names - site.newsletters),
            "rows": rows,
            "differs": not all(agrees for _name, _state, _has, agrees in rows),
        }
    return "", answers
