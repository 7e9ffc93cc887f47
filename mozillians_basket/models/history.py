"""The history that admins read, and its counts by hour."""

import logging
from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from mozillians_basket.conf import conf
from mozillians_basket.models.base import Ledger, Row, reference
from mozillians_basket.models.bulk import BulkRequest
from mozillians_basket.models.contacts import Contact

logger = logging.getLogger("mozillians_basket.history")


class EventQuerySet(models.QuerySet["Event"]):
    """Events that are logged once they are committed."""

    def bulk_create(self, objs: Iterable["Event"], *args: Any, **options: Any) -> "list[Event]":
        """Write events."""
        events = super().bulk_create(objs, *args, **options)
        log_once_committed(events, self.db)
        return events


class Event(Row):
    """One thing that happened to a member or contact. It holds no address."""

    class Kind(models.TextChoices):
        """
        The kinds of events; the label is what the history shows.

        A new kind needs a value of up to 20 characters, a migration of ``Event`` and
        ``HourlyCount``, and ``make messages``. The history page, its filters and the hourly counts
        follow by themselves; a column in the overview's tables is ``COLUMNS`` in ``admin/charts``.
        Most follow from changed rows, in ``events`` of ``ledger/history.py``: ``MOVED`` for each
        new ``Move``, when a member gets another address or none.
        """

        DECIDED = "decided", _("decided")
        SUBSCRIBED = "subscribed", _("subscribed")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        MOVED = "moved", _("address changed")
        OPTED_OUT = "opted_out", _("opted out")
        RETURNED = "returned", _("came back")
        RENAMED = "renamed", _("has another address at Basket")
        MISSING = "missing", _("missing at Basket")
        REFUSED = "refused", _("refused")
        PARKED = "parked", _("parked")
        ERASED = "erased", _("erased")
        RETRIED = "retried", _("an admin asked to try again")
        DISMISSED = "dismissed", _("an admin dismissed a problem")
        ORDERED = "ordered", _("bulk request ordered")
        CANCELLED = "cancelled", _("bulk request cancelled")
        ASKED = "asked", _("admins were asked")
        ANSWERED = "answered", _("an admin answered")

    member = reference(conf.MEMBER_MODEL, _("member"))
    contact = reference(Contact, _("contact"), _("Empty where it concerns the whole site."))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    newsletters = models.JSONField(_("newsletters"), default=list)
    outcome = models.CharField(_("outcome"), max_length=40, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    cause = models.CharField(_("cause"), max_length=200, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    actor = reference(settings.AUTH_USER_MODEL, _("actor"))
    bulk_request = reference(BulkRequest, _("bulk request"))
    task_id = models.CharField(_("task"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("when"), default=timezone.now)

    objects: ClassVar[Any] = Ledger.from_queryset(EventQuerySet)()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("history")
        # Each ends with the order of the history page, so that a filtered page is read off it.
        indexes = [
            models.Index(fields=["contact", "-created_at"], name="basket_event_of_contact"),
            models.Index(
                fields=["member", "-created_at"],
                name="basket_event_of_member",
                condition=Q(member__isnull=False),
            ),
            models.Index(fields=["-created_at", "-id"], name="basket_event_newest"),
            models.Index(fields=["kind", "-created_at", "-id"], name="basket_event_kind"),
            models.Index(
                fields=["actor", "-created_at", "-id"],
                name="basket_event_actor",
                condition=Q(actor__isnull=False),
            ),
            models.Index(
                fields=["bulk_request", "-created_at", "-id"],
                name="basket_event_bulk_request",
                condition=Q(bulk_request__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        moment = timezone.localtime(self.created_at)
        return f"{self.get_kind_display()}, {date_format(moment, 'DATETIME_FORMAT')}"

    def save(self, *args: Any, **options: Any) -> None:
        """Write the event, which is never changed later."""
        super().save(*args, **options)
        log_once_committed([self], self._state.db)


def log_once_committed(events: Collection[Event], using: str | None) -> None:
    """
    Log events at DEBUG, as there are as many as changes: a site that wants them sets this level.

    A record's ``basket`` has the keys of rows and all else that is stored, but for notes.
    """
    if not events or not logger.isEnabledFor(logging.DEBUG):
        return

    def log() -> None:
        fields = [field for field in Event._meta.concrete_fields if field.name != "note"]
        for event in events:
            values = {field.name: getattr(event, field.attname) for field in fields}
            told = {name: value for name, value in values.items() if value not in ("", None, [])}
            text = " ".join([event.kind, *event.newsletters])
            logger.debug("%s", text, extra={"basket": told})

    transaction.on_commit(log, using=using)


class HourlyCount(Row):
    """The number of events of one kind in an hour that is over; no row for an hour without any."""

    hour = models.DateTimeField(_("hour"), help_text=_("Its beginning."))
    kind = models.CharField(_("kind"), max_length=20, choices=Event.Kind)
    newsletter = models.CharField(
        _("newsletter"),
        max_length=100,
        blank=True,
        help_text=_("Empty for all events of the kind, whatever newsletters they name."),
    )
    number = models.PositiveIntegerField(_("number"))

    class Meta:
        verbose_name = _("hourly count")
        verbose_name_plural = _("hourly counts")
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "kind", "newsletter"], name="basket_one_count_per_hour"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.number} {self.kind} {self.newsletter}".rstrip()
