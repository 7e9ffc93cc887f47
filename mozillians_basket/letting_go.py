"""Do what an admin has released, as far as they saw it."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from mozillians_basket import reconcile, releases, verification
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.reconcile import REMOVING, Kind
from mozillians_basket.releases import LIFETIME, Answer, Brake, Numbers, Release

logger = logging.getLogger("mozillians_basket")


def carry_out(brake: Brake) -> None:
    """
    Do what was released, or say why not. Begun twice, or again after a crash, it is harmless.

    What goes too far beyond what the admin saw stops it: they are asked again.
    """
    release = releases.claim(brake)
    if release is None:
        return
    if timezone.now() - release.since > LIFETIME:
        releases.stop(brake, release, "late", {})
        return
    found = _CARRIERS[brake](release)
    if found:
        logger.error("More would go than was released: nothing was done, look at the admin.")
        releases.stop(brake, release, "more", found)
    else:
        releases.finish(brake, release)


def _remove(release: Release) -> Numbers:
    """Let the reconciler remove what was shown; return what stopped it."""

    @contextmanager
    def around(kind: Kind, member_ids: list[Any]) -> Iterator[None]:
        """What is removed is not covered again, should the rest be done after a crash."""
        contacts: list[int] = []
        if kind in REMOVING:
            rows = Contact.objects.filter(member__in=member_ids)
            contacts = list(rows.values_list("pk", flat=True))
        before = _lines(contacts)
        yield
        for name, number in (before - _lines(contacts)).items():
            if name in release.shown:
                left, of = release.shown[name]
                release.shown[name] = (max(0, left - number), of)
        releases.prolong(Brake.REMOVALS, release)

    report = reconcile.apply(
        released={name: number for name, (number, _of) in release.shown.items()}, around=around
    )
    return {brake.newsletter: (brake.removals, brake.subscriptions) for brake in report.brakes}


def _lines(contacts: list[int]) -> Counter[str]:
    """For each newsletter how many of these have it, or are entitled to it."""
    rows = Subscription.objects.filter(Q(wanted=True) | Q(entitled=True), contact__in=contacts)
    counted = rows.order_by().values_list("newsletter").annotate(number=Count("pk"))
    return Counter(dict(counted))


def _conclude(release: Release) -> Numbers:
    """Take what was shown as gone for opt-outs, or for Basket's loss; return what stopped it."""
    more = {
        name: (gone, held)
        for name, (gone, held) in verification.losses().items()
        if reconcile.too_many(gone - release.shown.get(name, (0, 0))[0], held)
    }
    if not more:
        answer = verification.accept
        if release.answer == Answer.RESTORE:
            answer = verification.restore
        answer(
            missing_before=release.since,
            progress=lambda: releases.prolong(Brake.LOSSES, release),
        )
    return more


_CARRIERS: Mapping[Brake, Callable[[Release], Numbers]] = {
    Brake.REMOVALS: _remove,
    Brake.LOSSES: _conclude,
}
