"""What this site knows about each member's newsletters."""

from datetime import UTC, datetime

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mozillians_basket.conf import conf
from mozillians_basket.states import Decider, State

#: Before anything happened; sorts first on every database, as a NULL does not.
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Touch(models.Model):
    """
    "Look at this member again": written in the transaction of the change, drained by the worker.

    Append-only and without a unique constraint or a foreign key in the
    database, so two requests never wait for each other here.
    """

    class Cause(models.TextChoices):
        """What happened to the row that the event came from."""

        CREATED = "created", _("created")
        CHANGED = "changed", _("changed")
        DELETED = "deleted", _("deleted")

    member = models.ForeignKey(
        conf.MEMBER_MODEL,
        verbose_name=_("member"),
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        help_text=_("Whose situation may have changed, if the event knew it without a query."),
    )
    source = models.CharField(_("source"), max_length=200, help_text=_("The model that changed."))
    source_key = models.CharField(_("source key"), max_length=200, blank=True)
    path = models.CharField(
        _("path to the member"),
        max_length=200,
        blank=True,
        help_text=_("How the worker gets from the source to its members, if the event did not."),
    )
    cause = models.CharField(_("cause"), max_length=10, choices=Cause)
    email = models.EmailField(
        _("address before"),
        max_length=254,
        blank=True,
        help_text=_("The member's address before the event, where the event knew it."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("touch")
        verbose_name_plural = _("touches")

    def __str__(self) -> str:
        return f"{self.source} {self.cause}"


class Contact(models.Model):
    """A member, or a bare address, as Basket knows them. Its due rows are the queue."""

    class Priority(models.IntegerChoices):
        """Who goes first among the due."""

        REMOVAL = 0, _("removal")
        CHANGE = 1, _("change")
        BULK = 2, _("bulk request")

    member = models.OneToOneField(
        conf.MEMBER_MODEL,
        verbose_name=_("member"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="basket_contact",
    )
    email = models.EmailField(
        _("address in Basket"),
        max_length=254,
        blank=True,
        help_text=_("The address under which Basket has this person, if at all."),
    )
    wanted_email = models.EmailField(_("address on the site"), max_length=254, blank=True)
    moving_to = models.EmailField(
        _("moving to"),
        max_length=254,
        blank=True,
        help_text=_("A new address that a call may have reached before it was confirmed."),
    )
    token = models.CharField(
        _("token"),
        max_length=36,
        blank=True,
        help_text=_("Basket's token of this person: a secret. Tells a renamed from a lost one."),
    )
    refused_email = models.EmailField(
        _("refused address"),
        max_length=254,
        blank=True,
        help_text=_("A new address that Basket does not accept."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    departed_at = models.DateTimeField(
        _("departed"),
        null=True,
        blank=True,
        help_text=_("When the member was deleted; the address is erased once Basket knows."),
    )

    touched_at = models.DateTimeField(_("touched"), default=timezone.now)
    settled_at = models.DateTimeField(
        _("settled"),
        null=True,
        blank=True,
        help_text=_("The touch that was last carried to Basket; due while it is older."),
    )
    verify = models.BooleanField(
        _("ask Basket"),
        default=False,
        help_text=_("Look up even when the ledger shows no difference."),
    )
    verified_at = models.DateTimeField(
        _("verified"), default=NEVER, help_text=_("When Basket was last asked; 1970 for never.")
    )
    claimed_touch = models.DateTimeField(_("touch of the running sync"), null=True, blank=True)
    lease = models.PositiveBigIntegerField(
        _("lease"),
        default=0,
        help_text=_("Grows with each claim and step: only the last one writes."),
    )
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    lookup = models.JSONField(
        _("lookup"),
        null=True,
        blank=True,
        help_text=_("What Basket answered to the running sync; emptied when it ends."),
    )

    asked = models.JSONField(
        _("subscribe under way"),
        null=True,
        blank=True,
        help_text=_("Which newsletters a subscribe names that has no answer yet, and since when."),
    )
    revision = models.PositiveBigIntegerField(
        _("revision"),
        default=0,
        help_text=_(
            "Grows when anybody but the holder of the lease changes the contact or its lines."
        ),
    )

    priority = models.SmallIntegerField(
        _("priority"),
        choices=Priority,
        default=Priority.CHANGE,
        help_text=_("Removals do not wait behind others, nor changes behind bulk requests."),
    )
    parked_at = models.DateTimeField(
        _("parked"),
        null=True,
        blank=True,
        help_text=_("When it had failed too often; waits for an admin or a new change."),
    )
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.CharField(_("last error"), max_length=40, blank=True)
    error_code = models.SmallIntegerField(_("Basket's error code"), null=True, blank=True)
    cause = models.CharField(_("last cause"), max_length=200, blank=True)
    failing_since = models.DateTimeField(
        _("failing since"),
        null=True,
        blank=True,
        help_text=_("When the problem that it has now began; empty while it has none."),
    )
    dismissed_at = models.DateTimeField(
        _("dismissed"),
        null=True,
        blank=True,
        help_text=_("When an admin put the problem aside; another problem is shown again."),
    )

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        permissions = [("sync_members", _("Can change members' newsletters"))]
        indexes = [
            models.Index(
                fields=["priority", "touched_at"],
                name="basket_contact_due",
                condition=Q(parked_at__isnull=True)
                & (Q(settled_at__isnull=True) | Q(touched_at__gt=F("settled_at"))),
            ),
            models.Index(
                fields=["verified_at"],
                name="basket_contact_verified",
                condition=Q(departed_at__isnull=True),
            ),
            models.Index(
                fields=["leased_until"],
                name="basket_contact_leased",
                condition=Q(leased_until__isnull=False),
            ),
            models.Index(
                fields=["failing_since"],
                name="basket_contact_failing",
                condition=Q(failing_since__isnull=False),
            ),
            models.Index(Upper("email"), name="basket_contact_email"),
            models.Index(Upper("wanted_email"), name="basket_contact_wanted_email"),
            models.Index(
                Upper("moving_to"), name="basket_contact_moving_to", condition=~Q(moving_to="")
            ),
        ]

    def __str__(self) -> str:
        return f"contact {self.pk}"


class Problem(Contact):
    """A contact as the admin's list of problems shows it: one that failed, and still does."""

    class Meta:
        proxy = True
        verbose_name = _("problem")
        verbose_name_plural = _("problems")


class Subscription(models.Model):
    """A contact and a newsletter: what is wanted, who said so, what Basket last confirmed."""

    contact = models.ForeignKey(
        Contact, verbose_name=_("contact"), on_delete=models.CASCADE, related_name="subscriptions"
    )
    newsletter = models.CharField(_("newsletter"), max_length=100)
    entitled = models.BooleanField(
        _("entitled"), default=False, help_text=_("What the policy last said.")
    )
    wanted = models.BooleanField(_("wanted"), default=False)
    decided_by = models.CharField(
        _("decided by"), max_length=10, choices=Decider, default=Decider.POLICY
    )
    decided_at = models.DateTimeField(_("decided"), default=timezone.now)
    despite_opt_out = models.BooleanField(
        _("despite opt-out"),
        default=False,
        help_text=_("An admin said explicitly that an opt-out does not count."),
    )
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.UNKNOWN)
    error_code = models.SmallIntegerField(_("Basket's error code"), null=True, blank=True)
    confirmed_at = models.DateTimeField(
        _("confirmed"), null=True, blank=True, help_text=_("When Basket first had it.")
    )
    verified_at = models.DateTimeField(
        _("verified"), null=True, blank=True, help_text=_("When a lookup last showed this state.")
    )
    missing_at = models.DateTimeField(
        _("missing"),
        null=True,
        blank=True,
        help_text=_("When a verification found it gone; not yet taken for the person's choice."),
    )
    removed_at = models.DateTimeField(
        _("removal sent"),
        null=True,
        blank=True,
        help_text=_("When this site last sent an unsubscribe, written before the call."),
    )

    requested_at = models.DateTimeField(
        _("subscribe sent"),
        null=True,
        blank=True,
        help_text=_("When this site last sent a subscribe, until Basket shows it to be done."),
    )

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "newsletter"], name="basket_one_subscription_per_newsletter"
            )
        ]
        indexes = [
            models.Index(
                fields=["newsletter"],
                name="basket_line_missing",
                condition=Q(missing_at__isnull=False),
            ),
            models.Index(fields=["newsletter", "entitled", "wanted"], name="basket_line_wanted"),
        ]

    def __str__(self) -> str:
        return f"{self.newsletter}: {self.get_state_display()}"
