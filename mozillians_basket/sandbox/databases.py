"""The database of the sandbox Basket."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ENGINES = {
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "oracle": "django.db.backends.oracle",
}


def configured(place: str) -> dict[str, Any]:
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
        "ENGINE": ENGINES[scheme],
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
