"""What system checks say, with their numbers."""

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

Messages = list[CheckMessage]


def error(number: int, text: str, hint: str) -> CheckMessage:
    """An error of this app, ``mozillians_basket.E001`` and so on."""
    return Error(text, hint=hint, id=f"mozillians_basket.E{number:03}")


def caution(number: int, text: str, hint: str) -> CheckMessage:
    """A warning of this app, ``mozillians_basket.W001`` and so on."""
    return Caution(text, hint=hint, id=f"mozillians_basket.W{number:03}")
