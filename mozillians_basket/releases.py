"""An admin's word that a brake is to let go, kept until the worker has carried it out."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils import timezone

from mozillians_basket.models import Event, Pulse

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
    """What the admin saw, and so what the word covers: less, once a part of it is done."""

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
            finish(brake, release)  # settled otherwise; the next time is another matter
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


def claim(brake: Brake) -> Release | None:
    """Take over what was released, unless somebody has it."""
    with transaction.atomic():
        pulse = _locked_pulse()
        release = read(pulse, brake)
        if release is None or not release.waits:
            return None
        release.leased_until = (timezone.now() + LEASE).isoformat()
        _store(pulse, brake, release)
        return release


def prolong(brake: Brake, release: Release) -> None:
    """Say that it goes on, and how much of it is left to cover."""
    release.leased_until = (timezone.now() + LEASE).isoformat()
    _write(brake, release)


def stop(brake: Brake, release: Release, reason: str, found: Numbers) -> None:
    """Leave it undone, for the admin to look again."""
    release.stopped, release.found, release.leased_until = reason, found, ""
    _write(brake, release)


def finish(brake: Brake, release: Release) -> None:
    """It is carried out."""
    _write(brake, release, done=True)


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
