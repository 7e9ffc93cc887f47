"""The three steps of carrying a share of contacts to Basket: look up, subscribe, unsubscribe."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextlib import suppress as ignored
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from mozillians_basket.client import breaker, calls
from mozillians_basket.client.transport import unexpected
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketSwitchedOff,
    BreakerOpen,
    NewsletterNotFound,
    StepFailed,
)
from mozillians_basket.ledger import decisions, history, queue
from mozillians_basket.ledger.share import (
    Context,
    alias,
    empty_rows,
    locked_share,
    suppress,
    write,
)
from mozillians_basket.models import Contact, Event, Status, Subscription
from mozillians_basket.rules import answers, evaluate
from mozillians_basket.rules.answers import Answer, Kind, Lookup, Person
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.rules.plan import plan, settle
from mozillians_basket.rules.rows import Rows
from mozillians_basket.site import get_site


class Step(StrEnum):
    """A call that a share needs, in the order in which they are made: new first, old second."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The work that a step leaves."""

    lease: str = ""
    """The lease of the contacts that the next step goes on with; empty if there are none."""

    steps: tuple[Step, ...] = ()
    more: bool = False
    """Whether more contacts are due at once."""


def look_up(task_id: str = "") -> Outcome:
    """Claim a share of what is due, look it up, and say which steps it needs."""
    lease, ids, more = _claim()
    if not ids:
        return Outcome(more=more)
    with guarded(lease):
        return _look_up(lease, ids, task_id, more=more)


def _look_up(lease: str, ids: list[int], task_id: str, *, more: bool) -> Outcome:
    began_at = timezone.now()
    contacts = Contact.objects.using(alias()).in_bulk(ids)
    found = _called(calls.look_up, {pk: (contacts[pk].email,) for pk in ids})
    tokens = _known_tokens([contacts[pk] for pk, person in found.items() if person is None])
    by_token = _called(calls.look_up_token, tokens)
    errors = _errors(found) | _errors(by_token)
    outage = breaker.note("lookup", {pk: errors.get(pk) for pk in ids})

    with transaction.atomic(using=alias()):
        before, ids = locked_share(lease)
        rows = evaluate.retry(before, [pk for pk in ids if before.contacts[pk].retry])
        for pk in ids:
            rows.contacts[pk].retry = False
        failed = _answers(rows, {pk: errors[pk] for pk in ids if pk in errors}, outage=outage)
        inhabited = _with_members([p for p in by_token.values() if isinstance(p, Person)])
        lookups = {
            pk: Lookup(
                began_at, found[pk], by_token.get(pk), elsewhere=_key(by_token.get(pk)) in inhabited
            )
            for pk in ids
            if pk not in failed
        }
        rows = answers.apply_lookups(rows, lookups)
        rows = answers.fail_lookups(rows, failed, began_at)
        refused = [pk for pk in failed if failed[pk].kind == Kind.REFUSED]
        steps = _steps(rows, lookups)
        _release(rows, failed)
        rows = _settled(before, rows, refused if steps else [*lookups, *refused])
        write(before, rows, Context(task_id=task_id))
    if not steps:
        _close_breaker(ids)
    more = not _stopped(errors) and (more or _due_at_once(rows))
    return Outcome(lease if steps else "", steps, more=more)


def subscribe(lease: str, *, last: bool, task_id: str = "") -> Outcome:
    """Subscribe the contacts of a share to what they lack, judged by what is wanted now."""
    with transaction.atomic(using=alias()):
        before, ids = locked_share(lease)
        plans = {pk: plan(before, pk) for pk in ids}
        names = {pk: todo.subscribe for pk, todo in plans.items() if todo.subscribe}
        rows = answers.begin_subscribe(before, names)
        lease = _renew(rows, ids, lease)
        write(before, rows)
    if not ids:  # another worker, or another delivery of this message, has them
        return Outcome()
    fields = _fields(rows, {pk: plans[pk].fields_of for pk in names})
    arguments = {pk: (rows.contacts[pk].email, names[pk], fields[pk]) for pk in names}
    results = _called(calls.subscribe, arguments)
    outage = breaker.note("subscribe", {pk: _error(result) for pk, result in results.items()})
    unknown = _pause_unknown(results, names)

    with transaction.atomic(using=alias()):
        begun, ids = locked_share(lease)
        replies = _replies(begun, names, results, ids, unknown, outage=outage)
        rows = answers.end_subscribe(begun, before, replies)
        done = {pk: n for pk, (n, answer) in replies.items() if answer.token}
        events = [history.called(rows, Event.Kind.SUBSCRIBED, pk, done[pk], task_id) for pk in done]
        waiting = [pk for pk, (_names, answer) in replies.items() if answer.wait is not None]
        going_on = [pk for pk in ids if pk not in waiting]
        _release(rows, waiting)
        if last:
            rows = _settled(begun, rows, going_on)
        write(begun, rows, Context(task_id=task_id), events)
    if last:
        _close_breaker(ids)
    more = not _stopped(results) and _due_at_once(rows)
    return Outcome("" if last or not going_on else lease, more=more)


