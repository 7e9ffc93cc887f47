"""Redaction in the real Sentry SDK, in a process of its own: the SDK patches what it finds."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings as site_settings

from mozillians_basket.contrib.sentry import redact

ADDRESS = "ana.müller@example.com"
TOKEN = "0b5f7f3c-3f7c-4b1a-9a53-0d9b6c1f2a77"
API_KEY, SUPPRESSION_KEY = "api-key-and-secret", "suppression-key-and-secret"

SCRIPT = """
import django, json, logging, sys
import sentry_sdk
from sentry_sdk.transport import Transport

from mozillians_basket.contrib.sentry import redact

ADDRESS, TOKEN = sys.argv[1:]
HOOKS = ("before_send", "before_send_transaction", "before_breadcrumb")

class Printing(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            if item.payload.json:
                print(json.dumps(item.payload.json, ensure_ascii=False))

sentry_sdk.init(
    dsn="https://public@sentry.example.org/1",
    transport=Printing,
    traces_sample_rate=1.0,
    send_default_pii=True,
    max_request_body_size="always",
    **(dict.fromkeys(HOOKS, redact) if MASKED else {}),
)
django.setup()
from celery import shared_task
from django.conf import settings
from project.celery import app
from mozillians_basket.models import Contact

app.conf.update(task_always_eager=True)

@shared_task(name="failing")
def failing(email, token):
    contact = Contact(pk=4711, email=email, key=email, token=token)
    key = settings.BASKET_API_KEY
    sent = {"headers": {"X-Api-Key": key}, "hash": settings.BASKET_SUPPRESSION_KEY}
    raise RuntimeError(f"no luck with {email}")

logging.getLogger("anything").warning("looking up %s at /news/user/%s/", ADDRESS, TOKEN)
with sentry_sdk.start_transaction(op="test", name=f"carrying {ADDRESS}"):
    failing.delay(ADDRESS, token=TOKEN)
sentry_sdk.flush()
"""


def sent(*, masked):
    """Return what the SDK would send about a failing task, as text."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("MASKED", str(masked)), ADDRESS, TOKEN],
        cwd=site_settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings.dev",
            "BASKET_API_KEY": API_KEY,
            "BASKET_SUPPRESSION_KEY": SUPPRESSION_KEY,
            "DATABASE_URL": "",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


SECRETS = [ADDRESS, TOKEN, API_KEY, SUPPRESSION_KEY]


@pytest.mark.programs
def test_without_redaction_sentry_gets_it_all():
    text = sent(masked=False)

    assert [secret for secret in SECRETS if secret not in text] == []


@pytest.mark.programs
def test_with_redaction_sentry_gets_the_error_without_addresses_and_keys():
    text = sent(masked=True)

    assert [secret for secret in SECRETS if secret in text] == []
    events = [json.loads(line) for line in text.splitlines()]
    (error,) = [each for each in events if each.get("level") == "error"]
    (failure,) = error["exception"]["values"]
    assert (failure["type"], failure["value"]) == ("RuntimeError", "no luck with ***")
    assert failure["stacktrace"]["frames"][-1]["function"] == "failing"
    assert error["extra"]["celery-job"]["task_name"] == "failing"
    assert any(each.get("type") == "transaction" for each in events)


def test_ids_of_tasks_stay_readable():
    event = {"tags": {"celery_task_id": TOKEN}, "extra": {"contact": 4711, "token": TOKEN}}

    assert redact(event) == {
        "tags": {"celery_task_id": TOKEN},
        "extra": {"contact": 4711, "token": "***"},
    }


def test_addresses_in_names_and_lists_are_masked():
    assert redact({"ana@example.com": [{"to": ("ben@example.com",)}]}) == {"***": [{"to": ["***"]}]}
