"""The three steps of carrying a share of contacts to Basket: look up, subscribe, unsubscribe."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from mozillians_basket.client import breaker, calls, transport
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketSwitchedOff,
    BreakerOpen,
    NewsletterNotFound,
    StepFailed,
)
from mozillians_basket.ledger import decisions, history, queue, share
from mozillians_basket.ledger.share import Context, locked_share, write
from mozillians_basket.models import Contact, Event, Status, Subscription, alias
from mozillians_basket.rules import answers, evaluate
from mozillians_basket.rules.answers import Answer, Kind, Lookup, Person
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.rules.plan import plan, settle
from mozillians_basket.rules.rows import Rows
from mozillians_basket.site import get_site

Results = Mapping[int, Any]
"""The result of each contact's call: a value, or a ``BasketError``."""


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

    made_room: bool = False
    """Whether orders of bulk requests were settled, so that more of them can begin."""


def look_up(task_id: str = "") -> Outcome:
    """Claim a share of what is due, look it up, and say which steps it needs."""
    status = Status.read()
    status.check_member_model()
    if status.is_open:
        urgent = list(queue.due().values_list("pk", flat=True)[: conf.SHARE_SIZE])
        status.probe_contact = probe = breaker.take_probe(urgent)
        lease, contacts, _more = queue.claim(1, [] if probe is None else [probe])
        more = False
    else:
        lease, contacts, more = queue.claim(conf.SHARE_SIZE)
    if not contacts:
        return Outcome(more=more)
    with guarded(lease):
        began_at = timezone.now()
        found = _call(calls.look_up, {contact.pk: (contact.email,) for contact in contacts}, status)
        not_there = []  # contacts where a lookup shows nobody, or another person than theirs
        for contact in contacts:
            person = found[contact.pk]
            token = person.token if isinstance(person, Person) else ""
            if contact.token and token != contact.token and not isinstance(person, BasketError):
                not_there.append(contact)
        by_token = _call(calls.look_up_token, _tokens(not_there), status) if not_there else {}
        for contact in not_there:  # a person who came back between the calls has the address again
            person = by_token.get(contact.pk)
            if isinstance(person, Person) and contact_key(person.email) == contact.key:
                found[contact.pk] = by_token.pop(contact.pk)
        renaming = [contact for contact in contacts if contact.renamed_people]
        renamed, failures = _look_up_renamed(renaming, status) if renaming else ({}, {})
        failures |= {pk: r for pk, r in by_token.items() if isinstance(r, BasketError)}
        results = found | failures
        status = breaker.note("lookup", results, status)
        elsewhere = _with_members_elsewhere(by_token) if by_token else set()

        with transaction.atomic(using=alias()):
            moving = any(contact.is_moving for contact in contacts)
            before, ids = locked_share(lease, status, [*results], moving=moving)
            retried = [pk for pk in ids if before.contacts[pk].retry]
            rows = evaluate.retry(before, retried) if retried else before
            lookups, failed = {}, {}
            for pk in ids:
                if isinstance(results[pk], BasketError):
                    failed[pk] = _answer(rows, pk, results[pk], status)
                else:
                    others = pk in elsewhere, renamed.get(pk, {})
                    lookups[pk] = Lookup(began_at, found[pk], by_token.get(pk), *others)
            rows = answers.apply_lookups(rows, lookups)
            if failed:
                rows = answers.fail_lookups(rows, failed, began_at)
            plans = [plan(rows, pk) for pk in lookups]
            steps = [Step.SUBSCRIBE] if any(todo.subscribe for todo in plans) else []
            # After an arrival at a new address the old one can be cleared.
            if any(todo.unsubscribe for todo in plans) or (steps and rows.moves):
                steps.append(Step.UNSUBSCRIBE)
            refused = [pk for pk, answer in failed.items() if answer.kind == Kind.REFUSED]
            settled = refused if steps else [*lookups, *refused]
            rows, made_room = _ended(before, rows, settled, failed)
            write(before, rows, Context(task_id=task_id))
        if not steps and len(refused) == len(failed):
            breaker.note_settled(status, ids)
        more = _is_more_due(rows, results, more=more)
        return Outcome(lease if steps else "", tuple(steps), more, made_room)


