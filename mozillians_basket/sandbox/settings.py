"""Settings with which the sandbox Basket runs as a server of its own."""

import logging
import os
import secrets
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import django

_ENGINES = {
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "oracle": "django.db.backends.oracle",
}


def database(place: str) -> dict[str, Any]:
    """
    Return Django's configuration for the path of an SQLite file or a database URL.

    A URL has the form ``postgres://user:password@host:port/name?option=value``.
    """
    scheme, separator, _ = place.partition("://")
    if not separator:
        return _sqlite(place)
    if scheme == "sqlite":
        return _sqlite(place.removeprefix("sqlite://").removeprefix("/"))
    url = urlsplit(place)
    return {
        "ENGINE": _ENGINES[scheme],
        "NAME": unquote(url.path.removeprefix("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": dict(parse_qsl(url.query)),
        "CONN_MAX_AGE": None,
    }


def _sqlite(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path or ":memory:",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Writers wait for each other from the start of a transaction; readers never wait.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }


class WithoutSecrets(logging.Filter):
    """Reduces a log record about a request to its status: paths can hold tokens and addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut the record down, and let it through."""
        if hasattr(record, "status_code"):
            record.msg, record.args = "answered with status %s", (record.status_code,)
        elif record.name.startswith("waitress"):
            record.msg, record.args, record.exc_info = "a connection failed", (), None
        return True


DEBUG = False
SECRET_KEY = os.environ.get("BASKET_SANDBOX_SECRET_KEY") or secrets.token_urlsafe(50)
ALLOWED_HOSTS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    *filter(None, os.environ.get("BASKET_SANDBOX_ALLOWED_HOSTS", "").split(",")),
]
ROOT_URLCONF = "mozillians_basket.sandbox.standalone"
INSTALLED_APPS = [
    "mozillians_basket.sandbox",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "/static/"
AUTHENTICATION_BACKENDS = [
    "mozillians_basket.sandbox.standalone.GivenPassword",
    "django.contrib.auth.backends.ModelBackend",
]
BASKET_SANDBOX_ADMIN_PASSWORD = os.environ.get("BASKET_SANDBOX_ADMIN_PASSWORD", "")
DATABASES = {"default": database(os.environ.get("BASKET_SANDBOX_DATABASE", ":memory:"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
# A proxy's word about the original request is trusted only if its header is named here.
if os.environ.get("BASKET_SANDBOX_PROXY_SSL_HEADER"):
    SECURE_PROXY_SSL_HEADER = (os.environ["BASKET_SANDBOX_PROXY_SSL_HEADER"], "https")
FILES = "django.core.mail.backends.filebased.EmailBackend"
mailer = os.environ.get("BASKET_SANDBOX_EMAIL_BACKEND", FILES)
folder = os.environ.get("BASKET_SANDBOX_MAIL", "")
if django.VERSION >= (6, 1):
    options = {"file_path": folder} if mailer == FILES else {}
    MAILERS = {"default": {"BACKEND": mailer, "OPTIONS": options}}
else:
    EMAIL_BACKEND, EMAIL_FILE_PATH = mailer, folder or None
BASKET_SANDBOX_SITE_URL = os.environ.get("BASKET_SANDBOX_SITE_URL", "")
BASKET_SANDBOX_MAINTENANCE = os.environ.get("BASKET_SANDBOX_MAINTENANCE", "") == "1"
BASKET_SANDBOX_JOURNAL = int(os.environ.get("BASKET_SANDBOX_JOURNAL", "1000"))
BASKET_SANDBOX_RATE_LIMIT = int(os.environ.get("BASKET_SANDBOX_RATE_LIMIT", "4"))
BASKET_SANDBOX_REQUIRE_SSL = os.environ.get("BASKET_SANDBOX_REQUIRE_SSL", "") == "1"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "without_secrets": {"()": WithoutSecrets},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "filters": ["without_secrets"]},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # Callers of a sandbox get 404 and 403 all day.
        "django.request": {"level": "ERROR"},
        # Requests that wait for a thread are normal here.
        "waitress.queue": {"level": "ERROR"},
    },
}
