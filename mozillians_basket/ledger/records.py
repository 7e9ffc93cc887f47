"""Write down what Basket answered and did, each time under the contact's lease."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from celery import current_task
from django.utils import timezone

from mozillians_basket.addresses import same_address
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import LeaseLost
from mozillians_basket.ledger.accounts import account_of, current_plan
from mozillians_basket.ledger.evaluation import later_than
from mozillians_basket.ledger.leases import Lease, holding
from mozillians_basket.ledger.problems import PROBLEM_FIELDS, show_problem
from mozillians_basket.models import Contact, Event, Pulse, Subscription
from mozillians_basket.plan import NOTHING, Account, Lookup, Plan
from mozillians_basket.states import HELD, Decider, State

#: The cause of a lookup that only asks whether Basket still agrees.
VERIFICATION = "verification"

SHOWN_FIELDS = [
    "state", "wanted", "decided_by", "decided_at", "confirmed_at", "verified_at", "removed_at",
    "despite_opt_out", "error_code", "missing_at",
]  # fmt: skip


def note(
    contact: Contact, kind: Event.Kind, newsletters: Iterable[str] = (), **more: object
) -> None:
    """Add to a contact's history."""
    request = current_task.request if current_task else None
    Event.objects.create(
        contact=contact,
        kind=kind,
        newsletters=sorted(newsletters),
        cause=contact.cause,
        task_id=(request and request.id) or "",
        **more,
    )


def open_contact(lease: Lease) -> tuple[Contact, Account]:
    """
    The contact and what is wanted for it now.

    :raises LeaseLost: when somebody else has the lease.
    """
    contact = Contact.objects.filter(pk=lease.contact_id, lease=lease.serial).first()
    if contact is None:
        raise LeaseLost(lease.contact_id)
    return contact, account_of(contact, contact.subscriptions.all())


def record_lookup(lease: Lease, lookup: Lookup) -> Plan | None:
    """
    Write down what a lookup showed; return what is to be sent, going by what is wanted now.

    ``None`` when the lookup does not fit any more (see ``current_plan``).

    :raises LeaseLost: when somebody else has the lease.
    """
    with holding(lease) as contact:
        lines = {line.newsletter: line for line in contact.subscriptions.all()}
        _notice_removals_for_others(contact, lines)
        account = account_of(contact, lines.values())
        todo = current_plan(contact, account, lookup)
        if todo is None:
            return None
        show(contact, lines, _before_arrival(todo) if account.moving else todo, lookup)
        holder = lookup.new if account.moving else lookup.current
        if holder is not None:
            lines_there = contact.subscriptions.filter(newsletter__in=holder.newsletters)
            lines_there.exclude(requested_at=None).update(requested_at=None)
        contact.lookup, contact.verified_at = lookup.as_json(), timezone.now()
        contact.save(update_fields=["lookup", "verified_at"])
        return todo


def _notice_removals_for_others(contact: Contact, lines: dict[str, Subscription]) -> None:
    """An unsubscribe for somebody who left with this address may still strike who has it now."""
    under_way = Subscription.objects.filter(
        contact__email__iexact=contact.email,
        contact__departed_at__isnull=False,
        newsletter__in=lines,
        removed_at__isnull=False,
    ).exclude(contact=contact)
    for name, removed_at in under_way.values_list("newsletter", "removed_at"):
        lines[name].removed_at = lines[name].removed_at or removed_at


def _before_arrival(todo: Plan) -> Plan:
    """
    What a plan says of the old address.

    A state that holds at the new one, written down too early, would pass for a
    state at the old one should the address change again.
    """
    left = [name for name, state in todo.states.items() if state == State.OPTED_OUT]
    return replace(todo, states=dict.fromkeys(left, State.OPTED_OUT), returned=NOTHING)


