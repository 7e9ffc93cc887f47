"""Rows of the history."""

from collections.abc import Iterable
from typing import Any

from celery import current_task

from mozillians_basket.models import Contact, Event


def event_of(
    contact: Contact, kind: Event.Kind, newsletters: Iterable[str] = (), **more: Any
) -> Event:
    """A row of the history, not saved yet, with the running task as its origin."""
    request = current_task.request if current_task else None
    return Event(
        contact=contact,
        kind=kind,
        newsletters=sorted(newsletters),
        cause=contact.cause,
        task_id=(request and request.id) or "",
        **more,
    )
