"""The sandbox Basket as a server of its own: its paths and its administrator."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import include, path
from django.utils.crypto import constant_time_compare

from mozillians_basket.sandbox import pages

ADMINISTRATOR = "admin"

urlpatterns = [
    path("", pages.home),
    path("healthz/", pages.healthz),
    path("readiness/", pages.readiness),
    path("", include("mozillians_basket.sandbox.urls")),
    path("admin/", admin.site.urls),
]


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
        if username != ADMINISTRATOR or not expected:
            return None
        if not constant_time_compare(password or "", expected):
            return None
        user, _ = User.objects.get_or_create(
            username=ADMINISTRATOR, defaults={"is_staff": True, "is_superuser": True}
        )
        return user
