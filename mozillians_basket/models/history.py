"""Admins' bulk requests, and the history of what happened."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from mozillians_basket.conf import conf
from mozillians_basket.models.ledger import Contact


class Batch(models.Model):
    """An admin's bulk request."""

    class Action(models.TextChoices):
        """What was asked for."""

        SUBSCRIBE = "subscribe", _("subscribe")
        UNSUBSCRIBE = "unsubscribe", _("unsubscribe")

    class State(models.TextChoices):
        """How far it got."""

        DRAFT = "draft", _("not confirmed")
        EXPANDING = "expanding", _("collecting members")
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    state = models.CharField(_("state"), max_length=20, choices=State, default=State.RUNNING)
    action = models.CharField(_("action"), max_length=20, choices=Action)
    newsletters = models.JSONField(_("newsletters"), default=list)
    despite_opt_out = models.BooleanField(_("also those who opted out themselves"), default=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    selection = models.JSONField(
        _("selection"),
        default=dict,
        blank=True,
        help_text=_("Which members were selected: their keys, or the list's filters."),
    )
    expanded_to = models.CharField(
        _("collected up to"),
        max_length=200,
        blank=True,
        help_text=_("The key of the last member for whom there is an item."),
    )
    total = models.PositiveIntegerField(_("total"), default=0)
    counts = models.JSONField(
        _("counts"),
        default=dict,
        blank=True,
        help_text=_("How many items ended in which state; empty until it is over."),
    )
    created_at = models.DateTimeField(
        _("created"),
        default=timezone.now,
        help_text=_("A decision that is newer than this one stands."),
    )
    retried_at = models.DateTimeField(
        _("retried"),
        null=True,
        blank=True,
        help_text=_("When an admin last asked to try what had failed until then once more."),
    )
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        indexes = [
            models.Index(
                fields=["id"],
                name="basket_batch_open",
                condition=Q(finished_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"


class BatchItem(models.Model):
    """One member in a bulk request."""

    class State(models.TextChoices):
        """How far it got."""

        PENDING = "pending", _("pending")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("skipped")
        CANCELLED = "cancelled", _("cancelled")

    class Reason(models.TextChoices):
        """Why an item was skipped. Those of failures are the labels of errors."""

        NO_MEMBER = "no such member", _("no such member")
        NO_ADDRESS = "no address", _("no address")
        OPTED_OUT = "opted out", _("opted out")
        OVERTAKEN = "a newer decision came first", _("a newer decision came first")
        REFUSED = "refused by Basket", _("refused by Basket")

    batch = models.ForeignKey(
        Batch, verbose_name=_("batch"), on_delete=models.CASCADE, related_name="items"
    )
    member = models.ForeignKey(
        conf.MEMBER_MODEL,
        verbose_name=_("member"),
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="batch_items",
        help_text=_("Empty until the worker has written the decision into the ledger."),
    )
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.PENDING)
    reason = models.CharField(_("reason"), max_length=100, blank=True)
    error_code = models.SmallIntegerField(_("Basket's error code"), null=True, blank=True)
    before = models.JSONField(
        _("before"),
        null=True,
        blank=True,
        help_text=_("What stood in the ledger before the decision, to go back to; no address."),
    )
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("batch item")
        verbose_name_plural = _("batch items")
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "member"], name="basket_one_item_per_member_and_batch"
            )
        ]
        indexes = [
            # Answers "how many, and how many of late" without a look at the rows.
            models.Index(fields=["batch", "state", "finished_at"], name="basket_item_progress"),
            models.Index(
                fields=["batch", "id"],
                name="basket_item_not_started",
                condition=Q(state="pending", contact__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.batch_id}: {self.state}"


class Event(models.Model):
    """One thing that happened to a contact: the history that an admin reads. No addresses."""

    class Kind(models.TextChoices):
        """What happened."""

        DECIDED = "decided", _("an admin decided")
        SUBSCRIBED = "subscribed", _("subscribed")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        MOVED = "moved", _("address changed")
        OPTED_OUT = "opted_out", _("opted out")
        RETURNED = "returned", _("subscribed again on their own")
        RENAMED = "renamed", _("has another address at Basket")
        REFUSED = "refused", _("refused")
        POSTPONED = "postponed", _("postponed")
        PARKED = "parked", _("parked")
        ERASED = "erased", _("erased")
        RETRIED = "retried", _("an admin asked to try again")
        DISMISSED = "dismissed", _("an admin dismissed a problem")
        ORDERED = "ordered", _("bulk request ordered")
        CANCELLED = "cancelled", _("bulk request cancelled")
        RELEASED = "released", _("a brake was released")

    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="events",
        db_index=False,
        help_text=_("Empty where it concerns the whole site."),
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    newsletters = models.JSONField(_("newsletters"), default=list)
    outcome = models.CharField(_("outcome"), max_length=40, blank=True)
    error_code = models.SmallIntegerField(_("Basket's error code"), null=True, blank=True)
    cause = models.CharField(_("cause"), max_length=200, blank=True)
    remark = models.CharField(_("note"), max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    batch = models.ForeignKey(
        Batch,
        verbose_name=_("batch"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
    )
    task_id = models.CharField(_("task"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("history")
        # Each ends with the order of the history page, so that a filtered page is read off it.
        indexes = [
            models.Index(fields=["contact", "-created_at"], name="basket_event_of_contact"),
            models.Index(fields=["-created_at", "-id"], name="basket_event_newest"),
            models.Index(fields=["kind", "-created_at", "-id"], name="basket_event_kind"),
            models.Index(fields=["cause", "-created_at", "-id"], name="basket_event_cause"),
            models.Index(
                fields=["outcome", "-created_at", "-id"],
                name="basket_event_outcome",
                condition=Q(outcome__gt=""),
            ),
            models.Index(
                fields=["actor", "-created_at", "-id"],
                name="basket_event_actor",
                condition=Q(actor__isnull=False),
            ),
            models.Index(
                fields=["batch", "-created_at", "-id"],
                name="basket_event_batch",
                condition=Q(batch__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        moment = timezone.localtime(self.created_at)
        return f"{self.get_kind_display()}, {date_format(moment, 'DATETIME_FORMAT')}"
