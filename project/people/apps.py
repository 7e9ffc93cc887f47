"""The configuration of the people app."""

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save, pre_save
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    """The people app: profiles and vouches."""

    name = "project.people"
    verbose_name = _("People")

    def ready(self) -> None:
        """Connect the receivers, each with the model whose signals it gets."""
        from project.people import receivers

        for signal, sender, receiver in (
            (pre_save, "Vouch", receivers.unvouch_former_vouchee),
            (post_save, "Vouch", receivers.vouch_vouchee),
            (post_delete, "Vouch", receivers.unvouch_vouchee),
        ):
            uid = f"project.people.{receiver.__name__}"
            signal.connect(receiver, sender=self.get_model(sender), dispatch_uid=uid)
