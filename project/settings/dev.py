"""Settings for a developer's machine: they need no environment variables and no servers."""

import os

# Mail is written to files, which the site shows at /mail/.
os.environ.setdefault("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")

from project.settings.base import *  # noqa: F403
from project.settings.base import env

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="only-for-development")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

# The sandbox Basket, on loopback.
BASKET_URL = env.str("BASKET_URL", default="") or "http://127.0.0.1:8001"
BASKET_API_KEY = env.str("BASKET_API_KEY", default="sandbox")
BASKET_OPEN_NEWSLETTERS = env.list("BASKET_OPEN_NEWSLETTERS", default=["mozilla-foundation"])
# Only in development, the switch is on from the start.
WAFFLE_SWITCH_DEFAULT = True
