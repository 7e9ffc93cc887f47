"""The store of contacts behind Basket: its trouble and its losses."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase

from django.core import serializers

from mozillians_basket.sandbox.models import Fault, Newsletter, Person, Snapshot, Subscription
from mozillians_basket.sandbox.writing import writing

FOR_READING = {Fault.Kind.STORE_FAILS, Fault.Kind.STORE_REFUSES, Fault.Kind.STORE_GONE}
FOR_WRITING = {*FOR_READING, Fault.Kind.STORE_READ_ONLY}

_trouble: ContextVar[Fault | None] = ContextVar("trouble", default=None)


class StoreTroubleError(Exception):
    """The store could not carry out a call. ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


@contextmanager
def in_trouble(fault: Fault | None) -> Iterator[None]:
    """Put the store into this trouble within the block, or into none."""
    before = _trouble.set(fault)
    try:
        yield
    finally:
        _trouble.reset(before)


def is_read() -> None:
    """Raise StoreTroubleError if the store cannot be read."""
    _raise_for(FOR_READING)


def is_written() -> None:
    """Raise StoreTroubleError if the store cannot be written."""
    _raise_for(FOR_WRITING)


def lose(fault: Fault) -> None:
    """Take a snapshot of all rows, then delete the people or subscriptions that a loss strikes."""
    with writing():
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
            if not _is_lost(fault, person.email_key):
                continue
            if fault.kind == Fault.Kind.PEOPLE_VANISH:
                person.delete()
            else:
                subscriptions.filter(person=person).delete()


def restore(snapshot: Snapshot) -> None:
    """Bring back the people and subscriptions of a snapshot, and no others."""
    with writing():
        Person.objects.all().delete()
        newsletters = set(Newsletter.objects.values_list("pk", flat=True))
        for row in serializers.deserialize("python", json.loads(snapshot.content)):
            subscription = row.object if isinstance(row.object, Subscription) else None
            if subscription is None or subscription.newsletter_id in newsletters:
                row.save(force_insert=True)
        snapshot.delete()


def _is_lost(fault: Fault, email: str) -> bool:
    # By the address, so that a seed strikes the same people in any order.
    chance = random.Random(f"{fault.seed}:{email}").random()  # noqa: S311
    return chance < fault.share and fnmatchcase(email, fault.email.lower() or "*")


def _raise_for(kinds: set[Fault.Kind]) -> None:
    fault = _trouble.get()
    if fault is not None and fault.kind in kinds:
        raise StoreTroubleError(fault)
