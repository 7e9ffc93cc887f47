"""Calls that are only accepted over SSL."""

from django.http import HttpRequest

from mozillians_basket.sandbox.conf import sandbox_settings


def is_missing(request: HttpRequest) -> bool:
    """
    Tell whether a call came unencrypted although SSL is required.

    A proxy's header counts if ``SECURE_PROXY_SSL_HEADER`` names it.
    """
    return sandbox_settings.REQUIRE_SSL and not request.is_secure()
