"""The configuration of the people app."""

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save, pre_save
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    """The people app: profiles and vouches."""

    name = "project.people"
    verbose_name = _("People")

    def ready(self) -> None:
        """Connect the receivers that keep ``is_vouched`` up to date."""
        from project.people import receivers

        vouch = self.get_model("Vouch")
        for signal, receiver in (
            (pre_save, receivers.unvouch_former_vouchee),
            (post_save, receivers.vouch_vouchee),
            (post_delete, receivers.unvouch_vouchee),
        ):
            signal.connect(
                receiver, sender=vouch, dispatch_uid=f"project.people.{receiver.__name__}"
            )
