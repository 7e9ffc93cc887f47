"""The consumer site with members and the app's tables in a database other than the default."""

import os
from typing import Any

from project.settings.test import *  # noqa: F403
from project.settings.test import DATABASES, VAR

DATABASES = {
    "default": {**DATABASES["default"], "NAME": str(VAR / "default.sqlite3")},
    "members": {**DATABASES["default"], "NAME": str(VAR / "members.sqlite3")},
}
DATABASE_ROUTERS = ["tests.adoption.settings_two_databases.Router"]


class Router:
    """Keeps the switch, sessions and results in the default database, and all else in the other."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self._database(model._meta.app_label)

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return self._database(model._meta.app_label)

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == self._database(app_label)

    @staticmethod
    def _database(app_label: str) -> str:
        elsewhere = {"waffle", "sessions", "django_celery_results"}
        return "default" if app_label in elsewhere else "members"


BASKET_URL = os.environ.get("BASKET_URL", "")
BASKET_API_KEY = os.environ.get("BASKET_API_KEY", "")
