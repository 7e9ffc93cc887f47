"""The one row that all processes share: is Basket there, and does the sweeper run."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Pulse(models.Model):
    """
    The state of the whole site towards Basket. There is one row, with the key 1.

    The breaker is open while ``opened_at`` is set.
    """

    class Reason(models.TextChoices):
        """Why the breaker is open."""

        UNAVAILABLE = "unavailable", _("Basket is out of reach or broken")
        MISCONFIGURED = "misconfigured", _("Basket refuses this site")

    failures = models.PositiveIntegerField(
        _("failures in a row"), default=0, help_text=_("Of one kind of call, without a success.")
    )
    failing_call = models.CharField(_("failing call"), max_length=20, blank=True)
    failed_contacts = models.JSONField(_("contacts that failed"), default=list, blank=True)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, blank=True)
    status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    error_code = models.SmallIntegerField(_("Basket's error code"), null=True, blank=True)
    opened_at = models.DateTimeField(_("breaker open since"), null=True, blank=True)
    probes = models.PositiveIntegerField(_("probes"), default=0)
    probe_contact = models.BigIntegerField(_("contact of the probe"), null=True, blank=True)
    next_probe_at = models.DateTimeField(_("next probe"), null=True, blank=True)
    notified_at = models.DateTimeField(_("admins told"), null=True, blank=True)
    losing_since = models.DateTimeField(
        _("losing since"),
        null=True,
        blank=True,
        help_text=_("Too much is gone at Basket at once: nothing of it is taken for a choice."),
    )
    brakes = models.JSONField(
        _("brakes"),
        default=dict,
        blank=True,
        help_text=_("Newsletters of which the reconciler would remove too much at once."),
    )
    releases = models.JSONField(
        _("releases"),
        default=dict,
        blank=True,
        help_text=_("What an admin has released, until the worker has carried it out."),
    )
    verified_at = models.DateTimeField(_("last verification"), null=True, blank=True)
    reconciled_at = models.DateTimeField(_("last reconciliation"), null=True, blank=True)
    tallied_to = models.DateTimeField(
        _("counted up to"),
        null=True,
        blank=True,
        help_text=_("Events before this moment are in the tallies."),
    )
    paced_until = models.DateTimeField(
        _("paced until"), null=True, blank=True, help_text=_("Up to when starts are used up.")
    )
    swept_at = models.DateTimeField(_("last sweep"), null=True, blank=True)

    class Meta:
        verbose_name = _("overview")
        verbose_name_plural = _("overview")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    @classmethod
    def now(cls) -> "Pulse":
        """The row as it is; made at the first call."""
        row = cls._default_manager.filter(pk=1).first()
        return row or cls._default_manager.get_or_create(pk=1)[0]
