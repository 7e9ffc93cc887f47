"""The app's configuration."""

from typing import Any

from django.apps import AppConfig
from django.core.checks import register
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class MozilliansBasketConfig(AppConfig):
    """Registers the checks, and connects the receivers once all models are loaded."""

    name = "mozillians_basket"
    label = "mozillians_basket"
    verbose_name = _("Basket newsletters")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks; connect the receivers unless the checks find an error."""
        from mozillians_basket import checks, receivers

        for check in checks.CHECKS:
            register(check)
        if not list(checks.check_site(None)):
            receivers.connect_receivers()
        post_migrate.connect(_note_origin, sender=self)


def _note_origin(*, using: str, **kwargs: Any) -> None:
    """Store the member model and the database that the tables were made for."""
    from mozillians_basket.models import Status, alias
    from mozillians_basket.site import get_site

    if using == alias() and not Status.read().member_model:
        label = get_site().member_model._meta.label
        Status.objects.using(using).filter(pk=1).update(member_model=label, database=using)
