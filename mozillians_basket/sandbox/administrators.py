"""Log-ins to the admin of a sandbox Basket that runs as a server of its own."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

NAME = "admin"


class GivenPassword(ModelBackend):
    """
    Lets the user ``admin`` in with the password that was given at the start.

    The password is compared as plain text: hashing it would take most of the start's time.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the administrator, or None."""
        expected = str(getattr(settings, "BASKET_SANDBOX_ADMIN_PASSWORD", ""))
        if username != NAME or not expected or not constant_time_compare(password or "", expected):
            return None
        admin, _ = User.objects.get_or_create(
            username=NAME, defaults={"is_staff": True, "is_superuser": True}
        )
        return admin
