"""Calls that are only accepted over SSL."""

from django.http import HttpRequest

from mozillians_basket.sandbox.conf import sandbox_settings


def is_missing(request: HttpRequest) -> bool:
    """
    Tell whether a call came unencrypted although SSL is required.

    A proxy's header counts where ``SECURE_PROXY_SSL_HEADER`` says that it is to be trusted.
    """
    return sandbox_settings.REQUIRE_SSL and not request.is_secure()
