"""
The naive baseline: what a good engineer writes in an afternoon with the same libraries.

A ``post_save`` handler that calls ``.delay()``, a task that asks the switch and starts a chain of
two, one call of basket-client in each, results in the database, and Celery's defaults.
"""

import os

from celery import Celery
from django.apps import AppConfig

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.naive.settings")

celery_app = Celery("naive")
celery_app.config_from_object("django.conf:settings", namespace="CELERY")
celery_app.autodiscover_tasks(["benchmarks.naive"])


class NaiveConfig(AppConfig):
    """The newsletter of vouched members."""

    name = "benchmarks.naive"

    def ready(self) -> None:
        """Connect the handler."""
        from benchmarks.naive import tasks  # noqa: F401
