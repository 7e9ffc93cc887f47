"""The site's members in the ledger, their decisions, and touches."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mozillians_basket.conf import conf
from mozillians_basket.models.base import Row, moment, reference
from mozillians_basket.models.contacts import Contact
from mozillians_basket.rules.evaluate import LONGEST_EMAIL
from mozillians_basket.rules.rows import DecidedBy


class Touch(Row):
    """
    "Look at this member again": written in the transaction of the change, drained by a worker.

    Append-only, without a unique constraint and without a foreign key in the
    database, so two requests never wait for each other here.
    """

    class Cause(models.TextChoices):
        """The change of the row that sent the signal."""

        CREATED = "created", _("created")
        CHANGED = "changed", _("changed")
        DELETED = "deleted", _("deleted")

    member = reference(
        conf.MEMBER_MODEL, _("member"), _("The member, if the signal knew the key without a query.")
    )
    source = models.CharField(_("source"), max_length=200, help_text=_("The model that changed."))
    source_key = models.CharField(_("source key"), max_length=200, blank=True)
    path = models.CharField(
        _("path to the member"),
        max_length=200,
        blank=True,
        help_text=_("How a worker gets from the source to its members, if the signal did not."),
    )
    cause = models.CharField(_("cause"), max_length=10, choices=Cause)
    email = models.CharField(
        _("address before"),
        max_length=LONGEST_EMAIL,
        blank=True,
        help_text=_("The member's address before the change, if the signal knew it."),
    )
    actor = reference(
        settings.AUTH_USER_MODEL,
        _("actor"),
        _("The user in whose request it was saved, if the middleware is installed."),
    )
    created_at = models.DateTimeField(pgettext_lazy("when", "created"), default=timezone.now)

    class Meta:
        verbose_name = _("touch")
        verbose_name_plural = _("touches")

    def __str__(self) -> str:
        return f"{self.source} {self.cause}"


class Member(Row):
    """A member of the site, or a bare address that only an order named."""

    site_member = models.OneToOneField(
        conf.MEMBER_MODEL,
        verbose_name=_("member"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="basket_member",
        help_text=_("Empty for a bare address."),
    )
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="members",
    )
    opted_out_at = moment(
        pgettext_lazy("when", "opted out"), _("When the person turned everything off at Basket.")
    )
    held_back_at = moment(
        _("held back"), _("Since when a brake keeps a removal from being applied.")
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        indexes = [
            models.Index(
                fields=["contact"],
                name="basket_member_opted_out",
                condition=Q(opted_out_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"member {self.pk}"

    @property
    def key(self) -> str:
        """The key of the site's member; empty for a bare address."""
        return "" if self.site_member_id is None else str(self.site_member_id)


class Decision(Row):
    """A member and a newsletter: whether it is wanted, and why."""

    DECIDED_BY = {
        DecidedBy.POLICY.value: _("policy"),
        DecidedBy.ADMIN.value: _("admin"),
        DecidedBy.MEMBER.value: _("member"),
    }

    member = models.ForeignKey(
        Member,
        verbose_name=_("member"),
        on_delete=models.DO_NOTHING,
        related_name="decisions",
        db_index=False,
    )
    newsletter = models.CharField(_("newsletter"), max_length=100)
    entitled = models.BooleanField(
        _("entitled"), default=False, help_text=_("The last outcome of the policy.")
    )
    wanted = models.BooleanField(_("wanted"), default=False)
    decided_by = models.CharField(
        _("decided by"),
        max_length=10,
        choices=DECIDED_BY,
        blank=True,
        help_text=_("Empty where the row only carries an opt-out."),
    )
    decided_at = moment(pgettext_lazy("when", "decided"))
    opted_out_at = moment(pgettext_lazy("when", "opted out"))
    inferred = models.BooleanField(
        _("inferred"),
        default=False,
        help_text=_("A control sample took the missing newsletter for that opt-out."),
    )
    despite_opt_out = models.BooleanField(
        _("despite opt-out"),
        default=False,
        help_text=_("The order overrides opt-outs until a lookup shows that it was carried out."),
    )
    held_back_at = moment(
        _("held back"), _("Since when a brake keeps the removal from being applied.")
    )

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "newsletter"], name="basket_one_decision_per_newsletter"
            )
        ]
        indexes = [
            models.Index(fields=["newsletter", "entitled"], name="basket_decision_entitled"),
            models.Index(
                fields=["newsletter", "held_back_at"],
                name="basket_decision_held_back",
                condition=Q(held_back_at__isnull=False),
            ),
            models.Index(
                fields=["newsletter", "member"],
                name="basket_decision_opted_out",
                condition=Q(opted_out_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.newsletter}: {'wanted' if self.wanted else 'not wanted'}"
