"""The row that all processes share, and the questions that admins answer."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from mozillians_basket.conf import conf
from mozillians_basket.models.base import Row, moment, reference
from mozillians_basket.models.contacts import Problem


class Status(Row):
    """The state between the whole site and Basket. There is one row, with the key 1."""

    failures = models.PositiveIntegerField(
        _("failures in a row"), default=0, help_text=_("Of one kind of call, without a success.")
    )
    failing_call = models.CharField(_("failing call"), max_length=20, blank=True)
    failed_contacts = models.JSONField(_("contacts that failed"), default=list, blank=True)
    reason = models.CharField(_("reason"), max_length=20, choices=Problem, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    opened_at = moment(_("breaker open since"))
    probes = models.PositiveIntegerField(_("probes"), default=0)
    probe_contact = models.BigIntegerField(_("contact of the probe"), null=True, blank=True)
    next_probe_at = moment(_("next probe"))
    notified_at = moment(_("admins told"))
    unknown_newsletters = models.JSONField(
        _("unknown newsletters"),
        default=dict,
        blank=True,
        help_text=_("Newsletters that Basket does not know, and since when."),
    )
    catalogue_at = moment(
        _("catalogue asked"),
        _("When Basket was last asked for the newsletters that it did not know."),
    )
    removals = models.JSONField(
        _("removals"),
        default=dict,
        blank=True,
        help_text=_("By newsletter and minute, removals by policies in the last hour."),
    )
    paced_until = moment(_("paced until"), _("Up to when starts are used up."))
    swept_at = moment(_("last sweep"))
    reconciled_at = moment(_("last reconciliation"))
    verified_at = moment(_("last verification"))
    verified_to = moment(
        _("verified up to"),
        _("The pass of verification has reached contacts last looked up at this time."),
    )
    counted_to = moment(
        _("counted up to"), _("Events before this moment are in the hourly counts.")
    )
    member_model = models.CharField(
        _("member model"),
        max_length=200,
        blank=True,
        help_text=_("The model that the tables were made for."),
    )
    database = models.CharField(_("database"), max_length=100, blank=True)
    worker_settings = models.JSONField(
        _("settings of the worker"),
        default=dict,
        blank=True,
        help_text=_("Digests of the settings of the worker that swept last."),
    )

    class Meta:
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        permissions = [
            ("manage_basket", _("Can approve removals, answer losses and stop everything")),
            ("export_addresses", _("Can export members' addresses")),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    @classmethod
    def read(cls) -> "Status":
        """Return the row as it is; made at the first call."""
        return cls.objects.filter(pk=1).first() or cls.objects.get_or_create(pk=1)[0]

    def check_member_model(self) -> None:
        """
        Refuse to work for another member model: its keys would be taken for those of members.

        :raises django.core.exceptions.ImproperlyConfigured: when the tables were made for one.
        """
        if self.member_model and self.member_model.lower() != conf.MEMBER_MODEL.lower():
            raise ImproperlyConfigured(
                f"The app's tables were made for {self.member_model}, but BASKET_MEMBER_MODEL is "
                f"{conf.MEMBER_MODEL}: nothing is sent. Set it back, or make the tables again."
            )

    @classmethod
    def note(cls, *columns: str) -> None:
        """Set these columns to now."""
        cls.read()
        cls.objects.filter(pk=1).update(**dict.fromkeys(columns, timezone.now()))

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open: only its probe may call Basket."""
        return self.opened_at is not None

    @property
    def unknown(self) -> frozenset[str]:
        """The newsletters that are paused, as Basket does not know them."""
        return frozenset(self.unknown_newsletters)


class Approval(Row):
    """A question that only an admin can answer: a possible loss, or removals held back."""

    class Kind(models.TextChoices):
        LOSS = "loss", _("possible loss at Basket")
        BRAKE = "brake", _("removals held back")

    class Answer(models.TextChoices):
        """The answers of admins, and of the app where a question closes by itself."""

        OPTED_OUT = "opted out", _("they opted out")
        LOST = "lost", _("Basket lost them")
        REMOVE = "remove", _("remove them")
        ITSELF = "itself", _("closed by itself")

    newsletter = models.CharField(_("newsletter"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    since = models.DateTimeField(_("since"))
    number = models.PositiveIntegerField(
        _("number"), default=0, help_text=_("The most that were missing; how many are held back.")
    )
    total = models.PositiveIntegerField(pgettext_lazy("how many in all", "of"), default=0)
    went_before = models.PositiveIntegerField(
        _("went before"),
        default=0,
        help_text=_("Removals in the hour before the first was held back, without approval."),
    )
    examples = models.JSONField(_("examples"), default=list, blank=True, encoder=DjangoJSONEncoder)
    causes = models.JSONField(
        _("causes"),
        default=list,
        blank=True,
        help_text=_("Of removals: each cause, the key of its actor, and a number."),
    )
    told_at = moment(_("admins told"))
    answer = models.CharField(_("answer"), max_length=20, choices=Answer, blank=True)
    actor = reference(settings.AUTH_USER_MODEL, _("actor"))
    answered_at = moment(_("answered"))
    shown_at = moment(_("shown"), _("When the admin had looked. Later removals are not covered."))
    progress = models.PositiveIntegerField(_("progress"), default=0)
    carried_at = moment(_("last step"), _("When a worker last carried it on."))
    closed_at = moment(_("closed"))
    created_at = models.DateTimeField(pgettext_lazy("when", "created"), default=timezone.now)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        constraints = [
            models.UniqueConstraint(
                fields=["newsletter", "kind"],
                name="basket_one_open_approval",
                condition=Q(closed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.newsletter}: {self.kind}"

    @property
    def sentence(self) -> str:
        """The question in a sentence: the same in mail, banner, overview, doctor and log."""
        if self.kind == self.Kind.BRAKE:
            text = gettext(
                "Policies would remove %(number)s of %(total)s subscriptions to %(newsletter)s at "
                "once, so the removals are held back: approve them, or correct their cause."
            )
        else:
            text = gettext(
                "%(number)s of %(total)s subscriptions to %(newsletter)s are missing at Basket at "
                "once, so nothing is concluded: say whether these people opted out or Basket lost "
                "them."
            )
        numbers = {"number": self.number, "total": self.total}
        shown = {name: number_format(n, force_grouping=True) for name, n in numbers.items()}
        return text % {**shown, "newsletter": self.newsletter}
