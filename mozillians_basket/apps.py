"""The app's configuration."""

from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from mozillians_basket.conf import conf


class MozilliansBasketConfig(AppConfig):
    """Registers the checks, and connects the receivers once all models are loaded."""

    name = "mozillians_basket"
    label = "mozillians_basket"
    verbose_name = _("Basket newsletters")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks; connect the receivers unless the checks find an error."""
        if not apps.is_installed("waffle"):
            raise ImproperlyConfigured('mozillians_basket needs "waffle" in INSTALLED_APPS.')
        try:
            apps.get_model(conf.MEMBER_MODEL)
        except (LookupError, ValueError) as error:
            raise ImproperlyConfigured(
                f"BASKET_MEMBER_MODEL = {conf.MEMBER_MODEL!r} is no installed model. Name it as "
                '"app_label.Model", and put its app into INSTALLED_APPS.'
            ) from error
        from mozillians_basket import checks, receivers
        from mozillians_basket.upkeep import doctor

        for check in checks.CHECKS:
            register(check)
        register(checks.check_tables, Tags.database)
        register(doctor.check_basket, deploy=True)
        if not any(message.is_serious() for message in checks.check_site(None)):
            receivers.connect_receivers()
        post_migrate.connect(_note_origin, sender=self)


def _note_origin(*, using: str, **kwargs: Any) -> None:
    """Store the member model and the database that the tables were made for."""
    from mozillians_basket.models import Status, alias

    # The signal also comes after "migrate zero", and after migrations of other apps alone.
    if using != alias():
        return
    if Status._meta.db_table not in connections[using].introspection.table_names():
        return
    if not Status.read().member_model:
        label = apps.get_model(conf.MEMBER_MODEL)._meta.label
        Status.objects.using(using).filter(pk=1).update(member_model=label, database=using)
