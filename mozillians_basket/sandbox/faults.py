"""Faults: which ones are set, which strike a request, and what they do to the stored people."""

import json
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase

from django.core import serializers
from django.db.models import F

from mozillians_basket.sandbox.models import Fault, Newsletter, Person, Snapshot, Subscription
from mozillians_basket.sandbox.resets import resets
from mozillians_basket.sandbox.storage import CachedRows, write_transaction

Kind = Fault.Kind

MAINTENANCE = {Kind.MAINTENANCE, Kind.READ_ONLY_MAINTENANCE}

ACCOMPANYING = {Kind.DELAY, *MAINTENANCE}
"""The kinds that can strike a request together with another fault."""

QUEUED = {Kind.LATE, Kind.DOUBLED}
"""The kinds that strike a change in the queue, and not its request."""

STORE_UNREADABLE = {Kind.STORE_FAILS, Kind.STORE_REFUSES, Kind.STORE_GONE}
STORE_UNWRITABLE = {*STORE_UNREADABLE, Kind.STORE_READ_ONLY}

RACE_SECONDS = 0.1
"""How long a first subscribe is open to another one, unless the fault says otherwise."""

_set = CachedRows(
    Fault, lambda: list(Fault.objects.exclude(remaining=0).exclude(kind__in=Fault.LOSSES))
)
_at_store: ContextVar[Fault | None] = ContextVar("fault_at_store", default=None)


class StoreTrouble(Exception):
    """The store of contacts could not carry out a call. ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


def active() -> list[Fault]:
    """Return the faults that can strike, in the order in which they were set."""
    return _set.get()


def striking(endpoint: str, email: str) -> list[Fault]:
    """
    Return the faults that strike this request, and use each of them once.

    Delays and maintenance strike together with others. Of the rest only the first one strikes.
    """
    struck: list[Fault] = []
    decided = False
    for fault in active():
        decides = fault.kind not in ACCOMPANYING
        if fault.kind in QUEUED or (decides and decided):
            continue
        if _strikes(fault, endpoint, email):
            struck.append(fault)
            decided = decided or decides
    return struck


def striking_queued(endpoint: str, email: str) -> dict[str, Fault]:
    """Return by kind the faults that strike a queued change, and use each of them once."""
    struck: dict[str, Fault] = {}
    for fault in active():
        is_first = fault.kind in QUEUED and fault.kind not in struck
        if is_first and _strikes(fault, endpoint, email):
            struck[fault.kind] = fault
    return struck


def set_fault(fault: Fault) -> None:
    """Set a fault. A loss strikes at once."""
    with write_transaction():
        fault.save()
        if fault.kind in Fault.LOSSES:
            _lose(fault)


def remove(faults: Iterable[Fault]) -> None:
    """Remove faults, the newest first. People and subscriptions that a loss deleted come back."""
    with write_transaction():
        for fault in sorted(faults, key=lambda fault: fault.pk, reverse=True):
            for snapshot in Snapshot.objects.filter(fault=fault):
                _restore(snapshot)
            fault.delete()


def wait(fault: Fault, *, otherwise: float = 0) -> None:
    """Wait for the fault's seconds, or ``otherwise``; a reset or the server's end stops it."""
    resets.pause(seconds_of(fault, otherwise=otherwise))


def seconds_of(fault: Fault, *, otherwise: float = 0) -> float:
    """Return this fault's duration: its seconds, or ``otherwise``, with its spread applied."""
    chance = random.SystemRandom()
    middle = fault.seconds or otherwise
    if fault.spread == Fault.Spread.UNIFORM:
        return chance.uniform(0, 2 * middle)
    if fault.spread == Fault.Spread.EXPONENTIAL:
        return chance.expovariate(1 / max(middle, 1e-9))
    return middle


@contextmanager
def at_store(fault: Fault) -> Iterator[None]:
    """Let the store of contacts have this fault within the block."""
    before = _at_store.set(fault)
    try:
        yield
    finally:
        _at_store.reset(before)


def check_readable() -> None:
    """
    Check the store of contacts before it is read.

    :raises StoreTrouble: if it cannot be read.
    """
    _check_store(STORE_UNREADABLE)


def check_writable() -> None:
    """
    Check the store of contacts before it is written.

    :raises StoreTrouble: if it cannot be written.
    """
    _check_store(STORE_UNWRITABLE)


def race() -> Fault | None:
    """Return the fault that lets first subscribes race, if it strikes this request."""
    fault = _at_store.get()
    return fault if fault is not None and fault.kind == Kind.RACE else None


def _check_store(kinds: set[Kind]) -> None:
    fault = _at_store.get()
    if fault is not None and fault.kind in kinds:
        raise StoreTrouble(fault)


def _strikes(fault: Fault, endpoint: str, email: str) -> bool:
    if fault.endpoint and fault.endpoint != endpoint:
        return False
    if fault.email and not fnmatchcase(email.lower(), fault.email.lower()):
        return False
    row = Fault.objects.filter(pk=fault.pk)
    if fault.share < 1:
        row.update(seen=F("seen") + 1)
        seen = row.values_list("seen", flat=True).first()
        if _chance(fault, str(seen)) >= fault.share:
            return False
    if fault.remaining is None:
        return True
    if row.filter(remaining__gt=0).update(remaining=F("remaining") - 1):
        return True
    _set.clear()
    return False


def _chance(fault: Fault, about: str) -> float:
    """Return a number from 0 to 1 that the fault's seed decides."""
    return random.Random(f"{fault.seed}:{about}").random()  # noqa: S311


def _lose(fault: Fault) -> None:
    """Take a snapshot of all rows, then delete the people or subscriptions that a loss strikes."""
    everything = [*Person.objects.all(), *Subscription.objects.all()]
    # Django's own JSON would cut times to milliseconds.
    content = json.dumps(serializers.serialize("python", everything), default=str)
    Snapshot.objects.create(fault=fault, content=content)
    subscriptions = Subscription.objects.all()
    people = Person.objects.all()
    if fault.newsletter:
        subscriptions = subscriptions.filter(newsletter__slug=fault.newsletter)
        people = people.filter(newsletters__slug=fault.newsletter)
    for person in people:
        # By the address, so that a seed strikes the same people in any order.
        email = person.email_key
        if _chance(fault, email) >= fault.share:
            continue
        if not fnmatchcase(email, fault.email.lower() or "*"):
            continue
        if fault.kind == Kind.PEOPLE_VANISH:
            person.delete()
        else:
            subscriptions.filter(person=person).delete()


def _restore(snapshot: Snapshot) -> None:
    """Bring back the people and subscriptions of a snapshot, and no others."""
    Person.objects.all().delete()
    newsletters = set(Newsletter.objects.values_list("pk", flat=True))
    for row in serializers.deserialize("python", json.loads(snapshot.content)):
        subscription = row.object if isinstance(row.object, Subscription) else None
        if subscription is None or subscription.newsletter_id in newsletters:
            row.save(force_insert=True)
    snapshot.delete()
