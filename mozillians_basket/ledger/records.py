"""Write down what Basket answered and did, each time under the contact's lease."""

from datetime import datetime

from django.db.models import F
from django.utils import timezone

from mozillians_basket.addresses import same_address
from mozillians_basket.ledger.evaluation import later_than
from mozillians_basket.ledger.leftovers import leave_unanswered
from mozillians_basket.ledger.matching import is_at
from mozillians_basket.ledger.problems import show_problem
from mozillians_basket.ledger.settling import close
from mozillians_basket.ledger.sheets import Sheet
from mozillians_basket.ledger.showing import before_arrival, show
from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.plan import Lookup, Plan
from mozillians_basket.states import HELD, State


def record_lookup(sheet: Sheet, lookup: Lookup) -> Plan | None:
    """
    Write down what a lookup showed; return what is to be sent, going by what is wanted now.

    When that is nothing, the contact is settled. ``None`` when the lookup does
    not fit any more (see ``current_plan``).

    :raises LeaseLost: when somebody else has the lease.
    :raises BasketSwitchedOff: when the switch is off and something is to be sent.
    """

    def work() -> Plan | None:
        contact = sheet.contact
        if sheet.shared:
            _notice_removals_for_others(sheet)
        account = sheet.account
        todo = sheet.plan(lookup, account)
        if todo is None:
            return None
        show(sheet, before_arrival(todo) if account.moving else todo, lookup)
        holder = lookup.new if account.moving else lookup.current
        for line in sheet.lines.values():
            if holder is not None and line.newsletter in holder.newsletters:
                line.requested_at = None
        contact.lookup, contact.verified_at = lookup.as_json(), timezone.now()
        if not (todo.subscribe or todo.unsubscribe):
            close(sheet, lookup)
        elif todo.subscribe and not account.moving:
            note_request(sheet, lookup, todo.subscribe, ahead=True)
        return todo

    return sheet.change(work, keep=True)


def _notice_removals_for_others(sheet: Sheet) -> None:
    """An unsubscribe for somebody who left with this address may still strike who has it now."""
    under_way = Subscription.objects.filter(
        is_at("contact__email", sheet.contact.email),
        contact__departed_at__isnull=False,
        newsletter__in=sheet.lines,
        removed_at__isnull=False,
    ).exclude(contact=sheet.contact)
    for name, removed_at in under_way.values_list("newsletter", "removed_at"):
        sheet.lines[name].removed_at = sheet.lines[name].removed_at or removed_at


def note_request(
    sheet: Sheet, lookup: Lookup, newsletters: frozenset[str], *, ahead: bool = False
) -> None:
    """
    Remember, before the call, that the target address may get these, however late.

    A call that nobody answered can be carried out long after it was given up.
    Until the answer it stands in the contact's row; whoever else opens it, as
    that one did not get through, finds it in the lines.

    :param ahead: it is for the next step, which need not write then. Nothing was
        sent while the contact still has the lease that this one hands on.
    """
    contact = sheet.contact
    if sheet.account.moving and not same_address(contact.moving_to, lookup.target):
        leave_unanswered(sheet, contact.email, "address changed")
        contact.moving_to = lookup.target
    names = sorted(newsletters)
    if contact.asked is None or contact.asked["newsletters"] != names:
        contact.asked = {"at": timezone.now().isoformat(), "newsletters": names}
        if ahead:
            contact.asked["lease"] = sheet.lease.prolonged.serial


def record_subscribed(
    sheet: Sheet, lookup: Lookup, newsletters: frozenset[str], token: str, *, moving: bool
) -> bool:
    """
    Write down that Basket subscribed the target address to these, and settle if that was all.

    :return: whether an unsubscribe must follow.
    :raises LeaseLost: when somebody else has the lease.
    """

    def work() -> bool:
        now = timezone.now()
        sheet.contact.asked = None
        for line in sheet.lines.values():
            if line.newsletter not in newsletters:
                continue
            line.requested_at = None
            if not moving:
                line.state, line.error_code, line.despite_opt_out = State.SUBSCRIBED, None, False
                line.confirmed_at = line.verified_at = now
        sheet.note(Event.Kind.SUBSCRIBED, newsletters)
        done = lookup.after_subscribe(newsletters, token, moving=moving)
        sheet.contact.lookup = done.as_json()
        left = sheet.plan(done)
        if left is not None and left.unsubscribe and not left.subscribe:
            return True
        close(sheet, done)
        return False

    return sheet.change(work)


def note_removal(sheet: Sheet, newsletters: frozenset[str]) -> None:
    """
    Remember, before the call, that it is this site that takes these away.

    From all members with this address: Basket knows them as one. None of them
    opted out, and whoever of them wants it by now is looked at again.
    """
    now = timezone.now()
    for line in sheet.lines.values():
        if line.newsletter in newsletters:
            line.state, line.removed_at = State.UNKNOWN, now
    if sheet.shared:
        email, own = sheet.contact.email, sheet.contact.pk
        sheet.more.append(lambda: _note_removal_at_others(email, own, newsletters, now))


def _note_removal_at_others(
    email: str, own: int, newsletters: frozenset[str], now: datetime
) -> None:
    for other in Contact.objects.filter(is_at("email", email)).exclude(pk=own):
        held = other.subscriptions.filter(newsletter__in=newsletters, state__in=HELD)
        struck = held.update(state=State.UNKNOWN, removed_at=now)
        Contact.objects.filter(pk=other.pk).update(
            revision=F("revision") + 1,
            **({"touched_at": later_than(other.touched_at)} if struck else {}),
        )


def record_unsubscribed(sheet: Sheet, lookup: Lookup, newsletters: frozenset[str]) -> None:
    """
    Write down that Basket accepted an unsubscribe of the current address, and settle.

    Basket only queues them.

    :raises LeaseLost: when somebody else has the lease.
    """

    def work() -> None:
        for line in sheet.lines.values():
            if line.newsletter in newsletters:
                line.state, line.verified_at = State.UNSUBSCRIBED, None
        sheet.note(Event.Kind.UNSUBSCRIBED, newsletters)
        done = lookup.after_unsubscribe(newsletters)
        sheet.contact.lookup = done.as_json()
        close(sheet, done)

    sheet.change(work)


def record_refusal(sheet: Sheet, code: int, *, address: str, nobody: bool = False) -> bool:
    """
    Write down that Basket does not accept an address; not tried again until it changes.

    While moving, the old address stays as it is; the new one's refusal is shown.

    :param nobody: the address is none at all, so nothing can be held at it either.
    :return: whether it was the address to move to, so that the plan is another one now.
    :raises LeaseLost: when somebody else has the lease.
    """

    def work() -> bool:
        contact, account = sheet.contact, sheet.account
        to_new = account.moving and same_address(address, contact.wanted_email)
        if account.moving and not to_new:
            return False  # the old address: what counts is the new one
        if to_new:
            contact.refused_email, contact.moving_to = contact.wanted_email, ""
        contact.asked = None
        refused = [
            line
            for line in sheet.lines.values()
            if line.wanted and (line.state not in HELD or (nobody and not to_new))
        ]
        for line in refused:
            line.state, line.error_code = State.REFUSED, code
            line.despite_opt_out, line.requested_at = False, None
        show_problem(contact, "refused", code)
        names = [line.newsletter for line in refused]
        sheet.note(Event.Kind.REFUSED, names, error_code=code, outcome="refused")
        return to_new

    return sheet.change(work)
