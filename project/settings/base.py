"""The settings that all environments share; values that differ come from the environment."""

from pathlib import Path
from typing import Any

import django
import environ
from django.utils.translation import gettext_lazy as _

from mozillians_basket.beat import basket_beat_schedule
from project.settings.brokers import scheme, transport_options

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
# All files that the site writes by itself: database, broker, beat's schedule.
VAR = Path(env.str("PROJECT_VAR", default="") or BASE_DIR / "var")
VAR.mkdir(parents=True, exist_ok=True)

# The site

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "waffle",
    "django_celery_results",
    "mozillians_basket",
    "project.people",
    "project.groups",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mozillians_basket.middleware.actor_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates"],
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

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
# Each in its own name, as the form at the foot of a page shows it.
LANGUAGES = [
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("pt-br", "Português (Brasil)"),
]
LOCALE_PATHS = [BASE_DIR / "project" / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"
# Browsers keep cookies per host, for any port. A sandbox Basket on this machine has an admin
# too: with other names, neither site signs the other's users out.
SESSION_COOKIE_NAME = "mozillians_session"
LANGUAGE_COOKIE_NAME = "mozillians_language"
CSRF_COOKIE_NAME = "mozillians_csrf"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "project" / "static"]
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))

# Database

SQLITE_OPTIONS = {
    # A transaction that first reads and then writes cannot wait for its turn: it fails
    # at once if another has written. So each takes the write lock at its start.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL;"
        "PRAGMA synchronous=NORMAL;"
        "PRAGMA journal_size_limit=67108864;"
        "PRAGMA cache_size=-20000;"
    ),
}


def database(url: str) -> dict[str, Any]:
    """Return the settings of the database at ``url``, or of the file in VAR if it is empty."""
    config: dict[str, Any] = (
        environ.Env.db_url_config(url)
        if url
        else {"ENGINE": "django.db.backends.sqlite3", "NAME": str(VAR / "db.sqlite3")}
    )
    config["ATOMIC_REQUESTS"] = True
    options: dict[str, Any] = {}
    if config["ENGINE"] == "django.db.backends.sqlite3":
        options = SQLITE_OPTIONS
    elif config["ENGINE"] == "django.db.backends.postgresql":
        config["CONN_MAX_AGE"], config["CONN_HEALTH_CHECKS"] = 60, True
    config["OPTIONS"] = options | config.get("OPTIONS", {})
    return config


DATABASES = {"default": database(env.str("DATABASE_URL", default=""))}

# Cache

if env.str("CACHE_URL", default=""):
    CACHES = {"default": env.cache_url("CACHE_URL")}
    WAFFLE_CACHE_NAME = "default"
else:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        # This cache is per process, so it must expire soon: another process may turn the switch.
        "waffle": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "waffle",
            "TIMEOUT": 1,
        },
    }
    WAFFLE_CACHE_NAME = "waffle"

# Celery

BROKER_URL = env.str("BROKER_URL", default="") or "filesystem://localhost"

CELERY_BROKER_URL = BROKER_URL
# Seconds that a request waits for a broker that neither answers nor refuses.
BROKER_TIMEOUT = env.float("BROKER_TIMEOUT", default=2.0)
CELERY_BROKER_TRANSPORT_OPTIONS = transport_options(
    BROKER_URL, folder=VAR / "broker", timeout=BROKER_TIMEOUT
)
CELERY_BROKER_CONNECTION_TIMEOUT = BROKER_TIMEOUT
# RabbitMQ: a worker notices a dead connection within two heartbeats.
CELERY_BROKER_HEARTBEAT = 30
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request never waits for the broker.
CELERY_TASK_PUBLISH_RETRY = False
# With the broker made of files, replies and events would be files without a reader.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = scheme(BROKER_URL) != "filesystem"

CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_SOFT_TIME_LIMIT = 1500
CELERY_TASK_TIME_LIMIT = 1800
# No message waits behind a share of one process while another process is idle.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# After a broker outage, Celery would lower the prefetch count and raise it again from the
# pool's threads. With RabbitMQ these then read from the consumer's socket, and the worker hangs.
CELERY_WORKER_ENABLE_PREFETCH_COUNT_REDUCTION = False
# A worker keeps its database connections for this many tasks. Before each, project.celery
# replaces those that broke or are older than CONN_MAX_AGE.
CELERY_DB_REUSE_MAX = env.int("CELERY_DB_REUSE_MAX", default=1000) or None
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE = basket_beat_schedule(
    sweep_every=env.float("BASKET_SWEEP_EVERY", default=5.0),
    reconcile_every=env.float("BASKET_RECONCILE_EVERY", default=3600.0),
    verify_every=env.float("BASKET_VERIFY_EVERY", default=60.0),
)
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "beat-schedule")

CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = 7 * 24 * 3600
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = True

# Basket

BASKET_MEMBER_MODEL = "people.UserProfile"
BASKET_SITE = "project.people.basket.Mozillians"
BASKET_URL = env.str("BASKET_URL", default="")
BASKET_API_KEY = env.str("BASKET_API_KEY", default="")
BASKET_SUPPRESSION_KEY = env.str("BASKET_SUPPRESSION_KEY", default="")
BASKET_SUPPRESSION_KEY_FALLBACKS = env.list("BASKET_SUPPRESSION_KEY_FALLBACKS", default=[])
# A Basket whose own back end is out of reach answers after about 15 seconds.
BASKET_TIMEOUT = env.float("BASKET_TIMEOUT", default=20.0)
BASKET_LEASE_SECONDS = env.float("BASKET_LEASE_SECONDS", default=6 * BASKET_TIMEOUT)
BASKET_RECHECK_SECONDS = env.float("BASKET_RECHECK_SECONDS", default=60.0)
BASKET_REMOVAL_GRACE_SECONDS = env.float("BASKET_REMOVAL_GRACE_SECONDS", default=3600.0)
BASKET_WAIT_FACTOR = env.float("BASKET_WAIT_FACTOR", default=1.0)
BASKET_CONCURRENCY = env.int("BASKET_CONCURRENCY", default=20)
BASKET_SHARE_SIZE = env.int("BASKET_SHARE_SIZE", default=60)
BASKET_BRAKE_FLOOR = env.int("BASKET_BRAKE_FLOOR", default=50)
BASKET_OPEN_NEWSLETTERS = env.list("BASKET_OPEN_NEWSLETTERS", default=[])
BASKET_NEWSLETTER_TITLES = {
    "mozilla-phone": _("Mozilla phone"),
    "mozillians-nda": _("Members under NDA"),
    "mozilla-foundation": _("Mozilla Foundation"),
}

# Mail: to the site's admins, and to members who change their address

SMTP = "django.core.mail.backends.smtp.EmailBackend"
FILES = "django.core.mail.backends.filebased.EmailBackend"
MAIL_FOLDER = VAR / "mail"
MAIL_BACKEND = env.str("EMAIL_BACKEND", default="") or SMTP
MAIL_HOST, MAIL_PORT = env.str("EMAIL_HOST", default="localhost"), env.int("EMAIL_PORT", default=25)
if django.VERSION >= (6, 1):
    MAIL_OPTIONS = {
        SMTP: {"host": MAIL_HOST, "port": MAIL_PORT},
        FILES: {"file_path": str(MAIL_FOLDER)},
    }.get(MAIL_BACKEND, {})
    MAILERS = {"default": {"BACKEND": MAIL_BACKEND, "OPTIONS": MAIL_OPTIONS}}
else:
    EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = MAIL_BACKEND, MAIL_HOST, MAIL_PORT
    EMAIL_FILE_PATH = str(MAIL_FOLDER)
BASKET_MANAGERS = env.list("BASKET_MANAGERS", default=[])

# Logging

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL},
        # At DEBUG these print addresses: in SQL, in task arguments, in Basket's URLs.
        **{
            name: {"level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL}
            for name in ("amqp", "celery", "django.db", "kombu", "urllib3")
        },
        # A line for each message received; another line says that it was carried out.
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
