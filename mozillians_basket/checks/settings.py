"""The settings: Basket's address and key, numbers, flags, the switch's cache, SQLite."""

import ipaddress
import os
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections, router
from waffle.utils import get_setting

from mozillians_basket.checks.messages import Messages, caution, error
from mozillians_basket.conf import conf


def check_connection(app_configs: Any, **kwargs: Any) -> Messages:
    """``BASKET_URL`` and ``BASKET_API_KEY``: there, and fit for a key to travel."""
    messages: Messages = []
    parts = urlsplit(conf.URL)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        messages.append(
            error(
                16,
                "BASKET_URL is missing." if not conf.URL else "BASKET_URL is no http(s) URL.",
                'Set it to Basket\'s base URL, for example "https://basket.mozilla.org".',
            )
        )
    elif parts.scheme == "http" and not _is_this_machine(parts.hostname):
        messages.append(
            error(
                17,
                "BASKET_URL is http: the API key and people's addresses would travel in the open.",
                "Use https. Only a sandbox on this machine may be asked over http.",
            )
        )
    if parts.username or parts.password or parts.path.rstrip("/").endswith("/news"):
        messages.append(
            error(
                18,
                "BASKET_URL holds more than the server.",
                "Leave out credentials and the /news path.",
            )
        )
    if not conf.API_KEY:
        messages.append(
            error(
                19,
                "BASKET_API_KEY is missing.",
                "Ask Basket's admins for a key that may look people up; keep it out of the code.",
            )
        )
    return messages


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


#: Settings that are numbers: name, whether it must be whole, what it counts.
NUMBERS = (
    ("BASKET_TIMEOUT", False, "seconds"),
    ("BASKET_LEASE_SECONDS", False, "seconds"),
    ("BASKET_RECHECK_SECONDS", False, "seconds"),
    ("BASKET_REMOVAL_GRACE_SECONDS", False, "seconds"),
    ("BASKET_POOL_SIZE", True, "connections"),
    ("BASKET_MAX_IN_FLIGHT", True, "contacts"),
    ("BASKET_DRAIN_SIZE", True, "rows"),
    ("BASKET_HINT_SIZE", True, "touches"),
    ("BASKET_MAX_PER_SECOND", False, "contacts a second"),
    ("BASKET_BREAKER_FAILURES", True, "failures"),
    ("BASKET_WAIT_FACTOR", False, "times the usual wait"),
    ("BASKET_MAX_ATTEMPTS", True, "attempts"),
    ("BASKET_BRAKE_SHARE", False, "parts of one: 0.1 is ten in a hundred"),
    ("BASKET_BRAKE_FLOOR", True, "subscriptions"),
    ("BASKET_VERIFY_PER_MINUTE", True, "contacts a minute"),
    ("BASKET_HISTORY_DAYS", True, "days"),
)


def check_numbers(app_configs: Any, **kwargs: Any) -> Messages:
    """Numbers are numbers above zero, and a lease outlasts the calls under it."""
    messages = []
    for name, whole, unit in NUMBERS:
        value = getattr(settings, name, None)
        if value is None and name == "BASKET_TIMEOUT":
            value = os.environ.get(name)
        if value is not None and not _is_positive(value, whole=whole):
            kind = "a whole number" if whole else "a number"
            messages.append(
                error(20, f"{name} = {value!r} is not {kind} above zero.", f"Give it in {unit}.")
            )
    if not messages and conf.LEASE_SECONDS < 2 * conf.TIMEOUT + 1:
        messages.append(
            error(
                21,
                f"BASKET_LEASE_SECONDS = {conf.LEASE_SECONDS:g} is shorter than the two lookups "
                f"of a step may take with BASKET_TIMEOUT = {conf.TIMEOUT:g}.",
                f"Set it to at least {2 * conf.TIMEOUT + 1:g}, or leave it out.",
            )
        )
    return messages


def _is_positive(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return number > 0 and (not whole or number == int(number))


def check_flags(app_configs: Any, **kwargs: Any) -> Messages:
    """``BASKET_OPTIN`` and ``BASKET_TRIGGER_WELCOME`` are flags, ``BASKET_SOURCE_URL`` a URL."""
    messages = [
        error(22, f"{name} is {getattr(settings, name)!r}.", "Set it to True or False.")
        for name in ("BASKET_OPTIN", "BASKET_TRIGGER_WELCOME")
        if not isinstance(getattr(settings, name, True), bool)
    ]
    managers = getattr(settings, "BASKET_MANAGERS", ())
    if isinstance(managers, str) or not all("@" in str(address) for address in managers):
        messages.append(
            error(26, "BASKET_MANAGERS is no list of addresses.", 'Write ["admin@example.org"].')
        )
    source = conf.SOURCE_URL
    if source and urlsplit(source).scheme not in {"http", "https"}:
        messages.append(
            error(23, f"BASKET_SOURCE_URL = {source!r} is no http(s) URL.", "Give a whole URL.")
        )
    return messages


def check_switch_cache(app_configs: Any, **kwargs: Any) -> Messages:
    """Waffle's cache: one that all processes share, or one that forgets within a second."""
    name = get_setting("CACHE_NAME")
    cache = settings.CACHES.get(name, {})
    backend = str(cache.get("BACKEND", ""))
    if not backend:
        return [
            error(
                24,
                f"WAFFLE_CACHE_NAME = {name!r} is not in CACHES.",
                "Add that cache, or name one that is there.",
            )
        ]
    timeout = cache.get("TIMEOUT", 300)
    if backend.endswith(".LocMemCache") and (timeout is None or timeout > 1):
        return [
            error(
                25,
                "Waffle keeps the switch in a cache of one process: a worker would not see in "
                "time that BASKET_SWITCH_ENABLED was turned.",
                'Give that cache "TIMEOUT": 1, or point WAFFLE_CACHE_NAME at a shared cache '
                "(Redis, Memcached).",
            )
        ]
    return []


def check_sqlite(app_configs: Any, **kwargs: Any) -> Messages:
    """SQLite: transactions that wait for each other in place of failing."""
    from mozillians_basket.models import Contact

    connection = connections[router.db_for_write(Contact)]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor == "sqlite" and options.get("transaction_mode") != "IMMEDIATE":
        return [
            caution(
                1,
                "SQLite transactions are not IMMEDIATE: a worker with threads will meet "
                '"database is locked".',
                'Set OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20} in DATABASES.',
            )
        ]
    return []