def unsubscribe(lease: str, *, task_id: str = "") -> Outcome:
    """Unsubscribe the contacts of a share from what they should not have, and settle them."""
    with transaction.atomic(using=alias()):
        before, ids = locked_share(lease)
        plans = {pk: plan(before, pk) for pk in ids}
        names = {pk: todo.unsubscribe for pk, todo in plans.items() if todo.unsubscribe}
        rows = answers.begin_unsubscribe(before, names)
        lease = _renew(rows, ids, lease)
        write(before, rows)
    if not ids:
        return Outcome()
    arguments = {pk: (rows.contacts[pk].token, names[pk]) for pk in names}
    results = _called(calls.unsubscribe, arguments)
    outage = breaker.note("unsubscribe", {pk: _error(result) for pk, result in results.items()})
    unknown = _pause_unknown(results, names)

    with transaction.atomic(using=alias()):
        begun, ids = locked_share(lease)
        replies = _replies(begun, names, results, ids, unknown, outage=outage)
        rows = answers.end_unsubscribe(begun, before, replies)
        done = {pk: n for pk, (n, answer) in replies.items() if answer.kind == Kind.DONE}
        events = [
            history.called(rows, Event.Kind.UNSUBSCRIBED, pk, done[pk], task_id) for pk in done
        ]
        waiting = [pk for pk, (_names, answer) in replies.items() if answer.wait is not None]
        _release(rows, waiting)
        rows = _settled(begun, rows, [pk for pk in ids if pk not in waiting])
        write(begun, rows, Context(task_id=task_id), events)
    _close_breaker(ids)
    return Outcome(more=not _stopped(results) and _due_at_once(rows))


@contextmanager
def guarded(lease: str) -> Iterator[None]:
    """
    Give a share back, due, when a step breaks.

    A database that is away is no failure of the contacts.

    :raises StepFailed: in place of an error whose text may quote somebody's address.
    """
    failure: StepFailed | None = None
    try:
        yield
    except (OperationalError, InterfaceError):
        with ignored(DatabaseError):
            queue.release(lease)
        raise
    except Exception as error:  # noqa: BLE001 - it is logged by its class and place
        failure = unexpected(error)
    if failure:
        queue.fail(lease)
        raise failure from None


def _claim() -> tuple[str, list[int], bool]:
    """Claim a share, or while the breaker is open its probe; tell whether more is due."""
    if breaker.is_open(Status.read()):
        urgent = list(queue.due().values_list("pk", flat=True)[: conf.SHARE_SIZE])
        probe = breaker.take_probe(urgent)
        if probe is None:
            return "", [], False
        lease, ids, _more = queue.claim(1, [probe])
        return lease, ids, False
    return queue.claim(conf.SHARE_SIZE)


def _called(
    function: Callable[..., Any], arguments: Mapping[int, tuple[Any, ...]]
) -> dict[int, Any]:
    """Call Basket once per contact, side by side; only for the probe while the breaker is open."""
    if not arguments:
        return {}
    allowed = breaker.may_call(Status.read(), arguments)
    results = calls.fan_out(function, [arguments[pk] for pk in arguments if pk in allowed])
    found = dict(zip([pk for pk in arguments if pk in allowed], results, strict=True))
    return {pk: found[pk] if pk in found else BreakerOpen() for pk in arguments}


def _known_tokens(contacts: Iterable[Contact]) -> dict[int, tuple[str]]:
    """List the tokens of known contacts under whose address Basket has nobody."""
    known = {contact.pk: contact for contact in contacts if contact.token}
    if not known:
        return {}
    rows = empty_rows()
    rows.contacts = known
    found = Subscription.objects.using(alias()).filter(contact__in=list(known))
    rows.subscriptions = {(row.contact_id, row.newsletter): row for row in found}
    return {pk: (known[pk].token,) for pk in known if answers.ask_by_token(rows, pk, None)}


def _with_members(people: Iterable[Person]) -> set[str]:
    """Return the keys of those people's addresses that are contacts with members."""
    keys = {contact_key(person.email) for person in people}
    if not keys:
        return set()
    rows = Contact.objects.using(alias()).filter(key__in=keys, members__isnull=False)
    return set(rows.values_list("key", flat=True))


