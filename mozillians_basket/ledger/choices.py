"""Write one person's decision into many contacts, in as many statements as into one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, F, Q, When
from django.utils import timezone

from mozillians_basket.ledger.evaluation import later_than
from mozillians_basket.ledger.history import event_of
from mozillians_basket.ledger.undoing import before_of
from mozillians_basket.models import Batch, Contact, Event, Subscription
from mozillians_basket.states import Decider, State


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody decided, for one contact or for thousands."""

    newsletters: tuple[str, ...]
    subscribe: bool
    despite_opt_out: bool = False
    """An admin says explicitly that an opt-out does not count."""

    actor: Any = None
    batch: Batch | None = None
    """The bulk request that it is part of: whatever was decided after its order stands."""

    @classmethod
    def of(cls, batch: Batch) -> "Choice":
        """What a bulk request asks for."""
        return cls(
            tuple(batch.newsletters),
            subscribe=batch.action == Batch.Action.SUBSCRIBE,
            despite_opt_out=batch.despite_opt_out,
            actor=batch.actor,
            batch=batch,
        )


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a choice for one contact."""

    newsletters: frozenset[str]
    """Those decided on."""

    opted_out: bool
    """Whether an opt-out was in the way of one of the others."""

    before: dict[str, Any]
    """What stood there before, as ``undoing.take_back`` reads it."""


def decide_all(contacts: Collection[Contact], choice: Choice, *, cause: str) -> dict[int, Decided]:
    """
    Write a decision into locked and evaluated contacts, and make those due that it is about.

    The number of statements does not depend on how many they are.

    :return: by the contact's key, what was decided on: without newsletters that the
        person opted out of, or about which something was decided after the batch was ordered.
    """
    lines: dict[int, dict[str, Subscription]] = {contact.pk: {} for contact in contacts}
    rows = Subscription.objects.filter(contact__in=contacts, newsletter__in=choice.newsletters)
    for line in rows:
        lines[line.contact_id][line.newsletter] = line
    decided = {contact.pk: _decided(contact, lines[contact.pk], choice) for contact in contacts}
    _write_lines(lines, decided, choice)
    chosen = [contact for contact in contacts if decided[contact.pk].newsletters]
    priority = Contact.Priority.BULK if choice.batch else Contact.Priority.CHANGE
    make_all_due(chosen, cause, priority)
    Event.objects.bulk_create(
        event_of(
            contact,
            Event.Kind.DECIDED,
            decided[contact.pk].newsletters,
            actor=choice.actor,
            batch=choice.batch,
            outcome="subscribe" if choice.subscribe else "unsubscribe",
        )
        for contact in chosen
    )
    return decided


def _decided(contact: Contact, lines: Mapping[str, Subscription], choice: Choice) -> Decided:
    taken, opted_out = set(), False
    for name in choice.newsletters:
        line = lines.get(name)
        if line is not None:
            if choice.subscribe and line.state == State.OPTED_OUT and not choice.despite_opt_out:
                opted_out = True
                continue
            if choice.batch is not None and line.decided_at > choice.batch.created_at:
                continue
        taken.add(name)
    return Decided(frozenset(taken), opted_out, before_of(contact, lines, taken))


def _write_lines(
    lines: Mapping[int, Mapping[str, Subscription]],
    decided: Mapping[int, Decided],
    choice: Choice,
) -> None:
    values = {
        "wanted": choice.subscribe,
        "decided_by": Decider.ADMIN,
        # Not the moment at which a worker came to it: of two orders the later one counts.
        "decided_at": choice.batch.created_at if choice.batch else timezone.now(),
        "despite_opt_out": choice.subscribe and choice.despite_opt_out,
    }
    pairs = [(key, name) for key, outcome in decided.items() for name in outcome.newsletters]
    known = [lines[key][name] for key, name in pairs if name in lines[key]]
    Subscription.objects.bulk_create(
        Subscription(contact_id=key, newsletter=name, **values)
        for key, name in pairs
        if name not in lines[key]
    )
    Subscription.objects.filter(pk__in=[line.pk for line in known]).update(**values)
    refused = [line.pk for line in known if line.state == State.REFUSED]
    Subscription.objects.filter(pk__in=refused).update(state=State.UNKNOWN, error_code=None)


def make_all_due(
    contacts: Collection[Contact],
    cause: str,
    priority: Contact.Priority = Contact.Priority.CHANGE,
) -> None:
    """As if they had never failed; one that is due already loses nothing of its urgency."""
    if not contacts:
        return
    for contact in contacts:
        contact.cause = cause
    due = Q(settled_at__isnull=True) | Q(touched_at__gt=F("settled_at"))
    at_once = Q(error__in=["", "refused"]) | Q(parked_at__isnull=False) & ~Q(error="rate limit")
    Contact.objects.filter(pk__in=[contact.pk for contact in contacts]).update(
        touched_at=later_than(max(contact.touched_at for contact in contacts)),
        priority=Case(When(due & Q(priority__lt=priority), then=F("priority")), default=priority),
        not_before=Case(When(at_once, then=None), default=F("not_before")),
        verify=True,
        cause=cause,
        attempts=0,
        refused_email="",
        parked_at=None,
        revision=F("revision") + 1,
    )
