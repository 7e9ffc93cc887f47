"""Celery's instrumentation traces the app's tasks as they are, in a process of its own."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings as site_settings

SCRIPT = """
import django
from celery.contrib.testing.worker import start_worker
from django.core.management import call_command
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

django.setup()
from mozillians_basket import tasks
from project.celery import app

exporter = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
CeleryInstrumentor().instrument()
call_command("migrate", verbosity=0)
with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=60):
    tasks.unsubscribe_from_basket_task.delay("ana@example.com", ["mozilla-phone"]).get(timeout=30)
    failed = tasks.update_email_in_basket.delay("ana.example.com", "ben@example.com")
    failed.get(timeout=30, propagate=False)
print("spans", *(span.to_json(indent=None) for span in exporter.get_finished_spans()), sep=chr(10))
"""


@pytest.mark.programs
def test_tasks_are_traced_without_addresses(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=site_settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings.dev",
            "DATABASE_URL": "",
            "BROKER_URL": "memory://",
            "PROJECT_VAR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr

    told = ended.stdout.partition("spans\n")[2]
    spans = {span["name"]: span for span in map(json.loads, told.splitlines())}
    sent = spans["apply_async/mozillians_basket.tasks.unsubscribe_from_basket_task"]
    ran = spans["run/mozillians_basket.tasks.unsubscribe_from_basket_task"]
    failed = spans["run/mozillians_basket.tasks.update_email_in_basket"]
    assert ran["context"]["trace_id"] == sent["context"]["trace_id"]
    assert failed["status"]["status_code"] == "ERROR"
    assert "example.com" not in told
