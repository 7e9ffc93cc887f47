"""A health report for monitoring, as JSON: ``path("health/basket/", health)``."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mozillians_basket.upkeep import doctor, statistics
from mozillians_basket.upkeep.doctor import Finding, Level

#: The examinations of the report: the doctor's, but for those that ask Basket.
EXAMINATIONS = (
    doctor.examine_switch,
    doctor.examine_breaker,
    doctor.examine_workers,
    doctor.examine_broker,
    doctor.examine_queue,
)


def findings() -> list[Finding]:
    """Examine switch, breaker, questions, beat, broker and queue; no request is sent to Basket."""
    return doctor.examine(EXAMINATIONS)


def worst(found: list[Finding]) -> Level:
    """Return the level of the worst finding."""
    levels = {each.level for each in found}
    return next(level for level in (Level.FAILURE, Level.WARNING, Level.OK) if level in levels)


@never_cache
@require_safe
@transaction.non_atomic_requests
def health(request: HttpRequest) -> JsonResponse:
    """
    Report whether changes can reach Basket; the status is 503 if not.

    Warnings, such as a switch that is off, leave it at 200. There are no addresses
    and no keys of members in the report.
    """
    found = findings()
    level = worst(found)
    report = {
        "status": level,
        "queue": queue(),
        "findings": [asdict(each) for each in found],
    }
    return JsonResponse(report, status=503 if level is Level.FAILURE else 200)


def queue() -> dict[str, Any] | None:
    """Return the numbers of the queue; ``None`` while the database is away."""
    try:
        counted = statistics.queue()
    except DatabaseError:
        return None
    numbers = asdict(counted)
    for name in ("oldest", "oldest_touch"):
        numbers[f"{name}_seconds"] = age(numbers.pop(name))
    return numbers


def age(moment: datetime | None) -> float:
    """Return the seconds since a moment; 0 where there is none."""
    return 0.0 if moment is None else max(0.0, (timezone.now() - moment).total_seconds())
