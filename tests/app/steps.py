"""Syncs taken apart: the steps of a chain one by one, as if workers came and went in between."""

import itertools
from datetime import UTC, datetime

from mozillians_basket import ledger, sync, tasks
from mozillians_basket.models import Contact, Event, Pulse, Subscription

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def drain_everything():
    """Work all touches into the ledger, as after a lost message."""
    while ledger.drain().touch_ids:
        pass


def contact_of(profile):
    """The ledger's row of a member, as it is now."""
    return Contact.objects.get(member=profile.pk)


def claimed(profile):
    """Claim the contact of a member, which must be due."""
    (lease,) = ledger.claim([contact_of(profile).pk])
    return lease


def run(lease, *steps):
    """Run steps as their tasks do, one after another; return the sheet with the last lease."""
    sheet = ledger.Sheet(lease)
    for step in steps:
        sheet = ledger.Sheet(sheet.lease)
        with sync.guarded(sheet):
            step(sheet)
    return sheet


def before_write(monkeypatch, number, action):
    """Have something happen right before a worker's write, the writes counted from 0."""
    write, count = ledger.Sheet._write, itertools.count()

    def interrupted(sheet, **options):
        if next(count) == number:
            action()
        return write(sheet, **options)

    monkeypatch.setattr(ledger.Sheet, "_write", interrupted)


def expire_leases():
    """Let the leases of workers that died run out."""
    Contact.objects.filter(leased_until__isnull=False).update(leased_until=LONG_AGO)


def settle_everything(rounds=12):
    """Sweep, with all waits over, until nothing is due any more; half-way, a day has passed."""
    for number in range(rounds):
        if number == rounds // 2:
            Subscription.objects.exclude(removed_at=None).update(removed_at=LONG_AGO)
            Subscription.objects.exclude(requested_at=None).update(requested_at=LONG_AGO)
        Contact.objects.update(not_before=None)
        Pulse.objects.exclude(next_probe_at=None).update(next_probe_at=LONG_AGO)
        expire_leases()
        tasks.sweep()
        Contact.objects.update(not_before=None)
        if not ledger.due().exists():
            return
    raise AssertionError(f"still due: {list(ledger.due().values())}")


def held(basket, *emails):
    """What Basket holds, by address; the empty set for somebody whom it does not know."""
    people = basket.people
    return {email: set(people[email].newsletters) if email in people else set() for email in emails}


def opt_outs():
    """The newsletters that the history calls opted out."""
    events = Event.objects.filter(kind=Event.Kind.OPTED_OUT)
    return [name for event in events for name in event.newsletters]


def queries(captured):
    """The queries that a page made, without those that waffle's cache may save it."""
    return [query["sql"] for query in captured if "waffle" not in query["sql"]]
