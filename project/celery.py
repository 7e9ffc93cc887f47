"""The site's Celery app, configured by the CELERY_ names in Django's settings."""

import os
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging, task_prerun
from django.db import close_old_connections
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.dev")

TRANSPORT_ALIASES["filesystem"] = "project.broker:Transport"

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect(dispatch_uid="project.renew_connections")
def renew_connections(task: "Task[Any, Any]", **kwargs: object) -> None:
    """
    Replace database connections that broke or are old, as Django does before a request.

    Celery does not: it can only close them after each task, or keep them as they are.
    """
    if not task.request.is_eager:
        close_old_connections()


@setup_logging.connect(dispatch_uid="project.keep_django_logging")
def keep_django_logging(**kwargs: object) -> None:
    """
    Leave logging as Django's LOGGING sets it up.

    Celery sets up no logging once this signal has a receiver. Otherwise it would
    set all loggers to the worker's level, also those that print addresses.
    """
