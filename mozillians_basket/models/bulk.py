"""Admins' bulk requests."""

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mozillians_basket.conf import conf
from mozillians_basket.models.base import Row, moment, reference


class BulkRequest(Row):
    """An admin's order for many members: a snapshot of their keys, worked off in batches."""

    class Action(models.TextChoices):
        SUBSCRIBE = "subscribe", _("subscribe")
        UNSUBSCRIBE = "unsubscribe", _("unsubscribe")

    class State(models.TextChoices):
        DRAFT = "draft", _("not confirmed")
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    state = models.CharField(_("state"), max_length=20, choices=State, default=State.DRAFT)
    action = models.CharField(_("action"), max_length=20, choices=Action)
    newsletters = models.JSONField(_("newsletters"), default=list)
    despite_opt_out = models.BooleanField(_("despite opt-outs"), default=False)
    actor = reference(settings.AUTH_USER_MODEL, _("actor"), db_index=True)
    keys = models.JSONField(
        _("members"),
        default=list,
        blank=True,
        encoder=DjangoJSONEncoder,
        help_text=_("The keys of the selected members."),
    )
    selection = models.CharField(
        _("selection"),
        max_length=300,
        blank=True,
        help_text=_("How the members were selected, in words: the list's filters and search."),
    )
    position = models.PositiveIntegerField(
        _("position"), default=0, help_text=_("How many of the keys have been begun.")
    )
    total = models.PositiveIntegerField(_("total"), default=0)
    counts = models.JSONField(
        _("counts"),
        default=dict,
        blank=True,
        help_text=_("How many items ended in each state; empty until the request is over."),
    )
    created_at = models.DateTimeField(pgettext_lazy("when", "created"), default=timezone.now)
    finished_at = moment(pgettext_lazy("when", "finished"))

    class Meta:
        verbose_name = _("bulk request")
        verbose_name_plural = _("bulk requests")
        indexes = [
            models.Index(fields=["id"], name="basket_bulk_running", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"bulk request {self.pk}"


class BulkItem(Row):
    """A member in a bulk request whose order was begun."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("skipped")

    class Reason(models.TextChoices):
        """The reasons of skipped, failed and waiting orders, besides the problems of contacts."""

        NO_MEMBER = "no such member", _("no such member")
        NO_ADDRESS = "no address", _("no address")
        OPTED_OUT = "opted out", _("opted out")
        SUPERSEDED = "superseded", _("a newer decision came first")
        LOST = "missing at Basket", _("missing at Basket")
        ASKED = "admins were asked", _("waits for an answer about a loss")

    request = models.ForeignKey(
        BulkRequest,
        verbose_name=_("bulk request"),
        on_delete=models.DO_NOTHING,
        related_name="items",
        db_index=False,
    )
    member = reference(conf.MEMBER_MODEL, _("member"))
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.PENDING)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    ordered_at = models.DateTimeField(_("ordered"), default=timezone.now)
    finished_at = moment(pgettext_lazy("when", "finished"))

    class Meta:
        verbose_name = _("bulk item")
        verbose_name_plural = _("bulk items")
        constraints = [
            models.UniqueConstraint(
                fields=["request", "member"], name="basket_one_item_per_member_and_request"
            )
        ]
        indexes = [
            models.Index(fields=["request", "state", "finished_at"], name="basket_item_progress"),
            models.Index(
                fields=["member"], name="basket_item_pending", condition=Q(state="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"bulk request {self.request_id}: {self.state}"
