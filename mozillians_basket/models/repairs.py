"""What an admin ordered for many problems at once, until the worker has carried it out."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Repair(models.Model):
    """
    A share of such an order, small enough for one transaction; deleted once it is carried out.

    What came of it is in the history of each contact.
    """

    class Action(models.TextChoices):
        """What was asked for."""

        RETRY = "retry", _("try again")
        DISMISS = "dismiss", _("put aside")

    action = models.CharField(_("action"), max_length=20, choices=Action)
    contacts = models.JSONField(_("contacts"), default=list, help_text=_("Their keys."))
    remark = models.CharField(_("note"), max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        # A table more to be looked through would cost whoever deletes a user a statement.
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("repair")
        verbose_name_plural = _("repairs")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.action} of {len(self.contacts)} contacts"