def show(contact: Contact, lines: dict[str, Subscription], todo: Plan, lookup: Lookup) -> None:
    """Write down what a plan knows of the lines of a locked contact, going by a lookup."""
    now = timezone.now()
    left = {
        name
        for name, state in todo.states.items()
        if state == State.OPTED_OUT and lines[name].state != State.OPTED_OUT
    }
    withheld = _withheld(contact, lookup, {lines[name] for name in left})
    shown = [lines[name] for name in {*todo.states, *todo.removed, *todo.returned}]
    for line in shown:
        if line.newsletter in withheld:
            line.missing_at = line.missing_at or now
        else:
            _show(line, todo, now)
    Subscription.objects.bulk_update(shown, SHOWN_FIELDS)
    if left and lookup.renamed:
        note(contact, Event.Kind.RENAMED, left)
    if left - withheld:
        note(contact, Event.Kind.OPTED_OUT, left - withheld)
    if todo.returned:
        note(contact, Event.Kind.RETURNED, todo.returned)


def _withheld(contact: Contact, lookup: Lookup, left: set[Subscription]) -> set[str]:
    """
    Newsletters that are gone without a word, and not to be taken for a choice yet.

    What a verification finds gone is only marked: if it is much at once it is a
    fault. While one is being looked into, the same goes for all lookups.
    """
    people = (lookup.current, lookup.new)
    if lookup.renamed or any(person is not None and person.opted_out for person in people):
        return set()
    gone = {line.newsletter for line in left if line.state in HELD}
    if gone and (contact.cause == VERIFICATION or Pulse.now().losing_since is not None):
        return gone
    return set()


def _show(line: Subscription, todo: Plan, now: datetime) -> None:
    """What a lookup shows of one line."""
    if line.newsletter in todo.removed:
        line.removed_at = None
        if line.state in HELD:
            line.state = State.UNSUBSCRIBED  # by this site, or it would pass for an opt-out
    if line.newsletter in todo.returned:
        line.wanted, line.decided_by, line.decided_at = line.entitled, Decider.MEMBER, now
    state = todo.states.get(line.newsletter)
    if state is None:
        return
    if state == State.OPTED_OUT and line.state != State.OPTED_OUT:
        line.wanted, line.decided_by, line.decided_at = False, Decider.MEMBER, now
    if state in HELD:
        line.confirmed_at = line.confirmed_at if line.state in HELD else now
        line.despite_opt_out = False
    if state != State.REFUSED:
        line.error_code = None
    line.state, line.verified_at, line.missing_at = state, now, None


def note_request(
    lease: Lease, lookup: Lookup, newsletters: frozenset[str], *, moving: bool
) -> None:
    """
    Remember, before the call, that the target address may get these, however late.

    A call that nobody answered can be carried out long after it was given up.

    :raises LeaseLost: when somebody else has the lease.
    """
    with holding(lease) as contact:
        if moving and not same_address(contact.moving_to, lookup.target):
            leave_unanswered(contact, contact.email)
            contact.moving_to = lookup.target
            contact.save(update_fields=["moving_to"])
        own = contact.subscriptions.filter(newsletter__in=newsletters)
        own.update(requested_at=timezone.now())


def record_subscribed(
    lease: Lease, lookup: Lookup, newsletters: frozenset[str], token: str, *, moving: bool
) -> None:
    """
    Write down that Basket subscribed the target address to these.

    :raises LeaseLost: when somebody else has the lease.
    """
    with holding(lease) as contact:
        now = timezone.now()
        own = contact.subscriptions.filter(newsletter__in=newsletters)
        own.update(requested_at=None)
        if not moving:
            own.update(
                state=State.SUBSCRIBED,
                confirmed_at=now,
                verified_at=now,
                error_code=None,
                despite_opt_out=False,
            )
        contact.lookup = lookup.after_subscribe(newsletters, token, moving=moving).as_json()
        contact.save(update_fields=["lookup"])
        note(contact, Event.Kind.SUBSCRIBED, newsletters)


def note_removal(lease: Lease, newsletters: frozenset[str]) -> None:
    """
    Remember, before the call, that it is this site that takes these away.

    From all members with this address: Basket knows them as one. None of them
    opted out, and whoever of them wants it by now is looked at again.

    :raises LeaseLost: when somebody else has the lease.
    """
    with holding(lease) as contact:
        now = timezone.now()
        own = contact.subscriptions.filter(newsletter__in=newsletters)
        own.update(state=State.UNKNOWN, removed_at=now)
        others = Contact.objects.filter(
            email__iexact=contact.email,
            subscriptions__newsletter__in=newsletters,
            subscriptions__state__in=HELD,
        ).exclude(pk=contact.pk)
        for other in others.distinct():
            held = other.subscriptions.filter(newsletter__in=newsletters, state__in=HELD)
            held.update(state=State.UNKNOWN, removed_at=now)
            moment = later_than(other.touched_at)
            Contact.objects.filter(pk=other.pk).update(touched_at=moment)


