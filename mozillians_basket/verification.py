"""Ask Basket, a few contacts at a time, whether it still agrees with the ledger."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from mozillians_basket import ledger
from mozillians_basket.conf import conf
from mozillians_basket.models import Contact, Event, Pulse, Subscription
from mozillians_basket.reconcile import CHUNK, too_many
from mozillians_basket.states import HELD, Decider, State

logger = logging.getLogger("mozillians_basket")

#: The cause of a subscribe of what Basket lost.
RESTORED = "restored after a loss at Basket"


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
    Pulse.objects.filter(pk=1).update(verified_at=timezone.now())
    return made_due


def missing() -> dict[str, int]:
    """How many confirmed subscriptions were found gone and are not concluded, by newsletter."""
    counted = _missing_lines(None).order_by().values("newsletter").annotate(number=Count("pk"))
    return {row["newsletter"]: row["number"] for row in counted}


def losses() -> dict[str, tuple[int, int]]:
    """For each newsletter of which something was found gone, how many are, and of how many."""
    gone = missing()
    counted = (
        Subscription.objects.filter(newsletter__in=gone, state__in=HELD)
        .order_by()
        .values("newsletter")
        .annotate(number=Count("pk"))
    )
    held = {row["newsletter"]: row["number"] for row in counted}
    return {name: (number, held.get(name, number)) for name, number in sorted(gone.items())}


def conclude() -> dict[str, int]:
    """
    Take what was found gone for the persons' own choice, unless it is too much at once.

    :return: how many opt-outs were recorded, by newsletter.
    """
    if Pulse.now().losing_since is not None:
        return {}
    losing = {name: of for name, of in losses().items() if too_many(*of)}
    if losing:
        Pulse.objects.filter(pk=1).update(losing_since=timezone.now())
        for name, (gone, held) in losing.items():
            logger.error(
                "%d of %d confirmed subscriptions to %s are gone at Basket. Nothing is recorded "
                "and nothing more is verified: look into it, then run manage.py basket_reconcile "
                "--verify with --go (they all opted out) or --restore (Basket lost them).",
                gone,
                held,
                name,
            )
        return {}
    ripe = timezone.now() - timedelta(seconds=conf.RECHECK_SECONDS)
    return accept(missing_before=ripe)


def accept(
    missing_before: datetime | None = None, progress: Callable[[], None] | None = None
) -> dict[str, int]:
    """
    Record as opted out what was found gone (before a moment, or all), and verify again.

    :param progress: called after each portion.
    """
    recorded: Counter[str] = Counter()
    for portion in _missing(missing_before):
        with transaction.atomic():
            lines = _locked(portion)
            _conclude(
                lines,
                state=State.OPTED_OUT,
                wanted=False,
                decided_by=Decider.MEMBER,
                decided_at=timezone.now(),
            )
            Event.objects.bulk_create(
                Event(
                    contact_id=line.contact_id,
                    kind=Event.Kind.OPTED_OUT,
                    newsletters=[line.newsletter],
                    cause=ledger.VERIFICATION,
                )
                for line in lines
            )
        recorded.update(line.newsletter for line in lines)
        if progress is not None:
            progress()
    Pulse.objects.filter(pk=1).update(losing_since=None)
    return dict(recorded)


def restore(
    missing_before: datetime | None = None, progress: Callable[[], None] | None = None
) -> dict[str, int]:
    """
    Take what was found gone for Basket's loss: it is subscribed again where it is wanted.

    :param missing_before: as for :func:`accept`.
    :param progress: called after each portion.
    """
    restored: Counter[str] = Counter()
    for portion in _missing(missing_before):
        with transaction.atomic():
            lines = _locked(portion)
            _conclude(lines, state=State.UNKNOWN)
            ledger.make_due({line.contact_id for line in lines}, RESTORED)
        restored.update(line.newsletter for line in lines)
        if progress is not None:
            progress()
    Pulse.objects.filter(pk=1).update(losing_since=None)
    return dict(restored)


def _missing_lines(before: datetime | None) -> QuerySet[Subscription]:
    lines = Subscription.objects.filter(missing_at__isnull=False, state__in=HELD)
    return lines if before is None else lines.filter(missing_at__lte=before)


def _missing(before: datetime | None) -> Iterator[dict[int, int]]:
    """What is missing, in portions by key: each line's key with its contact's."""
    last = 0
    while True:
        rows = _missing_lines(before).filter(pk__gt=last).order_by("pk")
        portion = dict(rows.values_list("pk", "contact_id")[:CHUNK])
        if not portion:
            return
        yield portion
        last = max(portion)


def _locked(portion: dict[int, int]) -> list[Subscription]:
    """
    Those lines that are missing still, with their contacts locked against every sync.

    Call it in a transaction: a portion is carried out with its history or not at all.
    """
    owners = Contact.objects.filter(pk__in=set(portion.values()))
    list(owners.order_by("pk").select_for_update().values_list("pk"))
    # It counts for whoever is working on one of them.
    owners.update(revision=F("revision") + 1)
    return list(_missing_lines(None).filter(pk__in=portion))


def _conclude(lines: list[Subscription], **values: object) -> None:
    Subscription.objects.filter(pk__in=[line.pk for line in lines]).update(
        missing_at=None, **values
    )
