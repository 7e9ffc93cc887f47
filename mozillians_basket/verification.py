"""Ask Basket, a few contacts at a time, whether it still agrees with the ledger."""

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from mozillians_basket import ledger
from mozillians_basket.conf import conf
from mozillians_basket.models import Contact, Event, Pulse, Subscription
from mozillians_basket.reconcile import CHUNK, too_many
from mozillians_basket.states import HELD, Decider, State

logger = logging.getLogger("mozillians_basket")


def verify(limit: int | None) -> int:
    """
    Make the longest unverified contacts due for a lookup; return how many.

    :param limit: at most so many; ``None`` for all.

    None while too much was found gone at Basket: that is to be looked into first.
    """
    if Pulse.now().losing_since is not None:
        return 0
    lines = Subscription.objects.filter(contact=OuterRef("pk")).filter(
        Q(state__in=HELD) | Q(state=State.UNSUBSCRIBED, verified_at__isnull=True)
    )
    chosen = (
        Contact.objects.filter(Exists(lines), departed_at__isnull=True, parked_at__isnull=True)
        .filter(touched_at__lte=F("settled_at"))
        .exclude(email="")
        .order_by("verified_at")
        .values_list("pk", flat=True)[:limit]
    )
    made_due = 0
    keys = list(chosen)
    for start in range(0, len(keys), CHUNK):
        with transaction.atomic():
            made_due += ledger.make_due(keys[start : start + CHUNK], ledger.VERIFICATION)
    return made_due


def missing() -> dict[str, int]:
    """How many confirmed subscriptions were found gone and are not concluded, by newsletter."""
    counted = _missing_lines(None).values("newsletter").annotate(number=Count("pk"))
    return {row["newsletter"]: row["number"] for row in counted}


def conclude() -> dict[str, int]:
    """
    Take what was found gone for the persons' own choice, unless it is too much at once.

    :return: how many opt-outs were recorded, by newsletter.
    """
    if Pulse.now().losing_since is not None:
        return {}
    counted = Subscription.objects.values("newsletter").annotate(
        missing=Count("pk", filter=Q(missing_at__isnull=False)),
        held=Count("pk", filter=Q(state__in=HELD)),
    )
    rows = [row for row in counted if row["missing"]]
    if losing := [row for row in rows if too_many(row["missing"], row["held"])]:
        Pulse.objects.filter(pk=1).update(losing_since=timezone.now())
        for row in losing:
            logger.error(
                "%d of %d confirmed subscriptions to %s are gone at Basket. Nothing is recorded "
                "and nothing more is verified: look into it, then run manage.py basket_reconcile "
                "--verify with --go (they all opted out) or --restore (Basket lost them).",
                row["missing"],
                row["held"],
                row["newsletter"],
            )
        return {}
    ripe = timezone.now() - timedelta(seconds=conf.RECHECK_SECONDS)
    return accept(missing_before=ripe)


def accept(missing_before: object = None) -> dict[str, int]:
    """Record as opted out what was found gone (before a moment, or all), and verify again."""
    recorded: dict[str, int] = {}
    for line in _missing(missing_before):
        line.state, line.wanted = State.OPTED_OUT, False
        line.decided_by, line.decided_at = Decider.MEMBER, timezone.now()
        recorded[line.newsletter] = recorded.get(line.newsletter, 0) + _conclude_line(line)
        Event.objects.create(
            contact_id=line.contact_id,
            kind=Event.Kind.OPTED_OUT,
            newsletters=[line.newsletter],
            cause=ledger.VERIFICATION,
        )
    Pulse.objects.filter(pk=1).update(losing_since=None)
    return recorded


def restore() -> dict[str, int]:
    """Take what was found gone for Basket's loss: it is subscribed again where it is wanted."""
    restored: dict[str, int] = {}
    for line in _missing(None):
        line.state = State.UNKNOWN
        restored[line.newsletter] = restored.get(line.newsletter, 0) + _conclude_line(line)
        with transaction.atomic():
            ledger.make_due([line.contact_id], "restored after a loss at Basket")
    Pulse.objects.filter(pk=1).update(losing_since=None)
    return restored


def _missing_lines(before: object) -> QuerySet[Subscription]:
    lines = Subscription.objects.filter(missing_at__isnull=False, state__in=HELD)
    return lines if before is None else lines.filter(missing_at__lte=before)


def _missing(before: object) -> Iterator[Subscription]:
    """In chunks by key, as the rows are changed on the way."""
    last = 0
    while chunk := list(_missing_lines(before).filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield from chunk
        last = chunk[-1].pk


def _conclude_line(line: Subscription) -> int:
    """Write one line, unless a sync has seen it otherwise meanwhile."""
    with transaction.atomic():
        # The contact first, as everywhere: it counts for whoever is working on it.
        Contact.objects.filter(pk=line.contact_id).update(revision=F("revision") + 1)
        return _write_line(line)


def _write_line(line: Subscription) -> int:
    return Subscription.objects.filter(
        pk=line.pk, missing_at=line.missing_at, state__in=HELD
    ).update(
        state=line.state,
        wanted=line.wanted,
        decided_by=line.decided_by,
        decided_at=line.decided_at,
        missing_at=None,
    )
