"""End a sync: settled, postponed, or due again."""

from datetime import timedelta

from django.utils import timezone

from mozillians_basket.addresses import same_address
from mozillians_basket.backoff import waiting_time
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError, label_of
from mozillians_basket.ledger.evaluation import later_than
from mozillians_basket.ledger.items import fail_items, finish_items
from mozillians_basket.ledger.leftovers import leave_unanswered, look_back
from mozillians_basket.ledger.problems import clear_problem, show_problem
from mozillians_basket.ledger.sheets import Sheet
from mozillians_basket.ledger.showing import show
from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.plan import Lookup, differs
from mozillians_basket.states import State

#: How soon a contact is looked at again when the ledger still shows a difference after a sync.
PAUSE = timedelta(seconds=1)


def settle(sheet: Sheet) -> None:
    """
    Write down that the sync is through and give the contact back; ``due_again`` says if it is.

    :raises LeaseLost: when somebody else has the lease; nothing is written then.
    """
    sheet.change(lambda: close(sheet, sheet.looked_up))


def close(sheet: Sheet, lookup: Lookup | None) -> None:
    """
    Settle the contact on its sheet, or leave it due when it was touched or not all was sent.

    :param lookup: what Basket answered and did in this sync; ``None`` when it was not asked.
    """
    contact = sheet.contact
    if lookup is not None and _left_to_send(sheet, lookup):
        contact.leased_until = contact.lookup = None
        sheet.due_again = True
        return
    again_after = _after_lookup(sheet, lookup) if lookup is not None else _unanswered(sheet)
    if contact.departed_at and not contact.email:
        _erase(sheet)
    contact.settled_at = contact.claimed_touch or contact.touched_at
    untouched = contact.touched_at <= contact.settled_at
    contact.verify = contact.verify and not untouched
    contact.not_before = None
    contact.attempts = 0
    lines = list(sheet.lines.values())
    if not contact.refused_email and all(line.state != State.REFUSED for line in lines):
        clear_problem(contact)
    if untouched:
        if sheet.ordered:
            sheet.more.append(lambda: finish_items(contact, lines))
        if again_after is None and differs(sheet.account):
            again_after = PAUSE
        if again_after is not None:
            contact.touched_at = later_than(contact.touched_at)
            contact.not_before = timezone.now() + again_after
            contact.verify = True
    contact.leased_until = contact.lookup = contact.claimed_touch = None
    sheet.due_again = not untouched


def _left_to_send(sheet: Sheet, lookup: Lookup) -> bool:
    """Whether what is wanted now asks for more than what was sent since the lookup."""
    todo = sheet.plan(lookup)
    return todo is None or bool(todo.subscribe or todo.unsubscribe)


def _after_lookup(sheet: Sheet, lookup: Lookup) -> timedelta | None:
    """Take over what the lookup and the calls after it led to; say when to look again."""
    contact, account = sheet.contact, sheet.account
    todo = sheet.plan(lookup, account)
    if account.leaving:
        if lookup.removal_sent:
            return max(timedelta(seconds=conf.RECHECK_SECONDS), _minutes_since_departure(contact))
        if (again_after := _unanswered(sheet)) is not None:
            return again_after
        contact.email = ""
        _forget_removals(sheet)
        return None
    if not same_address(lookup.target, contact.email):
        contact.token = lookup.new.token if lookup.new else ""
        if lookup.removal_sent:
            look_back(sheet)
        if todo is not None:
            show(sheet, todo, lookup)
        if not contact.moving_to:
            leave_unanswered(sheet, contact.email, "address changed")
        contact.moving_to = ""
        contact.email = lookup.new.email if lookup.new else lookup.target
        _forget_removals(sheet)
        sheet.note(Event.Kind.MOVED)
        return None
    if lookup.current:
        contact.email, contact.token = lookup.current.email, lookup.current.token
    waits = [_unanswered(sheet)]
    if todo is not None and todo.recheck:
        waits.append(_recheck_after(sheet, todo.recheck))
    return min((wait for wait in waits if wait is not None), default=None)


def _forget_removals(sheet: Sheet) -> None:
    for line in sheet.lines.values():
        line.removed_at = None


def _unanswered(sheet: Sheet) -> timedelta | None:
    """
    When to look whether a subscribe that was not answered, and is not wanted now, was carried out.

    The older it is, the longer the wait; after the grace for removals it is forgotten.
    """
    now = timezone.now()
    grace = now - timedelta(seconds=conf.REMOVAL_GRACE_SECONDS)
    moments = [
        line.requested_at
        for line in sheet.lines.values()
        if not line.wanted and line.requested_at is not None and line.requested_at > grace
    ]
    if not moments:
        return None
    return max(timedelta(seconds=conf.RECHECK_SECONDS), now - max(moments))


def _minutes_since_departure(contact: Contact) -> timedelta:
    """Grows, so that a Basket which never carries the removal out is not asked every minute."""
    now = timezone.now()
    return timedelta(minutes=(now - (contact.departed_at or now)) // timedelta(minutes=1))


def _recheck_after(sheet: Sheet, newsletters: frozenset[str]) -> timedelta:
    """The older the removal that is under way, the longer the next wait."""
    now = timezone.now()
    oldest = min(sheet.lines[name].removed_at or now for name in newsletters)
    return max(timedelta(seconds=conf.RECHECK_SECONDS), now - oldest)


def _erase(sheet: Sheet) -> None:
    """Leave a tombstone: no address, no newsletters, no history."""
    contact, sheet.lines, sheet.events = sheet.contact, {}, []
    sheet.more.append(lambda: Subscription.objects.filter(contact=contact).delete())
    sheet.more.append(lambda: Event.objects.filter(contact=contact).delete())
    contact.email = contact.wanted_email = contact.moving_to = contact.refused_email = ""
    contact.cause = contact.token = ""
    sheet.note(Event.Kind.ERASED)


def postpone(sheet: Sheet, error: BasketError) -> None:
    """
    Give a contact back after a failure, to be tried again later.

    After ``BASKET_MAX_ATTEMPTS`` of them it is parked, and waits for an admin or a new change.

    :raises LeaseLost: when somebody else has the lease; nothing is written then.
    """
    sheet.open(switched_on=False)

    def work() -> None:
        contact, label = sheet.contact, label_of(error)
        first = contact.error != label
        contact.attempts += 1
        show_problem(contact, label, getattr(error, "code", None))
        contact.not_before = timezone.now() + waiting_time(contact.attempts, error)
        contact.leased_until = contact.lookup = None
        if contact.attempts >= conf.MAX_ATTEMPTS:
            contact.parked_at = timezone.now()
            sheet.more.append(lambda: fail_items(contact, label))
            sheet.note(Event.Kind.PARKED, error_code=contact.error_code, outcome=label)
        elif first:
            sheet.note(Event.Kind.POSTPONED, error_code=contact.error_code, outcome=label)

    sheet.change(work)
