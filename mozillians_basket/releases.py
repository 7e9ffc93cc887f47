"""An admin's word that a brake is to let go, and what the worker does on it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils import timezone

from mozillians_basket import reconcile, verification
from mozillians_basket.models import Event, Pulse

logger = logging.getLogger("mozillians_basket")

#: For how long a word counts: what was looked at then may be another thing now.
LIFETIME = timedelta(days=1)

#: After how long without progress another worker carries it out.
LEASE = timedelta(minutes=5)


class Brake(StrEnum):
    """What holds back a mass change."""

    REMOVALS = "removals"
    """The reconciler would remove too much at once."""

    LOSSES = "losses"
    """Too much is gone at Basket at once."""


class Answer(StrEnum):
    """What an admin says to it."""

    REMOVE = "remove"
    """It is right that they lose it."""

    OPTED_OUT = "opted_out"
    """They all opted out."""

    RESTORE = "restore"
    """Basket lost them: subscribe them again."""


Numbers = dict[str, tuple[int, int]]
"""For each newsletter how many would go, or are gone, and of how many."""


@dataclass(slots=True)
class Release:
    """One admin's word about one brake, as ``Pulse.releases`` keeps it."""

    answer: str
    actor: str
    """The admin's key."""

    at: str
    """When it was given: an ISO date and time, as all times here."""

    shown: Numbers
    """What the admin saw, and so what the word covers."""

    leased_until: str = ""
    """Until when a worker is carrying it out."""

    stopped: str = ""
    """Why it was not carried out: ``more`` than was shown, or too ``late``."""

    found: Numbers = field(default_factory=dict)
    """What it was when it stopped."""

    @property
    def since(self) -> datetime:
        """When the word was given."""
        return datetime.fromisoformat(self.at)

    @property
    def waits(self) -> bool:
        """Whether a worker is to begin with it now."""
        return not self.stopped and (
            not self.leased_until or datetime.fromisoformat(self.leased_until) < timezone.now()
        )


def read(pulse: Pulse, brake: Brake) -> Release | None:
    """The word that was given on a brake and is not carried out, or was stopped."""
    stored = pulse.releases.get(brake)
    return None if stored is None else Release(**stored)


def waiting() -> list[Brake]:
    """Which brakes were released and are not being seen to."""
    pulse = Pulse.now()
    found = []
    for brake in Brake:
        release = read(pulse, brake)
        if release is not None and release.waits:
            found.append(brake)
        elif release is not None and release.stopped and not is_on(pulse, brake):
            _write(brake, release, done=True)  # settled otherwise; the next time is another matter
    return found


def is_on(pulse: Pulse, brake: Brake) -> bool:
    """Whether a brake holds something back."""
    return bool(pulse.brakes) if brake is Brake.REMOVALS else pulse.losing_since is not None


def order(brake: Brake, answer: Answer, shown: Numbers, actor: Any) -> None:
    """
    Write down an admin's word, and into the history who gave it; the worker finds it there.

    A newer word takes the place of an older one.
    """
    with transaction.atomic():
        word = Release(str(answer), str(actor.pk), timezone.now().isoformat(), shown)
        _store(_locked_pulse(), brake, word)
        Event.objects.create(
            kind=Event.Kind.RELEASED,
            newsletters=sorted(shown),
            outcome=str(answer),
            actor=actor,
            remark=", ".join(f"{name}: {number}/{of}" for name, (number, of) in shown.items())[
                :200
            ],
        )


def carry_out(brake: Brake) -> None:
    """
    Do what was released, or say why not. Begun twice, or again after a crash, it is harmless.

    What goes too far beyond what the admin saw stops it: they are asked again.
    """
    release = _claim(brake)
    if release is None:
        return
    if timezone.now() - release.since > LIFETIME:
        _stop(brake, release, "late", {})
        return

    def progress(*_done: object) -> None:
        _prolong(brake, release)

    found = _CARRIERS[brake](release, progress)
    if found:
        logger.error("More would go than was released: nothing was done, look at the admin.")
        _stop(brake, release, "more", found)
    else:
        _write(brake, release, done=True)


def _remove(release: Release, progress: Callable[..., None]) -> Numbers:
    """Let the reconciler remove what was shown; return what stopped it."""
    found = reconcile.find()
    # Begun before and broken off, there is less left to cover than was shown.
    covered = {
        name: min(number, found.by_newsletter.get(name, {}).get("lost", 0))
        for name, (number, _of) in release.shown.items()
    }
    release.shown = {name: (covered[name], of) for name, (_number, of) in release.shown.items()}
    progress()
    report = reconcile.apply(released=covered, found=found, progress=progress)
    return {brake.newsletter: (brake.removals, brake.subscriptions) for brake in report.brakes}


def _conclude(release: Release, progress: Callable[..., None]) -> Numbers:
    """Take what was shown as gone for opt-outs, or for Basket's loss; return what stopped it."""
    losses = verification.losses()
    more = {
        name: (gone, held)
        for name, (gone, held) in losses.items()
        if reconcile.too_many(gone - release.shown.get(name, (0, 0))[0], held)
    }
    if not more:
        answer = verification.accept
        if release.answer == Answer.RESTORE:
            answer = verification.restore
        answer(missing_before=release.since, progress=progress)
    return more


_CARRIERS: Mapping[Brake, Callable[[Release, Callable[..., None]], Numbers]] = {
    Brake.REMOVALS: _remove,
    Brake.LOSSES: _conclude,
}


def _claim(brake: Brake) -> Release | None:
    with transaction.atomic():
        pulse = _locked_pulse()
        release = read(pulse, brake)
        if release is None or not release.waits:
            return None
        release.leased_until = (timezone.now() + LEASE).isoformat()
        _store(pulse, brake, release)
        return release


def _prolong(brake: Brake, release: Release) -> None:
    release.leased_until = (timezone.now() + LEASE).isoformat()
    _write(brake, release)


def _stop(brake: Brake, release: Release, reason: str, found: Numbers) -> None:
    release.stopped, release.found, release.leased_until = reason, found, ""
    _write(brake, release)


def _write(brake: Brake, release: Release, *, done: bool = False) -> None:
    """Write it back, unless an admin has given a newer word meanwhile."""
    with transaction.atomic():
        pulse = _locked_pulse()
        stored = read(pulse, brake)
        if stored is not None and stored.at == release.at:
            _store(pulse, brake, None if done else release)


def _store(pulse: Pulse, brake: Brake, release: Release | None) -> None:
    if release is None:
        pulse.releases.pop(brake, None)
    else:
        pulse.releases[str(brake)] = asdict(release)
    pulse.save(update_fields=["releases"])


def _locked_pulse() -> Pulse:
    Pulse.now()
    return Pulse.objects.select_for_update().get(pk=1)
