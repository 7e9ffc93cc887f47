"""Contacts, the addresses at Basket: what it has for each, and the queue of those to be synced."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, router
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mozillians_basket.models.base import Row, moment, reference
from mozillians_basket.rules.evaluate import LONGEST_EMAIL
from mozillians_basket.rules.rows import State


class MomentsField(models.JSONField):
    """A short list of moments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("encoder", DjangoJSONEncoder)
        super().__init__(*args, **kwargs)

    def from_db_value(
        self, value: Any, expression: Any, connection: Any
    ) -> list[datetime | None] | None:
        """Read the moments back; ``None`` where a join found no row."""
        texts = super().from_db_value(value, expression, connection)
        return None if texts is None else [parse_datetime(each) for each in texts]


class Problem(models.TextChoices):
    """The reasons for which a contact waits or is parked, besides the error codes of refusals."""

    UNAVAILABLE = "unavailable", _("Basket is out of reach or fails")
    RATE_LIMIT = "rate limit", _("Basket's rate limit")
    MISCONFIGURED = "misconfigured", _("Basket refuses this site")
    UNEXPECTED = "unexpected", _("an error on this side")
    WORKER_DIED = "worker died", _("the worker died")


class Contact(Row):
    """
    An address at Basket. Two members with one address are one contact.

    The rows whose ``touched_at`` is set are the queue of contacts to be synced.
    """

    class Priority(models.IntegerChoices):
        """The order of the contacts that are due."""

        CHANGE = 0, pgettext_lazy("a priority", "change")
        BULK = 1, _("bulk request")
        VERIFICATION = 2, _("verification")

    email = models.CharField(
        _("address"), max_length=LONGEST_EMAIL, help_text=_("As the site writes it.")
    )
    key = models.CharField(
        _("normalised address"),
        max_length=LONGEST_EMAIL,
        help_text=_("One mailbox has one key, however its address is spelled."),
    )
    # Renewed by each lookup that shows a person under the address, and by each subscribe. It is the
    # only link to a person who took another address at Basket. Without it, that looks as if Basket
    # had lost the person, who cannot be unsubscribed there; a person who was made again after a
    # loss is not told from the one before; and an order for a bare address may wait. It may go
    # where nothing is confirmed or requested, ``renamed_at`` is empty, and no lease runs.
    token = models.CharField(
        _("token"),
        max_length=64,
        blank=True,
        help_text=_("Basket's token of this person: a secret."),
    )
    renamed_at = moment(
        _("renamed"), _("When a lookup found that the person has another address at Basket.")
    )
    renamed_people = models.JSONField(
        _("renamed people"),
        default=dict,
        blank=True,
        help_text=_("Tokens of people who took another address at Basket, with newsletters."),
    )
    renamed_removal_at = moment(
        _("unsubscribe of a renamed person sent"), _("Set until a lookup shows what it took away.")
    )
    optin = models.BooleanField(
        _("confirmed at Basket"),
        default=True,
        help_text=_("False while Basket waits for the person's confirmation."),
    )
    clear = models.BooleanField(
        pgettext_lazy("whether everything there is taken away", "clear"),
        default=False,
        help_text=_("The last member left or was deleted: everything of ours goes."),
    )

    touched_at = moment(_("touched"), _("Set while the contact has to be synced."))
    settled_at = moment(_("settled"), _("When ledger and Basket last agreed."))
    priority = models.SmallIntegerField(_("priority"), choices=Priority, default=Priority.CHANGE)
    not_before = moment(_("not before"))
    attempts = models.PositiveIntegerField(_("failures in a row"), default=0)
    parked = models.BooleanField(
        _("parked"), default=False, help_text=_("Waits for an admin or for a new change.")
    )
    retry = models.BooleanField(
        _("retry"), default=False, help_text=_("An admin asks to try again what Basket refused.")
    )
    problem = models.CharField(
        _("problem"),
        max_length=40,
        blank=True,
        help_text=_("A kind of problem, or the error code with which Basket refused."),
    )
    cause = models.CharField(
        _("cause"), max_length=200, blank=True, help_text=_("Why it was last touched.")
    )
    actor = reference(
        settings.AUTH_USER_MODEL, _("actor"), _("The user who caused that, if known.")
    )
    failing_since = moment(_("failing since"))
    dismissed_at = moment(
        pgettext_lazy("when", "dismissed"), _("When an admin dismissed the problem.")
    )
    lease = models.CharField(
        _("lease"),
        max_length=40,
        blank=True,
        help_text=_("Names the share that the contact is in; only its worker writes."),
    )
    leased_until = moment(_("leased until"))
    looked_up_at = moment(_("looked up"), _("When the last lookup began."))
    subscribe_calls = MomentsField(
        _("last subscribe calls"),
        default=list,
        blank=True,
        help_text=_("Basket refuses the fifth equal call within five minutes."),
    )

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        permissions = [("sync_members", _("Can change members' newsletters"))]
        # Not unique=True: in PostgreSQL that makes a second index, for LIKE, which nobody needs.
        constraints = [
            models.UniqueConstraint(fields=["key"], name="basket_one_contact_per_mailbox")
        ]
        indexes = [
            models.Index(
                fields=["priority", "touched_at"],
                name="basket_contact_due",
                condition=Q(touched_at__isnull=False, parked=False),
            ),
            models.Index(fields=["lease"], name="basket_contact_lease", condition=~Q(lease="")),
            models.Index(
                fields=["failing_since"],
                name="basket_contact_failing",
                condition=Q(failing_since__isnull=False),
            ),
            models.Index(fields=["looked_up_at"], name="basket_contact_looked_up"),
            models.Index(
                fields=["id"],
                name="basket_contact_renamed",
                condition=Q(renamed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"contact {self.pk}"


def alias() -> str:
    """The database that the app's tables are written to: all its transactions are there."""
    return router.db_for_write(Contact)


class FailingContact(Contact):
    """A contact as the admin's list of problems shows it: one that fails, is parked or refused."""

    class Meta:
        proxy = True
        verbose_name = _("problem")
        verbose_name_plural = _("problems")


class Subscription(Row):
    """A contact and a newsletter: what Basket has, as far as the ledger knows."""

    STATES = {
        State.UNKNOWN.value: _("unknown"),
        State.SUBSCRIBED.value: _("subscribed"),
        State.UNSUBSCRIBED.value: _("unsubscribed"),
        State.OPTED_OUT.value: _("opted out"),
        State.REFUSED.value: _("refused"),
        State.LOST.value: _("missing at Basket"),
    }

    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        on_delete=models.DO_NOTHING,
        related_name="subscriptions",
        db_index=False,
    )
    newsletter = models.CharField(_("newsletter"), max_length=100)
    state = models.CharField(_("state"), max_length=20, choices=STATES, default=State.UNKNOWN.value)
    confirmed_at = moment(
        _("confirmed"), _("Since when Basket has it: a call said so, or a lookup showed it.")
    )
    seen_at = moment(_("seen"), _("When a lookup last showed it."))
    missing_at = moment(_("missing"), _("When a lookup first missed it."))
    requested_at = moment(_("subscribe sent"), _("A call without an answer."))
    unanswered_at = moment(
        _("earlier subscribe sent"),
        _("A call without an answer that was repeated: Basket may carry it out late."),
    )
    removed_at = moment(_("unsubscribe sent"), _("When the last call began."))
    removal_pending = models.BooleanField(
        _("removal pending"), default=False, help_text=_("Basket queues unsubscribes.")
    )
    decided = models.BooleanField(
        pgettext_lazy("whether", "decided"),
        default=False,
        help_text=_("Somebody who is or was there decided on it; nothing else is taken away."),
    )
    opted_out_at = moment(pgettext_lazy("when", "opted out"))
    error_code = models.CharField(
        _("error code"), max_length=40, blank=True, help_text=_("Why Basket refused it.")
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
                fields=["newsletter", "confirmed_at"],
                name="basket_subscription_confirmed",
                condition=Q(confirmed_at__isnull=False),
            ),
            models.Index(
                fields=["newsletter", "missing_at"],
                name="basket_subscription_missing",
                condition=Q(missing_at__isnull=False, confirmed_at__isnull=False),
            ),
            models.Index(
                fields=["newsletter", "missing_at"],
                name="basket_subscription_inferred",
                condition=Q(missing_at__isnull=False, state=State.OPTED_OUT.value),
            ),
            models.Index(
                fields=["confirmed_at"],
                name="basket_subscription_unseen",
                condition=Q(confirmed_at__isnull=False, seen_at__isnull=True),
            ),
            models.Index(fields=["newsletter", "state"], name="basket_subscription_state"),
        ]

    def __str__(self) -> str:
        return f"{self.newsletter}: {self.state}"


class Move(Row):
    """A member went from one contact to another, and the old one is not cleared yet."""

    member = models.ForeignKey(
        "mozillians_basket.Member",
        on_delete=models.DO_NOTHING,
        related_name="moves",
        db_index=False,
    )
    source = models.ForeignKey(
        Contact,
        on_delete=models.DO_NOTHING,
        related_name="moves_away",
        verbose_name=pgettext_lazy("the address before a move", "from"),
    )
    target = models.ForeignKey(
        Contact,
        on_delete=models.DO_NOTHING,
        related_name="moves_here",
        verbose_name=pgettext_lazy("the address after a move", "to"),
        null=True,
        blank=True,
        help_text=_("Empty while the member has no address."),
    )
    moved_at = models.DateTimeField(_("moved"))

    class Meta:
        verbose_name = _("move")
        verbose_name_plural = _("moves")
        constraints = [
            models.UniqueConstraint(fields=["member", "source"], name="basket_one_move_per_source")
        ]

    def __str__(self) -> str:
        return f"move of {self.member_id}"


class Suppression(Row):
    """An erased mailbox that had opted out: a keyed hash of its address, and the newsletters."""

    hash = models.CharField(_("hash"), max_length=64)
    newsletters = models.JSONField(
        _("newsletters"), default=dict, help_text=_("With the times of the opt-outs.")
    )
    erased_at = models.DateTimeField(pgettext_lazy("when", "erased"))

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        constraints = [models.UniqueConstraint(fields=["hash"], name="basket_one_suppression")]

    def __str__(self) -> str:
        return f"suppression {self.pk}"

    #: The columns of a mailbox's subscription that are kept.
    KEPT = ("opted_out_at", "missing_at")

    @classmethod
    def of(cls, row: Subscription) -> dict[str, str | None]:
        """Return what ``newsletters`` keeps of a subscription."""
        return {name: at.isoformat() if (at := getattr(row, name)) else None for name in cls.KEPT}

    def opt_outs(self) -> dict[str, Subscription]:
        """Return the subscriptions, as far as they were kept, by newsletter."""
        return {
            name: Subscription(
                newsletter=name, **{column: parse_datetime(at or "") for column, at in kept.items()}
            )
            for name, kept in self.newsletters.items()
        }
