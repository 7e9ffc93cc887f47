"""The app's configuration."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class MozilliansBasketConfig(AppConfig):
    """Registers the checks and connects the receivers once all models are loaded."""

    name = "mozillians_basket"
    label = "mozillians_basket"
    verbose_name = _("Basket newsletters")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect only to a site that its checks find sound; the checks say what is wrong."""
        from mozillians_basket import checks, receivers

        for check in checks.CHECKS:
            register(check)
        if not checks.check_site(None):
            receivers.connect_receivers()
