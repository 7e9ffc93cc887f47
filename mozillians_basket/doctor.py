"""Examine everything that has to work for a change to reach Basket."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from celery import current_app
from django.core.checks import ERROR
from django.db import DatabaseError
from django.utils import timezone

from mozillians_basket import checks, client, ledger
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import BasketError, BasketMisconfigured, BasketSwitchedOff
from mozillians_basket.models import Contact, Pulse, Touch
from mozillians_basket.site import get_site
from mozillians_basket.switch import switch_is_on

#: An address that nobody has, to try the key with.
NOBODY = "basket-doctor@example.com"

#: Work that has waited longer than this is a sign that something is stuck.
LONG_WAIT = timedelta(minutes=10)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined."""

    subject: str
    level: Level
    text: str
    """What was found, in plain language; no key and no address."""


def ok(subject: str, text: str) -> Finding:
    """Nothing to do here."""
    return Finding(subject, Level.OK, text)


def warning(subject: str, text: str) -> Finding:
    """It works, but somebody should look."""
    return Finding(subject, Level.WARNING, text)


def failure(subject: str, text: str) -> Finding:
    """Changes do not reach Basket."""
    return Finding(subject, Level.FAILURE, text)


def examine() -> list[Finding]:
    """Examine it all; what cannot be examined because of an earlier failure is left out."""
    found = list(examine_settings())
    if any(finding.level is Level.FAILURE for finding in found):
        return found
    for part in EXAMINATIONS:
        try:
            found += part()
        except DatabaseError as error:
            return [*found, failure("database", f"It does not answer ({type(error).__name__}).")]
    return found


def examine_settings() -> Iterator[Finding]:
    """The system checks of this app."""
    messages = [message for check in checks.CHECKS for message in check(None)]
    for message in messages:
        level = Level.FAILURE if message.level >= ERROR else Level.WARNING
        yield Finding("settings", level, f"{message.msg} {message.hint} ({message.id})")
    if not messages:
        yield ok("settings", "Present and coherent.")


def examine_switch() -> Iterator[Finding]:
    """The waffle switch, which also shows whether the database answers."""
    if switch_is_on():
        yield ok("switch", f"{SWITCH} is on.")
    else:
        yield warning("switch", f"{SWITCH} is off: changes are kept, nothing is sent.")


def examine_basket() -> Iterator[Finding]:
    """URL, key and newsletters; not asked while the switch is off."""
    try:
        client.look_up(NOBODY)
        newsletters = client.catalogue()
    except BasketSwitchedOff:
        yield warning("basket", "Not asked, as the switch is off.")
        return
    except BasketMisconfigured as error:
        told = f"HTTP {error.status}, code {error.code}"
        advice = {
            7: "BASKET_API_KEY is not accepted.",
            8: "Basket wants https: check BASKET_URL.",
        }.get(error.code or 0, "BASKET_URL does not lead to Basket's API.")
        yield failure("basket", f"{advice} ({told})")
        return
    except BasketError as error:
        yield failure("basket", f"It cannot be reached, or is broken: {type(error).__name__}.")
        return
    yield ok("basket", "It answers, and accepts the key.")
    for slug in sorted(get_site().newsletters):
        entry = newsletters.get(slug)
        if entry is None:
            yield failure("newsletter", f"Basket does not know {slug}: every call with it fails.")
        elif not entry.get("active", True):
            yield warning("newsletter", f"{slug} is not active in Basket.")
        else:
            kinds = ["private"] * bool(entry.get("private")) + ["double opt-in"] * bool(
                entry.get("requires_double_optin")
            )
            yield ok("newsletter", f"{slug} is active{''.join(f', {kind}' for kind in kinds)}.")


