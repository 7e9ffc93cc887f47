"""The steps of a sync one by one, as if workers came and went in between."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

from mozillians_basket import sync, tasks
from mozillians_basket.ledger import queue, touches
from mozillians_basket.models import Contact, Event, Status, Subscription
from mozillians_basket.sync import Step

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def drain_everything():
    """Drain all touches, as after a lost message."""
    while touches.drain():
        pass


def contact_of(profile):
    """Return the contact of a member's address, as it is now."""
    return Contact.objects.get(members__site_member=profile.pk)


def subscription_of(profile, newsletter="mozilla-phone"):
    """Return the subscription of a member's contact in the ledger."""
    return Subscription.objects.get(contact=contact_of(profile), newsletter=newsletter)


def syncing() -> Iterator[str]:
    """Carry one share to Basket as the tasks do, with a pause after each step."""
    outcome = sync.look_up()
    lease = outcome.lease
    yield "lookup"
    if Step.SUBSCRIBE in outcome.steps:
        lease = sync.make_calls(
            Step.SUBSCRIBE, lease, last=Step.UNSUBSCRIBE not in outcome.steps
        ).lease
        yield "subscribe"
    if Step.UNSUBSCRIBE in outcome.steps:
        sync.make_calls(Step.UNSUBSCRIBE, lease, last=True)
        yield "unsubscribe"


def run(worker, number=None):
    """Let a worker do this number of steps, or all that are left."""
    return list(itertools.islice(worker, number))


def before_transaction(monkeypatch, number, action):
    """Call an action right before a transaction of a sync, counted from 0."""
    read, count = sync.locked_share, itertools.count()

    def interrupted(*arguments, **options):
        if next(count) == number:
            action()
        return read(*arguments, **options)

    monkeypatch.setattr(sync, "locked_share", interrupted)


def expire_leases():
    """Let the leases of dead workers run out."""
    Contact.objects.filter(leased_until__isnull=False).update(leased_until=LONG_AGO)


def settle_everything(rounds=12, *, strict=True):
    """Sweep, with all waits over, until no contact is due; a day passes half-way."""
    for number in range(rounds):
        if number == rounds // 2:
            Subscription.objects.exclude(removed_at=None).update(removed_at=LONG_AGO)
            Subscription.objects.exclude(requested_at=None).update(requested_at=LONG_AGO)
            Subscription.objects.exclude(unanswered_at=None).update(unanswered_at=LONG_AGO)
        Contact.objects.update(not_before=None)
        Status.objects.exclude(next_probe_at=None).update(next_probe_at=LONG_AGO)
        expire_leases()
        tasks.sweep()
        Contact.objects.update(not_before=None)
        if not queue.due().exists():
            return
    if strict:
        raise AssertionError(f"still due: {list(queue.due().values())}")


def held(basket, *emails):
    """Return Basket's newsletters by address; the empty set for an unknown address."""
    people = {email.lower(): set(person.newsletters) for email, person in basket.people.items()}
    return {email: people.get(email.lower(), set()) for email in emails}


def opt_outs():
    """Return the newsletters of opt-outs in the history."""
    events = Event.objects.filter(kind=Event.Kind.OPTED_OUT)
    return [name for event in events for name in event.newsletters]


def queries(captured):
    """Return the queries of a page, without those that waffle's cache may save."""
    return [query["sql"] for query in captured if "waffle" not in query["sql"]]
