"""Examine all parts that must work for a change to reach Basket."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from celery import current_app
from django.core.checks import ERROR, CheckMessage
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from mozillians_basket import checks
from mozillians_basket.client import calls
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import BasketError, BasketMisconfigured, BasketSwitchedOff
from mozillians_basket.models import Approval, Contact, Status, Subscription, alias
from mozillians_basket.rules.rows import State
from mozillians_basket.site import get_site
from mozillians_basket.upkeep import approvals, statistics

logger = logging.getLogger("mozillians_basket")

#: An address that nobody has, to try the key with.
NOBODY = "basket-doctor@example.com"

#: The advice of the check for deployment.
HINT = "manage.py basket_doctor examines this, and all else that a change needs."

#: Work that has waited longer than this is a sign that something is stuck.
LONG_WAIT = timedelta(minutes=10)


class Level(StrEnum):
    """The levels of a finding."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined."""

    level: Level
    subject: str
    text: str
    """The finding in plain language, without keys and addresses."""


Examination = Callable[[], Iterator[Finding]]

#: Findings of each level: nothing to do, something to look at, changes that do not reach Basket.
ok, warning, failure = (partial(Finding, level) for level in Level)


def examine(parts: Iterable[Examination] | None = None) -> list[Finding]:
    """Run all examinations, or only these; a failure can make later ones impossible."""
    found: list[Finding] = []
    for part in EXAMINATIONS if parts is None else parts:
        try:
            found += part()
        except DatabaseError as error:
            return [*found, failure("database", f"It does not answer ({type(error).__name__}).")]
        if part in NEEDED and any(finding.level is Level.FAILURE for finding in found):
            return found
    return found


def examine_settings() -> Iterator[Finding]:
    """Run the system checks of this app; ``SILENCED_SYSTEM_CHECKS`` silences them here too."""
    found = [message for check in checks.CHECKS for message in check(None)]
    messages = [message for message in found if not message.is_silenced()]
    for message in messages:
        level = Level.FAILURE if message.level >= ERROR else Level.WARNING
        yield Finding(level, "settings", f"{message.msg} {message.hint} ({message.id})")
    if not messages:
        yield ok("settings", "Present and coherent.")


def examine_migrations() -> Iterator[Finding]:
    """Find out whether the database answers, and has the tables of this version."""
    executor = MigrationExecutor(connections[alias()])
    leaves = executor.loader.graph.leaf_nodes("mozillians_basket")
    missing = [migration.name for migration, _back in executor.migration_plan(leaves)]
    if missing:
        yield failure("migrations", f"Not applied: {', '.join(missing)}. Run migrate.")
    else:
        yield ok("migrations", "All are applied.")


def examine_tables() -> Iterator[Finding]:
    """Compare what the tables were made for with the settings of now."""
    for subject, noted, now, setting in checks.made_for(Status.read()):
        if not noted:
            yield warning(subject, "Not noted: run migrate.")
        elif noted.lower() != now.lower():
            yield failure(
                subject, f"The tables were made for {noted}, but {setting} leads to {now}."
            )
        else:
            yield ok(subject, f"{now}, as when the tables were made.")


def examine_switch() -> Iterator[Finding]:
    """Read the waffle switch, which also shows whether the database answers."""
    if switch_is_on():
        yield ok("switch", f"{SWITCH} is on.")
    else:
        yield warning("switch", f"{SWITCH} is off: changes are kept, nothing is sent.")


def examine_basket() -> Iterator[Finding]:
    """Try URL, key and newsletters; Basket is not asked while the switch is off."""
    try:
        calls.look_up(NOBODY)
        newsletters = calls.catalogue()
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
            yield failure("newsletter", f"Basket does not know {slug}: nobody is subscribed to it.")
        elif not entry.get("active", True):
            yield warning("newsletter", f"{slug} is not active in Basket.")
        else:
            words = {"private": "private", "requires_double_optin": "double opt-in"}
            kinds = "".join(f", {word}" for column, word in words.items() if entry.get(column))
            yield ok("newsletter", f"{slug} is active{kinds}.")


