"""Take over into a contact's lines what a lookup shows of them."""

from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from mozillians_basket.ledger.sheets import Sheet
from mozillians_basket.models import Event, Pulse, Subscription
from mozillians_basket.plan import NOTHING, Lookup, Plan
from mozillians_basket.states import HELD, Decider, State

#: The cause of a lookup that only asks whether Basket still agrees.
VERIFICATION = "verification"


def before_arrival(todo: Plan) -> Plan:
    """
    What a plan says of the old address.

    A state that holds at the new one, written down too early, would pass for a
    state at the old one should the address change again.
    """
    left = [name for name, state in todo.states.items() if state == State.OPTED_OUT]
    return replace(todo, states=dict.fromkeys(left, State.OPTED_OUT), returned=NOTHING)


def show(sheet: Sheet, todo: Plan, lookup: Lookup) -> None:
    """Take over what a plan knows of the contact's lines, going by a lookup."""
    lines, now = sheet.lines, timezone.now()
    left = {
        name
        for name, state in todo.states.items()
        if state == State.OPTED_OUT and lines[name].state != State.OPTED_OUT
    }
    withheld = _withheld(sheet, lookup, {lines[name] for name in left})
    shown = [lines[name] for name in {*todo.states, *todo.removed, *todo.returned}]
    for line in shown:
        if line.newsletter in withheld:
            line.missing_at = line.missing_at or now
        else:
            _show(line, todo, now)
    if left and lookup.renamed:
        sheet.note(Event.Kind.RENAMED, left)
    if left - withheld:
        sheet.note(Event.Kind.OPTED_OUT, left - withheld)
    if todo.returned:
        sheet.note(Event.Kind.RETURNED, todo.returned)


def _withheld(sheet: Sheet, lookup: Lookup, left: set[Subscription]) -> set[str]:
    """
    Newsletters that are gone without a word, and not to be taken for a choice yet.

    What a verification finds gone is only marked: if it is much at once it is a
    fault. While one is being looked into, the same goes for all lookups.
    """
    people = (lookup.current, lookup.new)
    if lookup.renamed or any(person is not None and person.opted_out for person in people):
        return set()
    gone = {line.newsletter for line in left if line.state in HELD}
    if gone and (sheet.contact.cause == VERIFICATION or Pulse.now().losing_since is not None):
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
