"""The baseline's settings: the same models, servers and libraries, with default settings."""

import environ

env = environ.Env()

SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "waffle",
    "django_celery_results",
    "project.people",
    "project.groups",
]
# The cost of requests at a site without newsletters is measured too.
if not env.bool("WITHOUT_NEWSLETTERS", default=False):
    INSTALLED_APPS.append("benchmarks.naive.NaiveConfig")

DATABASES = {"default": env.db_url("DATABASE_URL")}

CELERY_BROKER_URL = env.str("BROKER_URL")
CELERY_RESULT_BACKEND = "django-db"

# basket-client reads these settings itself.
BASKET_URL = env.str("BASKET_URL", default="")
BASKET_API_KEY = env.str("BASKET_API_KEY", default="")

# Importing the site's models imports the site's own Celery app, which keeps Celery from setting
# up logging. With this setting both log the same, and a worker says when it is ready.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
