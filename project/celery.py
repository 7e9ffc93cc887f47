"""The site's Celery app, configured by the CELERY_ names in Django's settings."""

import os

from celery import Celery
from celery.signals import setup_logging
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.dev")

TRANSPORT_ALIASES["filesystem"] = "project.broker:Transport"

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect(dispatch_uid="project.keep_django_logging")
def keep_django_logging(**kwargs: object) -> None:
    """
    Leave logging as Django's LOGGING set it up.

    Celery asks no further once this signal has a receiver. Left to itself it
    opens all loggers to the worker's level, those that print addresses too.
    """
