"""The steps of carrying one contact to Basket: look up, subscribe, unsubscribe, settle."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from basket import errors

from mozillians_basket import breaker, client, ledger
from mozillians_basket.addresses import same_address
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketRefused,
    BasketSwitchedOff,
    BasketUnavailable,
    BreakerOpen,
    LeaseLost,
    StepFailed,
)
from mozillians_basket.ledger import Sheet
from mozillians_basket.models import Contact
from mozillians_basket.plan import Account, Lookup, Person, Plan, differs
from mozillians_basket.states import HELD


class Step(StrEnum):
    """A call that a plan needs, in the order in which they are made: new first, old second."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


class Superseded(Exception):
    """What is wanted changed in a way that the lookup does not cover: begin again."""


@contextmanager
def guarded(sheet: Sheet) -> Iterator[None]:
    """
    Give the contact back, due, when a step does not get through.

    A failure that was foreseen ends here. Others are raised again as
    :class:`StepFailed`, which says where, but quotes nothing.
    """
    failure: BasketError
    try:
        yield
        return
    except LeaseLost:
        return
    except (Superseded, BasketSwitchedOff):
        ledger.release(sheet.lease)
        return
    except BreakerOpen as stop:
        ledger.release(sheet.lease, stop.because)
        return
    except BasketError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - its text may quote a person's address
        failure = StepFailed(_place_of(error))
    try:
        ledger.postpone(sheet, failure)
    except LeaseLost:
        return
    if isinstance(failure, StepFailed):
        raise failure from None


@contextmanager
def _calling(sheet: Sheet, call: str) -> Iterator[None]:
    """
    Around each call to Basket: ask the breaker before, tell it how it went after.

    The sheet knows whether there was any trouble when it was read, a moment ago.

    :raises BreakerOpen: when this call may not be made, or its failure opened the breaker.
    """
    contact_id = sheet.lease.contact_id
    pulse = breaker.enter(contact_id) if sheet.troubled else None
    failure: BasketError
    try:
        yield
    except BasketRefused:
        breaker.note_success(pulse, call)
        raise
    except (BasketUnavailable, BasketMisconfigured) as error:
        failure = error
    else:
        breaker.note_success(pulse, call)
        return
    sheet.troubled = True
    if breaker.note_failure(failure, call, contact_id):
        raise BreakerOpen(failure)
    raise failure


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__module__}.{type(error).__qualname__}{place}"


def look_up(sheet: Sheet) -> list[Step]:
    """
    Ask Basket who it has, write down what that shows, and say which calls must follow.

    Nothing is asked when the ledger shows no difference and nobody wants it
    verified. When nothing must follow, the contact is settled.

    :raises Superseded: begin again.
    :raises BasketError: any of its subclasses.
    """
    contact = sheet.take().contact
    account = sheet.account
    if contact.moving_to and not same_address(contact.moving_to, ledger.target_of(account)):
        ledger.leave_behind(sheet)
        contact, account = sheet.contact, sheet.account
    if not differs(account) and not contact.verify:
        ledger.settle(sheet)
        return []
    current = _person_at(sheet, account.email) if account.email else None
    carry = account.moving and (
        any(line.wanted for line in account.lines)
        or (current is not None and bool(current.newsletters & account.ours))
    )
    new = _person_at(sheet, account.wanted_email) if carry else None
    lookup = Lookup(
        target=ledger.target_of(account),
        current=current,
        new=new,
        asked_for_new=carry,
        renamed=current is None and _is_elsewhere(sheet, contact, account),
    )
    todo = ledger.record_lookup(sheet, lookup)
    if todo is None:
        raise Superseded
    steps = []
    if todo.subscribe:
        steps.append(Step.SUBSCRIBE)
    if todo.unsubscribe:
        steps.append(Step.UNSUBSCRIBE)
    return steps


def _is_elsewhere(sheet: Sheet, contact: Contact, account: Account) -> bool:
    """Whether somebody who is gone from their address changed it at Basket."""
    if not contact.token or not any(line.state in HELD for line in account.lines):
        return False
    with _calling(sheet, "lookup"):
        return client.knows(contact.token)


def _person_at(sheet: Sheet, email: str) -> Person | None:
    """
    Look one address up. An address that Basket does not take for one has nobody.

    :raises Superseded: after writing that down, when it is the address to move to.
    """
    try:
        with _calling(sheet, "lookup"):
            return client.look_up(email)
    except BasketRefused as error:
        if error.code != errors.BASKET_INVALID_EMAIL:
            raise
        refusal = error.code
    if ledger.record_refusal(sheet, refusal, address=email, nobody=True):
        raise Superseded
    return None


def subscribe(sheet: Sheet) -> bool:
    """
    Subscribe the target address to what it is still to get, in one call.

    When nothing must follow, the contact is settled.

    :return: whether an unsubscribe must follow.
    :raises Superseded: begin again.
    :raises BasketError: any of its subclasses.
    """
    sheet.take(noted=True)

    def begin() -> tuple[Account, Lookup, Plan]:
        account, lookup, todo = _whats_left(sheet)
        if todo.subscribe:
            ledger.note_request(sheet, lookup, todo.subscribe)
        else:
            sheet.contact.asked = None
            if not todo.unsubscribe:
                ledger.close(sheet, lookup)
        return account, lookup, todo

    account, lookup, todo = sheet.change(begin, calls=True)
    if not todo.subscribe:
        return bool(todo.unsubscribe)
    try:
        with _calling(sheet, Step.SUBSCRIBE):
            token = client.subscribe(lookup.target, todo.subscribe)
    except BasketRefused as error:
        refusal = error.code
    else:
        return ledger.record_subscribed(sheet, lookup, todo.subscribe, token, moving=account.moving)
    ledger.record_refusal(sheet, refusal, address=lookup.target)
    raise Superseded


def unsubscribe(sheet: Sheet) -> bool:
    """
    Unsubscribe the current address from what it is not to have any more, in one call, and settle.

    :return: false: nothing follows.
    :raises Superseded: begin again.
    :raises BasketError: any of its subclasses.
    """
    sheet.take()

    def begin() -> tuple[Lookup, Plan]:
        account, lookup, todo = _whats_left(sheet)
        if account.moving and todo.subscribe:
            raise Superseded  # new first, old second
        if todo.unsubscribe and lookup.current is not None:
            ledger.note_removal(sheet, todo.unsubscribe)
        else:
            ledger.close(sheet, lookup)
        return lookup, todo

    lookup, todo = sheet.change(begin, calls=True)
    if todo.unsubscribe and lookup.current is not None:
        with _calling(sheet, Step.UNSUBSCRIBE):
            client.unsubscribe(lookup.current, todo.unsubscribe)
        ledger.record_unsubscribed(sheet, lookup, todo.unsubscribe)
    return False


def _whats_left(sheet: Sheet) -> tuple[Account, Lookup, Plan]:
    """
    What is wanted of the contact *now*, and what is left to send of that.

    :raises Superseded: when the lookup does not cover what is wanted now.
    """
    account, lookup = sheet.account, sheet.looked_up
    todo = sheet.plan(lookup, account) if lookup else None
    if lookup is None or todo is None:
        raise Superseded
    return account, lookup, todo
