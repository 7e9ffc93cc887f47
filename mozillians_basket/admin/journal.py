"""What admins ordered for problems, in Django's own log of admins' doings."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mozillians_basket.ledger.repairs import CHUNK
from mozillians_basket.models import Problem, Repair
from mozillians_basket.redaction import redacted


def log_repairs(
    request: HttpRequest, action: Repair.Action, contact_ids: Sequence[int], remark: str = ""
) -> None:
    """An entry for each problem; one for all where the worker carries it out, as they are many."""
    said = _("Tried again.") if action == Repair.Action.RETRY else _("Put aside.")
    message = " ".join(filter(None, [said, redacted(remark)]))
    actor: Any = request.user.pk
    if len(contact_ids) <= CHUNK:
        problems = Problem.objects.filter(pk__in=contact_ids).only("pk")
        LogEntry.objects.log_actions(actor, problems, CHANGE, message)
        return
    number = len(contact_ids)
    LogEntry.objects.create(
        user_id=actor,
        content_type=ContentType.objects.get_for_model(Problem, for_concrete_model=False),
        object_repr=ngettext("%(count)d problem", "%(count)d problems", number) % {"count": number},
        action_flag=CHANGE,
        change_message=message,
    )
