"""End a sync: settled, postponed, or due again."""

from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from mozillians_basket.addresses import same_address
from mozillians_basket.backoff import waiting_time
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError, label_of
from mozillians_basket.ledger.accounts import account_of, current_plan
from mozillians_basket.ledger.evaluation import later_than
from mozillians_basket.ledger.items import fail_items, finish_items
from mozillians_basket.ledger.leases import Lease, holding
from mozillians_basket.ledger.problems import PROBLEM_FIELDS, clear_problem, show_problem
from mozillians_basket.ledger.records import leave_unanswered, look_back, note, show
from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.plan import Lookup, differs
from mozillians_basket.states import State

#: How soon a contact is looked at again when the ledger still shows a difference after a sync.
PAUSE = timedelta(seconds=1)


def settle(lease: Lease) -> bool:
    """
    Write down that the sync is through and give the contact back.

    :return: whether it is due still or again: touched meanwhile, or not all was sent.
    :raises LeaseLost: when somebody else has the lease; nothing is written then.
    """
    with holding(lease) as contact:
        lookup = Lookup.from_json(contact.lookup) if contact.lookup else None
        if lookup and _left_to_send(contact, lookup):
            contact.leased_until = contact.lookup = None
            contact.save(update_fields=["leased_until", "lookup"])
            return True
        again_after = _after_lookup(contact, lookup) if lookup else _unanswered(contact)
        if contact.departed_at and not contact.email:
            _erase(contact)
        contact.settled_at = contact.claimed_touch or contact.touched_at
        untouched = contact.touched_at <= contact.settled_at
        contact.verify = contact.verify and not untouched
        contact.not_before = None
        contact.attempts = 0
        lines = list(contact.subscriptions.all())
        if not contact.refused_email and all(line.state != State.REFUSED for line in lines):
            clear_problem(contact)
        if untouched:
            finish_items(contact, lines)
            if again_after is None and differs(account_of(contact, lines)):
                again_after = PAUSE
            if again_after is not None:
                contact.touched_at = later_than(contact.touched_at)
                contact.not_before = timezone.now() + again_after
                contact.verify = True
        _give_back(contact)
        return not untouched


def _left_to_send(contact: Contact, lookup: Lookup) -> bool:
    """Whether what is wanted now asks for more than what was sent since the lookup."""
    todo = current_plan(contact, account_of(contact, contact.subscriptions.all()), lookup)
    return todo is None or bool(todo.subscribe or todo.unsubscribe)


def _after_lookup(contact: Contact, lookup: Lookup) -> timedelta | None:
    """Take over what the lookup and the calls after it led to; say when to look again."""
    lines = {line.newsletter: line for line in contact.subscriptions.all()}
    account = account_of(contact, lines.values())
    todo = current_plan(contact, account, lookup)
    if account.leaving:
        if lookup.removal_sent:
            return max(timedelta(seconds=conf.RECHECK_SECONDS), _minutes_since_departure(contact))
        if (again_after := _unanswered(contact)) is not None:
            return again_after
        contact.email = ""
        contact.subscriptions.update(removed_at=None)
        return None
    if not same_address(lookup.target, contact.email):
        contact.token = lookup.new.token if lookup.new else ""
        if lookup.removal_sent:
            look_back(contact, lines.values())
        if todo is not None:
            show(contact, lines, todo, lookup)
        if not contact.moving_to:
            leave_unanswered(contact, contact.email)
        contact.moving_to = ""
        contact.email = lookup.new.email if lookup.new else lookup.target
        contact.subscriptions.update(removed_at=None)
        note(contact, Event.Kind.MOVED)
        return None
    if lookup.current:
        contact.email, contact.token = lookup.current.email, lookup.current.token
    waits = [_unanswered(contact)]
    if todo is not None and todo.recheck:
        waits.append(_recheck_after(contact, todo.recheck))
    return min((wait for wait in waits if wait is not None), default=None)


def _unanswered(contact: Contact) -> timedelta | None:
    """
    When to look whether a subscribe that was not answered, and is not wanted now, was carried out.

    The older it is, the longer the wait; after the grace for removals it is forgotten.
    """
    now = timezone.now()
    lines = contact.subscriptions.filter(
        wanted=False, requested_at__gt=now - timedelta(seconds=conf.REMOVAL_GRACE_SECONDS)
    )
    newest: datetime | None = lines.aggregate(moment=Max("requested_at"))["moment"]
    if newest is None:
        return None
    return max(timedelta(seconds=conf.RECHECK_SECONDS), now - newest)


def _minutes_since_departure(contact: Contact) -> timedelta:
    """Grows, so that a Basket which never carries the removal out is not asked every minute."""
    now = timezone.now()
    return timedelta(minutes=(now - (contact.departed_at or now)) // timedelta(minutes=1))


def _recheck_after(contact: Contact, newsletters: frozenset[str]) -> timedelta:
    """The older the removal that is under way, the longer the next wait."""
    oldest = contact.subscriptions.filter(newsletter__in=newsletters).earliest("removed_at")
    age: timedelta = timezone.now() - (oldest.removed_at or timezone.now())
    return max(timedelta(seconds=conf.RECHECK_SECONDS), age)


def _erase(contact: Contact) -> None:
    """Leave a tombstone: no address, no newsletters, no history."""
    Subscription.objects.filter(contact=contact).delete()
    Event.objects.filter(contact=contact).delete()
    contact.email = contact.wanted_email = contact.moving_to = contact.refused_email = ""
    contact.cause = contact.token = ""
    note(contact, Event.Kind.ERASED)


def _give_back(contact: Contact) -> None:
    contact.leased_until = contact.lookup = contact.claimed_touch = None
    contact.save(
        update_fields=[
            "email", "wanted_email", "moving_to", "refused_email", "touched_at", "settled_at",
            "verify", "not_before", "attempts", "cause", "leased_until", "lookup", "claimed_touch",
            "token", *PROBLEM_FIELDS,
        ]
    )  # fmt: skip


def postpone(lease: Lease, error: BasketError) -> None:
    """
    Give a contact back after a failure, to be tried again later.

    After ``BASKET_MAX_ATTEMPTS`` of them it is parked, and waits for an admin or a new change.

    :raises LeaseLost: when somebody else has the lease; nothing is written then.
    """
    with holding(lease) as contact:
        label = label_of(error)
        first = contact.error != label
        contact.attempts += 1
        show_problem(contact, label, getattr(error, "code", None))
        contact.not_before = timezone.now() + waiting_time(contact.attempts, error)
        contact.leased_until = contact.lookup = None
        if contact.attempts >= conf.MAX_ATTEMPTS:
            contact.parked_at = timezone.now()
            fail_items(contact, label)
            note(contact, Event.Kind.PARKED, error_code=contact.error_code, outcome=label)
        elif first:
            note(contact, Event.Kind.POSTPONED, error_code=contact.error_code, outcome=label)
        contact.save(
            update_fields=[
                "attempts", "not_before", "leased_until", "lookup", "parked_at", *PROBLEM_FIELDS,
            ]
        )  # fmt: skip
