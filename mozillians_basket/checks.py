"""System checks: a wrong setting is a numbered message with a hint, not a traceback later."""

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.core.exceptions import FieldDoesNotExist, FieldError, ImproperlyConfigured
from django.db import connections, router
from django.db.models import Model
from waffle.utils import get_setting

from mozillians_basket.conf import conf
from mozillians_basket.site import BasketSite, Policy, Trigger, get_site, site_path

#: What Basket takes as a newsletter's name in a comma-delimited list.
SLUG = re.compile(r"[A-Za-z0-9_-]{1,100}")

Messages = list[CheckMessage]


def error(number: int, text: str, hint: str) -> CheckMessage:
    """An error of this app, ``mozillians_basket.E001`` and so on."""
    return Error(text, hint=hint, id=f"mozillians_basket.E{number:03}")


def caution(number: int, text: str, hint: str) -> CheckMessage:
    """A warning of this app, ``mozillians_basket.W001`` and so on."""
    return Caution(text, hint=hint, id=f"mozillians_basket.W{number:03}")


def check_site(app_configs: Any, **kwargs: Any) -> Messages:
    """``BASKET_MEMBER_MODEL`` and ``BASKET_SITE``: there, and true to the site's models."""
    try:
        apps.get_model(conf.MEMBER_MODEL)
    except (LookupError, ValueError):
        return [
            error(
                1,
                f"BASKET_MEMBER_MODEL = {conf.MEMBER_MODEL!r} is no installed model.",
                'Name it as "app_label.Model", and put its app into INSTALLED_APPS.',
            )
        ]
    if not conf.SITE:
        return [
            error(
                2,
                "BASKET_SITE is missing.",
                "Name your subclass of mozillians_basket.site.BasketSite, for example "
                'BASKET_SITE = "myproject.basket.Community".',
            )
        ]
    try:
        site = get_site()
    except ImportError as problem:
        return [error(3, f"BASKET_SITE = {conf.SITE!r} cannot be imported: {problem}", _IMPORT)]
    except ImproperlyConfigured as problem:
        return [error(4, str(problem), "Let it name a class that inherits from BasketSite.")]
    return [
        *_check_email(site),
        *_check_policies(site),
        *(message for trigger in site.triggers for message in _check_trigger(site, trigger)),
    ]


_IMPORT = "Check the dotted path; what that module imports must be installed too."


def _check_email(site: BasketSite) -> Iterator[CheckMessage]:
    problem = _query_problem(site.member_model, site.email)
    if problem:
        yield error(
            5,
            f"{conf.SITE}.email = {site.email!r} leads nowhere: {problem}",
            f"Give the path from {conf.MEMBER_MODEL} to the address, for example 'user__email'.",
        )


def _check_policies(site: BasketSite) -> Iterator[CheckMessage]:
    seen: set[str] = set()
    for policy in site.policies:
        if not isinstance(policy, Policy):
            yield error(  # type: ignore[unreachable]
                6,
                f"{conf.SITE}.policies holds {policy!r}.",
                "Put Policy(newsletter, Q(...)) there.",
            )
            continue
        if not SLUG.fullmatch(policy.newsletter):
            yield error(
                7,
                f"The policy's newsletter {policy.newsletter!r} cannot be a newsletter in Basket.",
                "Use the slug as /news/newsletters/ lists it: letters, digits, - and _.",
            )
        if policy.newsletter in seen:
            yield error(
                8,
                f"Two policies of {conf.SITE} name {policy.newsletter!r}.",
                "Join their conditions with | in one policy.",
            )
        seen.add(policy.newsletter)
        try:
            str(site.member_model._base_manager.filter(policy.entitled).query)
        except (FieldError, ValueError, TypeError) as problem:
            yield error(
                9,
                f"The policy for {policy.newsletter!r} does not fit {conf.MEMBER_MODEL}: {problem}",
                "Write its condition as you would in that model's filter().",
            )


def _check_trigger(site: BasketSite, trigger: Trigger) -> Iterator[CheckMessage]:
    try:
        model = apps.get_model(trigger.model)
    except (LookupError, ValueError):
        yield error(
            10,
            f"The trigger's model {trigger.model!r} is not installed.",
            'Name it as "app_label.Model", and put its app into INSTALLED_APPS.',
        )
        return
    if model._meta.auto_created:
        yield error(
            11,
            f"The trigger's model {trigger.model} is made by a ManyToManyField and sends no save.",
            "Give the field an explicit through model, and watch that.",
        )
    try:
        end = site_path(model, trigger.member)[-1].related_model
    except FieldDoesNotExist as problem:
        end, reason = None, f": {problem}"
    else:
        reason = ""
    if end is None or not issubclass(end, site.member_model):
        yield error(
            12,
            f"{trigger.model}: {trigger.member!r} is no path to {conf.MEMBER_MODEL}{reason}.",
            "Give the path as you would in that model's filter().",
        )
    for name in sorted(trigger.fields):
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist:
            yield error(
                13,
                f"The trigger on {trigger.model} names a field {name!r} that is not there.",
                f"It has: {', '.join(sorted(f.name for f in model._meta.concrete_fields))}.",
            )


def _query_problem(model: type[Model], path: str) -> str:
    try:
        site_path(model, path)
        str(model._base_manager.values_list(path).query)
    except (FieldDoesNotExist, FieldError) as problem:
        return str(problem)
    return ""


def check_newsletters(app_configs: Any, **kwargs: Any) -> Messages:
    """``BASKET_NEWSLETTERS``: a collection of slugs."""
    names = getattr(settings, "BASKET_NEWSLETTERS", ())
    if isinstance(names, str) or not isinstance(names, Iterable):
        return [
            error(
                14,
                f"BASKET_NEWSLETTERS is {type(names).__name__}, not a list of names.",
                'Write BASKET_NEWSLETTERS = ["about-mozilla"].',
            )
        ]
    return [
        error(
            15,
            f"{name!r} in BASKET_NEWSLETTERS cannot be a newsletter in Basket.",
            "Use the slug as /news/newsletters/ lists it: letters, digits, - and _.",
        )
        for name in names
        if not (isinstance(name, str) and SLUG.fullmatch(name))
    ]


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


CHECKS = (
    check_site,
    check_newsletters,
    check_connection,
    check_numbers,
    check_flags,
    check_switch_cache,
    check_sqlite,
)