def _key(person: Person | None) -> str:
    return contact_key(person.email) if person else ""


def _steps(rows: Rows, ids: Iterable[int]) -> tuple[Step, ...]:
    """Name the steps of a share; after an arrival at a new address the old one can be cleared."""
    plans = [plan(rows, pk) for pk in ids]
    steps = []
    if any(todo.subscribe for todo in plans):
        steps.append(Step.SUBSCRIBE)
    if any(todo.unsubscribe for todo in plans) or (steps and rows.moves):
        steps.append(Step.UNSUBSCRIBE)
    return tuple(steps)


def _settled(before: Rows, rows: Rows, ids: list[int]) -> Rows:
    """End the sync of these contacts, and the orders that it carried out."""
    rows, erased = settle(rows, ids)
    suppress(erased, before)
    _release(rows, [pk for pk in ids if pk in rows.contacts])
    decisions.close_items(rows, ids)
    return rows


def _release(rows: Rows, ids: Iterable[int]) -> None:
    for pk in ids:
        rows.contacts[pk].lease, rows.contacts[pk].leased_until = "", None


def _renew(rows: Rows, ids: Iterable[int], lease: str) -> str:
    """Put a share under the lease of its next step."""
    lease = queue.renewed(lease)
    for pk in ids:
        contact = rows.contacts[pk]
        contact.lease, contact.leased_until = lease, queue.end_of_lease(rows.now)
    return lease


def _close_breaker(ids: list[int]) -> None:
    """Close the breaker if this was its probe, and it got through all its steps."""
    if len(ids) == 1 and breaker.is_open(Status.read()):
        breaker.note_settled(ids[0])


def _fields(rows: Rows, members: Mapping[int, int | None]) -> dict[int, dict[str, str]]:
    """Read the ``fields`` sent at subscribe: those of the member whose decision is newest."""
    keys = {pk: rows.members[m].site_member_id for pk, m in members.items() if m is not None}
    known = get_site().fields_of({key for key in keys.values() if key is not None})
    return {pk: known.get(keys.get(pk), {}) for pk in members}


def _error(result: Any) -> BasketError | None:
    return result if isinstance(result, BasketError) else None


def _errors(results: Mapping[int, Any]) -> dict[int, BasketError]:
    return {pk: result for pk, result in results.items() if isinstance(result, BasketError)}


def _answers(rows: Rows, errors: Mapping[int, BasketError], *, outage: bool) -> dict[int, Answer]:
    """Translate errors for the rules; an outage uses up no contact's attempts."""
    found = {pk: breaker.answer_of(e, rows.contacts[pk].attempts) for pk, e in errors.items()}
    return {pk: replace(answer, wait=None) if outage else answer for pk, answer in found.items()}


def _pause_unknown(
    results: Mapping[int, Any], names: Mapping[int, frozenset[str]]
) -> frozenset[str]:
    """Pause the newsletters that Basket does not know, after a code 9; return them."""
    refused = [pk for pk, result in results.items() if isinstance(result, NewsletterNotFound)]
    asked = {name for pk in refused for name in names[pk]}
    return breaker.note_unknown_newsletters(asked) if asked else frozenset()


def _replies(
    rows: Rows,
    names: Mapping[int, frozenset[str]],
    results: Mapping[int, Any],
    ids: Iterable[int],
    unknown: frozenset[str],
    *,
    outage: bool,
) -> dict[int, tuple[frozenset[str], Answer]]:
    """Pair newsletters and answers, for the contacts that are still under the lease."""
    failed = _answers(
        rows, {pk: e for pk, e in _errors(results).items() if pk in rows.contacts}, outage=outage
    )
    replies = {}
    for pk in ids:
        if pk not in names:
            continue
        answer = failed.get(pk) or Answer(Kind.DONE, token=str(results[pk] or ""))
        if isinstance(results[pk], NewsletterNotFound) and unknown.isdisjoint(names[pk]):
            wait = breaker.waiting_time(rows.contacts[pk].attempts + 1, results[pk])
            answer = replace(answer, code="9", wait=wait)  # nothing else would change at once
        replies[pk] = names[pk], answer
    return replies


def _stopped(results: Mapping[int, Any]) -> bool:
    """Whether calls were not made, so that another attempt at once would not help."""
    return any(isinstance(r, BasketSwitchedOff | BreakerOpen) for r in results.values())


def _due_at_once(rows: Rows) -> bool:
    return any(
        contact.touched_at
        and not contact.parked
        and not contact.lease
        and (contact.not_before is None or contact.not_before <= rows.now)
        for contact in rows.contacts.values()
    )
