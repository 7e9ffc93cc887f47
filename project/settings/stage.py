"""Settings for staging: as in production, but with a sandbox Basket that runs as a server."""

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from project.settings.prod import *  # noqa: F403
from project.settings.prod import env

BASKET_URL = env.str("BASKET_URL", default="")
# For example mozillians_basket.E302, where the sandbox is reached by http in a private network.
SILENCED_SYSTEM_CHECKS = env.list("SILENCED_SYSTEM_CHECKS", default=[])
_host = urlsplit(BASKET_URL).hostname or ""
if not _host or _host.endswith((".mozilla.org", ".mozilla.com")):
    raise ImproperlyConfigured(
        "BASKET_URL must name your sandbox Basket: staging never talks to the real one. "
        "docs/deploy.md says how to run a sandbox as a server."
    )
