"""Fixtures for all tests."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import AppConfig
from django.core.cache import caches
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.utils import timezone, translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact
from mozillians_basket.sandbox.testing import SandboxServer
from project.celery import app
from project.groups.models import Group
from project.people.models import UserProfile
from tests.brokers import broker, commit
from tests.factories import VouchFactory

__all__ = ["broker", "commit"]

# No test fails because the machine is busy, or for an example that no earlier run has tried.
hypothesis_settings.register_profile(
    "new-examples", deadline=None, derandomize=False, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile(
    "same-examples", hypothesis_settings.get_profile("new-examples"), derandomize=True
)
hypothesis_settings.load_profile("same-examples")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests, so that no process is left with one while the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Keep all that was imported out of Python's collections of garbage: it stays to the end."""
    gc.collect()
    gc.freeze()


@receiver(post_migrate)
def keep_the_nda_group(sender: AppConfig, using: str, **kwargs: object) -> None:
    """
    Make the group again that a migration makes: Django empties all tables after some tests.

    In bulk, as a migration does: a signal would leave a touch for the next test.
    """
    if sender.label == Group._meta.app_label:
        nda = Group(slug="nda", name="NDA")
        Group.objects.using(using).bulk_create([nda], ignore_conflicts=True)


@pytest.fixture(autouse=True)
def basket_messages() -> None:
    """Replace the plugin's fixture: these tests have a broker of their own, or eager tasks."""


@pytest.fixture(autouse=True)
def nothing_is_cached() -> None:
    """Forget what an earlier test left in a cache: the switch, counts, throttled requests."""
    for cache in caches.all(initialized_only=True):
        cache.clear()


@pytest.fixture(autouse=True)
def no_language_is_left() -> Iterator[None]:
    """Forget the language of the last request: Django keeps it for the thread."""
    yield
    translation.deactivate()


@pytest.fixture
def switch_on(db: None) -> Iterator[None]:
    """Turn the switch on."""
    with override_switch(SWITCH, active=True):
        yield


@pytest.fixture
def eager() -> Iterator[None]:
    """Run tasks in the thread that sends them, at once."""
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    yield
    app.conf.update(task_always_eager=False, task_eager_propagates=False)


@pytest.fixture
def basket(
    basket_sandbox: SandboxServer, settings: Any, switch_on: None, eager: None
) -> SandboxServer:
    """A Basket of the test's own for the app, with the switch on."""
    settings.BASKET_URL = basket_sandbox.url
    settings.BASKET_API_KEY = basket_sandbox.api_key
    return basket_sandbox


@pytest.fixture
def vouched(basket: SandboxServer, commit: Any) -> UserProfile:
    """A vouched member whose newsletter is at Basket and was seen by a lookup."""
    with commit():
        vouch = VouchFactory.create()
    Contact.objects.update(touched_at=timezone.now())
    tasks.sweep()
    return vouch.vouchee
