"""Metrics for Prometheus; they need the extra ``metrics``. No label holds an address or key."""

import os
from collections.abc import Iterator
from typing import Any

from celery.signals import worker_ready
from django.db import DatabaseError, transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.contrib.health import age
from mozillians_basket.models import Approval, Status
from mozillians_basket.signals import call_made
from mozillians_basket.site import get_site
from mozillians_basket.upkeep import statistics

#: The calls of this process; with PROMETHEUS_MULTIPROC_DIR, those of all that share the folder.
CALLS = Histogram(
    "basket_call_seconds",
    "Calls to Basket: how many, and how long they took.",
    ["call", "status"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40),
)


@receiver(call_made, dispatch_uid="mozillians_basket.contrib.metrics")
def observe_call(*, call: str, status: int, seconds: float, **kwargs: Any) -> None:
    """Count a call; the status is ``none`` where Basket gave no answer."""
    CALLS.labels(call, str(status or "none")).observe(seconds)


class BasketCollector(Collector):
    """The numbers of the ledger, read at each scrape: those of the admin's overview."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Name no metric, as the database need not be there when this is registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the ledger; while the database is away, only that is told."""
        try:
            found = list(_gauges())
        except DatabaseError:
            found = []
        text = "Whether the ledger could be read."
        yield GaugeMetricFamily("basket_ledger_up", text, value=bool(found))
        yield from found


def _gauges() -> Iterator[GaugeMetricFamily]:
    status, queue, standing = Status.read(), statistics.queue(), statistics.subscriptions()
    yield _gauge("switch_on", "Whether BASKET_SWITCH_ENABLED is on.", switch_is_on())
    yield _gauge("breaker_open", "Whether only single probes are sent.", status.is_open)
    yield _gauge("failures", "Failures of Basket in a row.", status.failures)
    yield _gauge("touches", "Changes that were not looked at yet.", queue.touches)
    yield _gauge("oldest_touch_seconds", "Age of the oldest of them.", age(queue.oldest_touch))
    yield _gauge("due_contacts", "Contacts that can be worked on now.", queue.due)
    yield _gauge("oldest_due_seconds", "Age of the oldest of them.", age(queue.oldest))
    waiting = _family("waiting_contacts", "Contacts that are not due, by the reason.", "reason")
    for reason in ("under_way", "failed", "resting", "parked"):
        waiting.add_metric([reason], getattr(queue, reason))
    yield waiting
    yield _gauge("refused_subscriptions", "Subscriptions that Basket refuses.", queue.refused)

    text = "Subscriptions by state; wanted counts members, the other states count addresses."
    subscriptions = _family("subscriptions", text, "newsletter", "state")
    for row in standing.newsletters:
        for state in ("wanted", "confirmed", "awaiting", "opted_out", "refused", "missing"):
            subscriptions.add_metric([row.name, state], getattr(row, state))
    yield subscriptions

    asked = Approval.objects.filter(closed_at=None, answer="")
    numbers = {(each.newsletter, each.kind): each.number for each in asked}
    text = "Subscriptions that an open question is about: a loss, or removals held by a brake."
    questions = _family("open_questions", text, "newsletter", "kind")
    paused = _family("paused_newsletters", "Whether Basket does not know it.", "newsletter")
    for name in sorted(get_site().newsletters):
        for kind in Approval.Kind.values:
            questions.add_metric([name, kind], numbers.get((name, kind), 0))
        paused.add_metric([name], name in status.unknown)
    yield from (questions, paused)

    ran = _family("last_run_timestamp_seconds", "When a periodic task last ran.", "task")
    for task, moment in (
        ("sweep", status.swept_at),
        ("reconcile", status.reconciled_at),
        ("verify", status.verified_at),
    ):
        ran.add_metric([task], moment.timestamp() if moment else 0)
    yield ran


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"basket_{name}", text, value=value)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"basket_{name}", text, labels=labels)


def call_registry() -> CollectorRegistry:
    """Return a registry of the calls: this process's, or those of all that share a folder."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(CALLS)
    return registry


@never_cache
@require_safe
@transaction.non_atomic_requests
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus: the ledger's numbers, and the calls that this process knows of."""
    registry = call_registry()
    registry.register(BasketCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def serve_from_worker(port: int, address: str = "127.0.0.1") -> None:
    """
    Have this process answer Prometheus with its calls, if it is a worker, once it is ready.

    Its pool's processes write into the folder PROMETHEUS_MULTIPROC_DIR, which must be
    set, and empty, before the worker starts. A pool of threads needs no folder.
    """

    def serve(**kwargs: Any) -> None:
        start_http_server(port, address, call_registry())

    worker_ready.connect(serve, weak=False, dispatch_uid="mozillians_basket.contrib.metrics")
