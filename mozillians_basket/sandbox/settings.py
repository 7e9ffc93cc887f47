"""Settings with which the sandbox Basket runs as a server of its own."""

import os
import secrets

from mozillians_basket.sandbox.databases import configured

DEBUG = False
SECRET_KEY = os.environ.get("BASKET_SANDBOX_SECRET_KEY") or secrets.token_urlsafe(50)
ALLOWED_HOSTS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    *filter(None, os.environ.get("BASKET_SANDBOX_ALLOWED_HOSTS", "").split(",")),
]
ROOT_URLCONF = "mozillians_basket.sandbox.urls"
INSTALLED_APPS = ["mozillians_basket.sandbox"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {"default": configured(os.environ.get("BASKET_SANDBOX_DATABASE", ":memory:"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
BASKET_SANDBOX_REQUIRE_SSL = os.environ.get("BASKET_SANDBOX_REQUIRE_SSL", "") == "1"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "without_secrets": {"()": "mozillians_basket.sandbox.redaction.WithoutSecrets"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "filters": ["without_secrets"]},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}