def record_unsubscribed(lease: Lease, lookup: Lookup, newsletters: frozenset[str]) -> None:
    """
    Write down that Basket accepted an unsubscribe of the current address. It only queues them.

    :raises LeaseLost: when somebody else has the lease.
    """
    with holding(lease) as contact:
        contact.subscriptions.filter(newsletter__in=newsletters).update(
            state=State.UNSUBSCRIBED, verified_at=None
        )
        contact.lookup = lookup.after_unsubscribe(newsletters).as_json()
        contact.save(update_fields=["lookup"])
        note(contact, Event.Kind.UNSUBSCRIBED, newsletters)


def record_refusal(lease: Lease, code: int, *, address: str, nobody: bool = False) -> bool:
    """
    Write down that Basket does not accept an address; not tried again until it changes.

    While moving, the old address stays as it is; the new one's refusal is shown.

    :param nobody: the address is none at all, so nothing can be held at it either.
    :return: whether it was the address to move to, so that the plan is another one now.
    :raises LeaseLost: when somebody else has the lease.
    """
    with holding(lease) as contact:
        account = account_of(contact, contact.subscriptions.all())
        to_new = account.moving and same_address(address, contact.wanted_email)
        if account.moving and not to_new:
            return False  # the old address: what counts is the new one
        if to_new:
            contact.refused_email, contact.moving_to = contact.wanted_email, ""
        refused = contact.subscriptions.filter(wanted=True)
        if to_new or not nobody:
            refused = refused.exclude(state__in=HELD)
        names = list(refused.values_list("newsletter", flat=True))
        refused.update(
            state=State.REFUSED, error_code=code, despite_opt_out=False, requested_at=None
        )
        show_problem(contact, "refused", code)
        contact.save(update_fields=["refused_email", "moving_to", *PROBLEM_FIELDS])
        note(contact, Event.Kind.REFUSED, names, error_code=code, outcome="refused")
        return to_new


def leave_behind(lease: Lease) -> None:
    """
    Give an address that a broken-off move may have reached a row of its own, to be cleared.

    :raises LeaseLost: when somebody else has the lease.
    """
    with holding(lease) as contact:
        if not same_address(contact.moving_to, contact.email):
            left = Contact.objects.create(
                email=contact.moving_to, departed_at=timezone.now(), cause="address changed again"
            )
            _hand_over_unanswered(contact, left)
        contact.moving_to = ""
        contact.save(update_fields=["moving_to"])


def look_back(contact: Contact, lines: Iterable[Subscription]) -> None:
    """
    Give the address that a member leaves a row of its own, to see later that it was cleared.

    Basket only queues the removal, and nobody would notice that it was lost.
    """
    now = timezone.now()
    left = Contact.objects.create(
        email=contact.email,
        departed_at=now,
        not_before=now + timedelta(seconds=conf.RECHECK_SECONDS),
        cause="address changed",
    )
    Subscription.objects.bulk_create(
        Subscription(
            contact=left,
            newsletter=line.newsletter,
            state=State.UNSUBSCRIBED,
            removed_at=line.removed_at,
        )
        for line in lines
        if line.removed_at is not None
    )


def leave_unanswered(contact: Contact, email: str) -> None:
    """
    Give an address a row of its own when a subscribe may still reach it, after a move from it.

    Call it with the contact locked.
    """
    if contact.subscriptions.exclude(requested_at=None).exists():
        left = Contact.objects.create(
            email=email, departed_at=timezone.now(), cause="address changed"
        )
        _hand_over_unanswered(contact, left)


def _hand_over_unanswered(contact: Contact, left: Contact) -> None:
    unanswered = contact.subscriptions.exclude(requested_at=None)
    Subscription.objects.bulk_create(
        Subscription(contact=left, newsletter=line.newsletter, requested_at=line.requested_at)
        for line in unanswered
    )
    unanswered.update(requested_at=None)