def make_calls(step: Step, lease: str, *, last: bool, task_id: str = "") -> Outcome:
    """
    Subscribe or unsubscribe the contacts of a share, judged by what is wanted now.

    The last step of a share settles its contacts.
    """
    status = Status.read()
    with transaction.atomic(using=alias()):
        before, ids = locked_share(lease, status)
        plans = {pk: plan(before, pk) for pk in ids}
        renamed = {pk: todo.renamed for pk, todo in plans.items() if todo.renamed}
        if step == Step.SUBSCRIBE:
            names = {pk: todo.subscribe for pk, todo in plans.items() if todo.subscribe}
            rows = answers.begin_subscribe(before, names)
        else:
            names = {pk: todo.unsubscribe for pk, todo in plans.items() if todo.unsubscribe}
            rows = answers.begin_unsubscribe(before, names, renamed)
        lease = queue.renew(lease, [rows.contacts[pk] for pk in ids], rows.now)
        write(before, rows)
    if not ids:  # another worker, or another delivery of this message, has them
        return Outcome()
    contacts = rows.contacts
    if step == Step.SUBSCRIBE:
        newest = {pk: plans[pk].fields_of for pk in names}
        keys = {pk: rows.members[m].site_member_id for pk, m in newest.items() if m is not None}
        fields = get_site().fields_of({key for key in keys.values() if key is not None})
        jobs = {pk: (contacts[pk].email, names[pk], fields.get(keys.get(pk), {})) for pk in names}
        results = _call(calls.subscribe, jobs, status)
    else:
        tokens = {pk: renamed.get(pk) or contacts[pk].token for pk in names}
        results = _call(calls.unsubscribe, {pk: (tokens[pk], names[pk]) for pk in names}, status)
    status = breaker.note(step, results, status)
    unknown = [pk for pk, r in results.items() if isinstance(r, NewsletterNotFound)]
    if unknown:
        breaker.pause_unknown_newsletters({name for pk in unknown for name in names[pk]})
        status = Status.read()

    with transaction.atomic(using=alias()):
        # Only keyless members may be written about: a settled one is removed.
        keyless = any(not member.key for member in before.members.values())
        moving = bool(before.moves)
        begun, ids = locked_share(lease, status, ids, lock_members=keyless, moving=moving)
        replies = {
            pk: (names[pk], _answer(begun, pk, results[pk], status, names[pk]))
            for pk in ids
            if pk in names
        }
        if step == Step.SUBSCRIBE:
            rows = answers.end_subscribe(begun, before, replies)
            kind = Event.Kind.SUBSCRIBED
        else:
            rows = answers.end_unsubscribe(begun, before, replies, renamed)
            kind = Event.Kind.UNSUBSCRIBED
        events = [
            history.called(rows, kind, pk, names[pk], task_id)
            for pk, (_names, answer) in replies.items()
            if answer.kind == Kind.DONE
        ]
        waiting = [pk for pk, (_names, answer) in replies.items() if answer.wait is not None]
        going_on = [pk for pk in ids if pk not in waiting]
        rows, made_room = _ended(begun, rows, going_on if last else [], waiting)
        write(begun, rows, Context(task_id=task_id), events)
    if last and all(answer.kind != Kind.NOT_DONE for _names, answer in replies.values()):
        breaker.note_settled(status, ids)
    lease = "" if last or not going_on else lease
    more = _is_more_due(rows, results)
    return Outcome(lease, more=more, made_room=made_room)


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
        with suppress(DatabaseError):
            queue.release(lease)
        raise
    except Exception as error:  # noqa: BLE001 - it is logged by its class and place
        failure = transport.unexpected(error)
    if failure:
        queue.fail(lease)
        raise failure from None


def _call(
    function: Callable[..., Any], jobs: Mapping[int, tuple[Any, ...]], status: Status
) -> dict[int, Any]:
    """Call Basket once per contact, side by side; only for the probe while the breaker is open."""
    allowed = [pk for pk in jobs if not status.is_open or pk == status.probe_contact]
    results = transport.fan_out(function, [jobs[pk] for pk in allowed])
    return {pk: BreakerOpen() for pk in jobs} | dict(zip(allowed, results, strict=True))


