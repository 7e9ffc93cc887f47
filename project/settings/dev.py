"""Settings for a developer's machine: nothing to set, nothing to install."""

from project.settings.base import *  # noqa: F403
from project.settings.base import env

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="only-for-development")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

# The sandbox Basket, on loopback.
BASKET_URL = env.str("BASKET_URL", default="http://127.0.0.1:8001")
BASKET_API_KEY = env.str("BASKET_API_KEY", default="sandbox")
