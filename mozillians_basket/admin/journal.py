"""Retries and dismissals of problems, in the history and in Django's admin log."""

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mozillians_basket.admin.causes import RETRY
from mozillians_basket.models import Event, FailingContact, alias
from mozillians_basket.redaction import redacted

#: Up to so many problems have an entry each; for more there is one for all of them.
EACH = 500


def log_problems(
    request: HttpRequest, problems: QuerySet[Any], kind: Event.Kind, note: str = ""
) -> None:
    """Note that problems are retried or dismissed; call it before they are. No address is kept."""
    actor: Any = request.user.pk
    note = redacted(note)
    rows = list(problems.order_by("pk").only("pk", "problem")[: EACH + 1])
    said = _("Tried again.") if kind == Event.Kind.RETRIED else _("Put aside.")
    message = " ".join(filter(None, [said, note]))
    common: dict[str, Any] = {
        "kind": kind,
        "actor_id": actor,
        "note": note[:200],
        "cause": RETRY if kind == Event.Kind.RETRIED else "",
    }
    if len(rows) <= EACH:
        Event.objects.using(alias()).bulk_create(
            Event(contact_id=row.pk, outcome=row.problem, **common) for row in rows
        )
        LogEntry.objects.log_actions(actor, rows, CHANGE, message)
        return
    number = problems.count()
    text = ngettext("%(count)d problem", "%(count)d problems", number) % {"count": number}
    Event.objects.using(alias()).create(outcome=text, **common)
    LogEntry.objects.create(
        user_id=actor,
        content_type=ContentType.objects.get_for_model(FailingContact, for_concrete_model=False),
        object_repr=text,
        action_flag=CHANGE,
        change_message=message,
    )
