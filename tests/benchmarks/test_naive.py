"""The naive baseline is a site of its own that does the same job, without this app."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer

ROOT = Path(__file__).resolve().parent.parent.parent

Play = Callable[[str], str]

#: Runs tasks in the process that sends them; a story changes its people.
BEGIN = """
import sys, django
django.setup()
from django.core.management import call_command
from django.contrib.auth.models import User
from waffle.models import Switch
from benchmarks.naive import celery_app
from project.people.models import UserProfile, Vouch
celery_app.conf.update(task_always_eager=True, task_eager_propagates=True)
call_command("migrate", verbosity=0)
switch = Switch.objects.create(name="BASKET_SWITCH_ENABLED", active=True)
people = [
    UserProfile.objects.create(user=User.objects.create(username=name, email=f"{name}@example.com"))
    for name in ("ada", "grace", "alan")
]
ada, grace, alan = people
"""


@pytest.fixture
def play(basket_sandbox: SandboxServer) -> Play:
    """Play a story in the baseline's site; return what it prints."""

    def story(text: str) -> str:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DJANGO_SETTINGS_MODULE": "benchmarks.naive.settings",
            "PYTHONPATH": str(ROOT),
            "SECRET_KEY": "only-for-tests",
            "DATABASE_URL": "sqlite://:memory:",
            "BROKER_URL": "memory://",
            "BASKET_URL": basket_sandbox.url,
            "BASKET_API_KEY": basket_sandbox.api_key,
        }
        command = [sys.executable, "-W", "error::RuntimeWarning", "-c", BEGIN + text]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout

    return story


def held(basket: SandboxServer) -> dict[str, set[str]]:
    return {address: set(person.newsletters) for address, person in basket.people.items()}


def test_baseline_subscribes_vouched_members_who_lack_the_newsletter(
    play: Play, basket_sandbox: SandboxServer
) -> None:
    basket_sandbox.put_person("grace@example.com", newsletters=["mozilla-phone"])

    play(
        """
for person in (ada, grace):
    Vouch.objects.create(vouchee=person)
"""
    )

    assert held(basket_sandbox) == {
        "ada@example.com": {"mozilla-phone"},
        "grace@example.com": {"mozilla-phone"},
    }
    calls = [request.endpoint for request in basket_sandbox.requests]
    assert calls == ["lookup", "subscribe", "lookup"]


def test_baseline_sends_nothing_while_the_switch_is_off(
    play: Play, basket_sandbox: SandboxServer
) -> None:
    play(
        """
switch.active = False
switch.save()
Vouch.objects.create(vouchee=ada)
"""
    )

    assert basket_sandbox.requests == []


def test_nothing_of_the_app_is_in_the_baseline(play: Play) -> None:
    loaded = play("print([name for name in sys.modules if name.startswith('mozillians_basket')])")
    fixups = play("print([type(each).__module__ for each in celery_app._fixups])")

    assert loaded.strip() == "[]"
    assert fixups.strip() == "['celery.fixups.django']"