def examine_broker() -> Iterator[Finding]:
    """Whether the broker takes connections."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except Exception as error:  # noqa: BLE001 - whatever the transport raises; it can hold a URL
        yield failure("broker", f"It takes no connection ({type(error).__qualname__}).")
    else:
        yield ok("broker", "It takes connections.")


def examine_workers() -> Iterator[Finding]:
    """Beat sends the sweep, a worker runs it: its last run shows both."""
    swept = Pulse.now().swept_at
    if not _sweep_entry():
        yield warning("beat", "basket_beat_schedule() is not in Celery's beat_schedule.")
    if swept is None:
        yield failure("worker and beat", "The sweeper has never run: start a worker and beat.")
    elif is_overdue(swept):
        yield failure(
            "worker and beat", f"The sweeper last ran {ago(swept)}: no worker, or no beat, runs."
        )
    else:
        yield ok("worker and beat", f"The sweeper ran {ago(swept)}.")


def _sweep_entry() -> dict[str, Any]:
    schedule: dict[str, dict[str, Any]] = current_app.conf.beat_schedule or {}
    return schedule.get("mozillians_basket.sweep", {})


def is_overdue(swept: datetime | None) -> bool:
    """Whether the sweeper's last run is so long ago that no worker, or no beat, can be running."""
    every = _sweep_entry().get("schedule", 5.0)
    interval = timedelta(seconds=every if isinstance(every, int | float) else 60)
    return swept is None or timezone.now() - swept > max(timedelta(minutes=1), 5 * interval)


def examine_queue() -> Iterator[Finding]:
    """What waits, and what has been given up."""
    oldest = Touch.objects.order_by("pk").values_list("created_at", flat=True).first()
    due = ledger.due()
    longest = due.order_by("touched_at").values_list("touched_at", flat=True).first()
    waits = [moment for moment in (oldest, longest) if moment is not None]
    text = f"{Touch.objects.count()} touches to drain, {due.count()} contacts due"
    if waits:
        text += f"; the oldest waits since {ago(min(waits))}"
    stuck = bool(waits) and timezone.now() - min(waits) > LONG_WAIT and switch_is_on()
    yield (warning if stuck else ok)("queue", f"{text}.")
    failing = Contact.objects.exclude(error="").exclude(error="refused")
    parked = Contact.objects.filter(parked_at__isnull=False).count()
    text = f"{failing.count()} contacts failed last time, {parked} of all are parked."
    yield (warning if parked else ok)("failures", text)
    refused = Contact.objects.filter(error="refused").count()
    if refused:
        yield warning("refusals", f"Basket refuses something to {refused} contacts.")


def examine_breaker() -> Iterator[Finding]:
    """Breaker, brakes and the last comparison of policies and ledger."""
    pulse = Pulse.now()
    if pulse.opened_at is not None:
        yield failure(
            "breaker",
            f"Open since {ago(pulse.opened_at)} ({pulse.reason}, HTTP {pulse.status}, "
            f"code {pulse.error_code}): only single probes are sent.",
        )
    else:
        yield ok("breaker", "Closed.")
    if pulse.losing_since is not None:
        yield failure(
            "verification",
            f"Since {ago(pulse.losing_since)} too many confirmed subscriptions are gone at Basket. "
            "See basket_reconcile --verify.",
        )
    for name, numbers in pulse.brakes.items():
        yield failure(
            "reconciliation",
            f"It would remove {numbers['removals']} of {numbers['of']} subscriptions to {name}, "
            "and waits for basket_reconcile --apply --go.",
        )
    if pulse.reconciled_at is None:
        yield warning("reconciliation", "Policies and ledger were never compared.")
    else:
        yield ok("reconciliation", f"Policies and ledger were compared {ago(pulse.reconciled_at)}.")


def ago(moment: datetime) -> str:
    """How long ago something was, roughly."""
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} seconds ago"


EXAMINATIONS: tuple[Callable[[], Iterator[Finding]], ...] = (
    examine_switch,
    examine_basket,
    examine_broker,
    examine_workers,
    examine_queue,
    examine_breaker,
)
