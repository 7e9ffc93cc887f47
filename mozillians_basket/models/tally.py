"""How many events of each kind an hour had: what is left to count when they are gone."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from mozillians_basket.models.history import Event


class Tally(models.Model):
    """
    The events of one kind in one hour that is over. An hour without any has no row.

    Filled by ``tallies.fill`` up to ``Pulse.tallied_to``. Erasing a contact, or
    deleting old events, changes nothing here.
    """

    hour = models.DateTimeField(_("hour"), help_text=_("Its beginning."))
    kind = models.CharField(_("kind"), max_length=20, choices=Event.Kind)
    number = models.PositiveIntegerField(_("number"))

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "kind"], name="basket_one_tally_per_hour_and_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.number} {self.kind}"