def _tokens(contacts: Collection[Contact]) -> dict[int, tuple[str]]:
    """List the tokens that must be looked up too, of contacts where Basket has nobody."""
    found = defaultdict(list)
    for row in Subscription.objects.filter(contact__in=contacts):
        found[row.contact_id].append(row)
    return {c.pk: (c.token,) for c in contacts if answers.ask_by_token(c, found[c.pk])}


def _look_up_renamed(
    contacts: Collection[Contact], status: Status
) -> tuple[dict[int, dict[str, frozenset[str] | None]], dict[int, BasketError]]:
    """
    Look up the people who were renamed earlier, by token, for ``Lookup.renamed``.

    Also returns an error for each contact of whose people one could not be looked up.
    """
    found: dict[int, dict[str, frozenset[str] | None]] = defaultdict(dict)
    failures: dict[int, BasketError] = {}
    left = {contact.pk: [*contact.renamed_people] for contact in contacts}
    while left := {pk: tokens for pk, tokens in left.items() if tokens}:
        shown = _call(calls.look_up_token, {pk: (left[pk][-1],) for pk in left}, status)
        elsewhere = _with_members_elsewhere(shown)
        for pk, result in shown.items():
            token = left[pk].pop()
            if isinstance(result, BasketError):
                failures[pk] = result
            elif result is None:
                found[pk][token] = None
            else:
                found[pk][token] = frozenset() if pk in elsewhere else result.newsletters
    return found, failures


def _with_members_elsewhere(by_token: Results) -> set[int]:
    """Name the contacts whose person now has the address of another contact with members."""
    keys = {pk: contact_key(p.email) for pk, p in by_token.items() if isinstance(p, Person)}
    if not keys:
        return set()
    rows = Contact.objects.filter(key__in=keys.values(), members__isnull=False)
    inhabited = set(rows.values_list("key", flat=True))
    return {pk for pk, key in keys.items() if key in inhabited}


def _answer(
    rows: Rows, pk: int, result: Any, status: Status, names: frozenset[str] = frozenset()
) -> Answer:
    """Translate the result of a call for the rules; an outage uses up no contact's attempts."""
    if not isinstance(result, BasketError):
        return Answer(Kind.DONE, token=result or "")
    attempts = rows.contacts[pk].attempts
    answer = breaker.answer_of(result, attempts)
    if isinstance(result, NewsletterNotFound) and names.isdisjoint(status.unknown):
        # The catalogue does not tell which one it is, and nothing else would change at once.
        return replace(answer, code="9", wait=breaker.waiting_time(attempts + 1, result))
    outage = status.is_open and answer.kind == Kind.UNCLEAR  # a rate limit is none
    return replace(answer, wait=None) if outage else answer


def _ended(
    before: Rows, rows: Rows, settled: list[int], waiting: Iterable[int]
) -> tuple[Rows, bool]:
    """
    End the sync of some contacts, and the bulk orders of those that are settled.

    Returns the rows, and whether there were any such orders.

    :param waiting: contacts that are not settled: they failed.
    """
    made_room = False
    if settled:
        rows, erased = settle(rows, settled)
        if erased:
            share.suppress(erased, before)
        made_room = decisions.close_items(rows, settled)
    for pk in {*settled, *waiting} & rows.contacts.keys():
        rows.contacts[pk].lease, rows.contacts[pk].leased_until = "", None
    return rows, made_room


def _is_more_due(rows: Rows, results: Results, *, more: bool = False) -> bool:
    """
    Whether a contact of the rows is due at once, and another attempt could help.

    :param more: whether others are due.
    """
    if any(isinstance(result, BasketSwitchedOff | BreakerOpen) for result in results.values()):
        return False
    return more or any(
        contact.touched_at
        and not contact.parked
        and not contact.lease
        and (contact.not_before is None or contact.not_before <= rows.now)
        for contact in rows.contacts.values()
    )
