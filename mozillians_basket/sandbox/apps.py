"""The sandbox Basket as a Django app."""

from django.apps import AppConfig


class BasketSandboxConfig(AppConfig):
    """Registers the sandbox Basket's tables under the label ``basket_sandbox``."""

    name = "mozillians_basket.sandbox"
    label = "basket_sandbox"
    verbose_name = "Sandbox Basket"
    default_auto_field = "django.db.models.BigAutoField"
