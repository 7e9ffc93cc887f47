"""What runs by itself: the sweeper, the reconciler, the expansion of bulk requests."""

import io
import os
import time
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from benchmarks.acts.large import make_due
from benchmarks.processes import peak_memory

#: What a plan may not do to these.
LARGE = (
    "mozillians_basket_contact", "mozillians_basket_subscription", "mozillians_basket_event",
    "people_userprofile",
)  # fmt: skip


def ticks(due: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of the sweeper's ticks in a process that is warm: with work, and without."""
    from mozillians_basket.models import Contact
    from mozillians_basket.tasks import sweep

    def milliseconds() -> float:
        began = time.perf_counter()
        sweep()
        return 1000 * (time.perf_counter() - began)

    make_due(10)
    sweep()
    times: dict[str, list[float]] = {"due": [], "idle": []}
    make_due(due)
    for _ in range(rounds):
        times["due"].append(milliseconds())
    Contact.objects.filter(touched_at__isnull=False).update(touched_at=None)
    times["idle"] = [milliseconds() for _ in range(rounds)]
    return times


def plans_of_a_tick() -> dict[str, Any]:
    """
    The statements of one tick, and which of them read a large table from end to end.

    Nothing of the tick stays.
    """
    from mozillians_basket.tasks import sweep

    with transaction.atomic():
        with CaptureQueriesContext(connection) as captured:
            sweep()
        transaction.set_rollback(True)
    statements = [query["sql"] for query in captured]
    scanning = []
    with connection.cursor() as cursor:
        for statement in statements:
            if not statement.startswith(("SELECT", "UPDATE", "DELETE")):
                continue
            cursor.execute(f"EXPLAIN {statement}")
            plan = [line for (line,) in cursor.fetchall()]
            scanning += [
                line.strip() for line in plan
                if "Seq Scan" in line and any(f"on {table}" in line for table in LARGE)
            ]  # fmt: skip
    return {"statements": len(statements), "scanning": scanning}


def prune(days: int) -> dict[str, Any]:
    """Run ``basket_prune``: seconds, and how many events went."""
    from mozillians_basket.models import Event

    before = Event.objects.count()
    began = time.perf_counter()
    call_command("basket_prune", "--days", str(days), stdout=io.StringIO())
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "deleted": before - Event.objects.count()}


def reconcile() -> dict[str, Any]:
    """Run ``basket_reconcile --apply``: seconds, and the most memory this process had."""
    connection.ensure_connection()
    before = peak_memory(os.getpid())
    began = time.perf_counter()
    said = io.StringIO()
    call_command("basket_reconcile", "--apply", stdout=said)
    return {
        "seconds": time.perf_counter() - began,
        "memory": peak_memory(os.getpid()),
        "before": before,
    }
