"""A health report for monitoring, as JSON: ``path("health/basket/", health)``."""

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mozillians_basket.upkeep import doctor, statistics
from mozillians_basket.upkeep.doctor import Level

#: The examinations of the report: the doctor's, but for those that ask Basket.
EXAMINATIONS = (
    doctor.examine_switch,
    doctor.examine_breaker,
    doctor.examine_workers,
    doctor.examine_broker,
    doctor.examine_queue,
)


@never_cache
@require_safe
@transaction.non_atomic_requests
def health(request: HttpRequest) -> JsonResponse:
    """
    Report whether changes can reach Basket; the status is 503 if not.

    Warnings, such as a switch that is off, leave it at 200. There are no addresses
    and no keys of members in the report.
    """
    found = doctor.examine(EXAMINATIONS)
    level = max((each.level for each in found), key=[*Level].index)
    queue: dict[str, Any] | None = None
    with suppress(DatabaseError):
        queue = asdict(statistics.queue())
        for name in ("oldest", "oldest_touch"):
            queue[f"{name}_seconds"] = age(queue.pop(name))
    report = {"status": level, "queue": queue, "findings": [asdict(each) for each in found]}
    return JsonResponse(report, status=503 if level is Level.FAILURE else 200)


def age(moment: datetime | None) -> float:
    """Return the seconds since a moment; 0 where there is none."""
    return 0.0 if moment is None else max(0.0, (timezone.now() - moment).total_seconds())
