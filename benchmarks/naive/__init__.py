"""
The naive baseline: an afternoon's work of a good engineer with the same libraries.

A ``post_save`` handler calls ``.delay()``. A task asks the switch and starts a chain of two,
with one call of basket-client in each. Results are in the database, and Celery has its defaults.
"""

import os

from celery import Celery
from django.apps import AppConfig

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.naive.settings")

celery_app = Celery("naive")
celery_app.config_from_object("django.conf:settings", namespace="CELERY")
celery_app.autodiscover_tasks(["benchmarks.naive"])


class NaiveConfig(AppConfig):
    """The app of the baseline: the newsletter of vouched members."""

    name = "benchmarks.naive"

    def ready(self) -> None:
        """Connect the handler."""
        from benchmarks.naive import tasks  # noqa: F401