def check_basket(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """Ask Basket for its catalogue, for ``check --deploy``; not while the switch is off."""
    try:
        may_ask = switch_is_on()
    except DatabaseError:  # as before the first migrate
        may_ask = False
    if not may_ask:
        text = "Basket was not asked for its newsletters: the switch is off, or cannot be read."
        yield checks.note(301, text, HINT)
        return
    for each in examine_basket():
        if each.level is Level.FAILURE:
            yield checks.error(305, f"{each.subject}: {each.text}", HINT)
        elif each.level is Level.WARNING:
            yield checks.caution(301, f"{each.subject}: {each.text}", HINT)


def examine_broker() -> Iterator[Finding]:
    """Find out whether the broker takes connections."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except Exception as error:  # noqa: BLE001 - any error of the transport; it can hold a URL
        yield failure("broker", f"It takes no connection ({type(error).__qualname__}).")
    else:
        yield ok("broker", "It takes connections.")


def examine_workers() -> Iterator[Finding]:
    """Read when the sweep last ran: beat sends it and a worker runs it, so it shows both."""
    swept = Status.read().swept_at
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
    if names := checks.differing_settings(Status.read()):
        yield warning("worker", f"It has other settings than this process: {', '.join(names)}.")


def note_settings() -> None:
    """Note a worker's settings, and log it if the worker that swept before had others."""
    status = Status.read()
    if names := checks.differing_settings(status):
        logger.warning(
            "Settings differ from those of the worker that swept last: %s. Give all processes "
            "the same ones.",
            ", ".join(names),
        )
    if (digests := checks.settings_digests()) != status.worker_settings:
        Status.objects.filter(pk=1).update(worker_settings=digests)


def _sweep_entry() -> dict[str, Any]:
    schedule: dict[str, dict[str, Any]] = current_app.conf.beat_schedule or {}
    return schedule.get("mozillians_basket.sweep", {})


def is_overdue(swept: datetime | None) -> bool:
    """Whether the last sweep is so long ago that no worker, or no beat, can be running."""
    every = _sweep_entry().get("schedule", 5.0)
    interval = timedelta(seconds=every if isinstance(every, int | float) else 60)
    return swept is None or timezone.now() - swept > max(timedelta(minutes=1), 5 * interval)


def examine_queue() -> Iterator[Finding]:
    """Count waiting touches and contacts, and failed ones."""
    queue = statistics.queue()
    waits = [moment for moment in (queue.oldest_touch, queue.oldest) if moment is not None]
    touches = f"more than {statistics.MANY}" if queue.many_touches else str(queue.touches)
    text = f"{touches} touches to drain, {queue.due} contacts due"
    if waits:
        text += f"; the oldest was touched {ago(min(waits))}"
    stuck = bool(waits) and timezone.now() - min(waits) > LONG_WAIT and switch_is_on()
    yield (warning if stuck else ok)("queue", f"{text}.")
    failing = Contact.objects.filter(failing_since__isnull=False).count()
    text = f"{failing} contacts have a problem, {queue.parked} of these are parked."
    yield (warning if queue.parked else ok)("failures", text)
    refused = Subscription.objects.filter(state=State.REFUSED)
    if number := refused.values("contact").distinct().count():
        yield warning("refusals", f"Basket refuses something to {number} contacts.")


def examine_breaker() -> Iterator[Finding]:
    """Examine the breaker, paused newsletters and open approvals."""
    status = Status.read()
    if status.opened_at is not None:
        yield failure(
            "breaker",
            f"Opened {ago(status.opened_at)} ({status.reason}, HTTP {status.http_status}, "
            f"code {status.error_code or 'none'}): only single probes are sent.",
        )
    else:
        yield ok("breaker", "Closed.")
    for slug in sorted(status.unknown):
        yield failure("newsletter", f"{slug} is paused until it is in Basket's catalogue.")
    for approval in approvals.open_questions().filter(answer=""):
        command = approvals.COMMANDS[Approval.Kind(approval.kind)]
        yield failure("approval", f"{approval.sentence} {command}")


def examine_reconciliation() -> Iterator[Finding]:
    """Read when the site and the ledger were last compared."""
    if (reconciled := Status.read().reconciled_at) is None:
        yield warning("reconciliation", "Site and ledger were never compared.")
    else:
        yield ok("reconciliation", f"Site and ledger were compared {ago(reconciled)}.")


def ago(moment: datetime) -> str:
    """Say roughly how long ago something was."""
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} seconds ago"


#: Without these, the others would say nothing.
NEEDED = (examine_settings, examine_migrations)

EXAMINATIONS: tuple[Examination, ...] = (
    *NEEDED,
    examine_tables,
    examine_switch,
    examine_basket,
    examine_broker,
    examine_workers,
    examine_queue,
    examine_breaker,
    examine_reconciliation,
)
