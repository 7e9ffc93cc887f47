"""System checks: a wrong setting gives a numbered message with a hint, not a traceback later."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004
from django.core.exceptions import FieldDoesNotExist, FieldError, ImproperlyConfigured
from django.db import DatabaseError, connections, router
from django.db.models import Aggregate, F, Model, Subquery
from waffle.utils import get_setting

from mozillians_basket.conf import Setting, Settings, conf
from mozillians_basket.dependencies import Dependencies
from mozillians_basket.models import Status, alias
from mozillians_basket.site import (
    FIELDS,
    BasketSite,
    Policy,
    Trigger,
    get_site,
    method_of,
    site_path,
)

Messages = Iterator[CheckMessage]

#: The names of newsletters that Basket takes in a comma-delimited list.
SLUG = re.compile(r"[A-Za-z0-9_-]{1,100}")

#: The hosts to which the key and addresses may travel unencrypted.
THIS_MACHINE = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")

#: The settings that are numbers.
NUMBERS = tuple(each for each in vars(Settings).values() if isinstance(each, Setting) and each.unit)


def _message(kind: type[Error | Warning | Info], number: int, text: str, hint: str) -> CheckMessage:
    """Make a message of this app: ``mozillians_basket.E101`` and so on."""
    return kind(text, hint=hint, id=f"mozillians_basket.{kind.__name__[0]}{number}")


error, caution, note = partial(_message, Error), partial(_message, Warning), partial(_message, Info)


def check_site(app_configs: Any, **kwargs: Any) -> Messages:
    """Check that ``BASKET_SITE`` is set and fits the site's models."""
    if not conf.SITE:
        yield error(
            101,
            "BASKET_SITE is missing.",
            "Name your subclass of mozillians_basket.site.BasketSite, for example "
            'BASKET_SITE = "myproject.basket.Community".',
        )
        return
    try:
        site = get_site()
    except ImportError as problem:
        hint = "Check the dotted path; all that this module imports must be installed too."
        yield error(102, f"BASKET_SITE = {conf.SITE!r} cannot be imported: {problem}", hint)
    except ImproperlyConfigured as problem:
        yield error(103, str(problem), "Let it name a class that inherits from BasketSite.")
    else:
        yield from _check_paths(site)
        yield from _check_policies(site)
        for trigger in site.triggers:
            yield from _check_trigger(site, trigger)
        with suppress(FieldDoesNotExist, FieldError, AttributeError):  # another check names those
            for part in Dependencies(site).unseen:
                yield caution(
                    101,
                    f"{conf.SITE}: no signal shows a change of {part}.",
                    "The reconciler finds them. For a subquery, add a Trigger on its model.",
                )


def _check_paths(site: BasketSite) -> Messages:
    if problem := _query_problem(site.member_model, site.email):
        yield error(
            104,
            f"{conf.SITE}.email = {site.email!r} leads nowhere: {problem}",
            f"Give the path from {conf.MEMBER_MODEL} to the address, for example 'user__email'.",
        )
    elif any(
        field.one_to_many or field.many_to_many
        for path in _paths_in(site.email)
        for field in site_path(site.member_model, path)
    ):
        yield error(
            105,
            f"{conf.SITE}.email = {site.email!r} leads to many addresses of one member.",
            "Give an expression that chooses one, for example a Subquery for the primary and "
            "verified address. Its model needs a trigger.",
        )
    for name, what in site.fields.items():
        problem = "" if name in FIELDS else "Basket takes no such field at subscribe."
        if not problem and not method_of(site, name):
            problem = _query_problem(site.member_model, what)
        if problem:
            yield error(
                106,
                f"{conf.SITE}.fields[{name!r}] = {what!r} leads nowhere: {problem}",
                f"Name one of {', '.join(FIELDS)}, and give the path from {conf.MEMBER_MODEL} "
                "to its value, for example 'country', an expression, or a method of the site.",
            )


def _paths_in(value: Any) -> Iterator[str]:
    """List the paths in an expression that join tables; a subquery or an aggregate is one value."""
    if isinstance(value, str | F):
        yield str(getattr(value, "name", value))
    elif not isinstance(value, Subquery | Aggregate):
        for source in getattr(value, "get_source_expressions", list)():
            yield from _paths_in(source)


def _query_problem(model: type[Model], path: Any) -> str:
    try:
        if isinstance(path, str):
            list(site_path(model, path))
        str(model._base_manager.values_list(path).query)
    except (FieldDoesNotExist, FieldError) as problem:
        return str(problem)
    return ""


def _check_policies(site: BasketSite) -> Messages:
    seen: set[str] = set()
    for policy in site.policies:
        if not isinstance(policy, Policy):
            yield error(  # type: ignore[unreachable]
                107,
                f"{conf.SITE}.policies holds {policy!r}.",
                "Put Policy(newsletter, Q(...)) there.",
            )
            continue
        if not SLUG.fullmatch(policy.newsletter):
            yield error(
                108,
                f"The policy's newsletter {policy.newsletter!r} cannot be a newsletter in Basket.",
                "Use the slug as /news/newsletters/ lists it: letters, digits, - and _.",
            )
        if policy.newsletter in seen:
            yield error(
                109,
                f"Two policies of {conf.SITE} name {policy.newsletter!r}.",
                "Join their conditions with | in one policy.",
            )
        seen.add(policy.newsletter)
        try:
            str(site.member_model._base_manager.filter(policy.entitled).query)
        except (FieldError, ValueError, TypeError) as problem:
            yield error(
                110,
                f"The policy for {policy.newsletter!r} does not fit {conf.MEMBER_MODEL}: {problem}",
                "Write its condition as you would in that model's filter().",
            )


def _check_trigger(site: BasketSite, trigger: Trigger) -> Messages:
    try:
        model = apps.get_model(trigger.model)
    except (LookupError, ValueError):
        yield error(
            111,
            f"The trigger's model {trigger.model!r} is not installed.",
            'Name it as "app_label.Model", and put its app into INSTALLED_APPS.',
        )
        return
    if model._meta.auto_created:
        yield error(
            112,
            f"The trigger's model {trigger.model} is made by a ManyToManyField and sends no save.",
            "Give the field an explicit through model, and watch that.",
        )
    problem = _query_problem(model, trigger.member)
    end = None if problem else [*site_path(model, trigger.member)][-1].related_model
    if end is None or not issubclass(end, site.member_model):
        reason = f": {problem}" if problem else ""
        yield error(
            113,
            f"{trigger.model}: {trigger.member!r} is no path to {conf.MEMBER_MODEL}{reason}.",
            "Give the path as you would in that model's filter().",
        )
    for name in sorted(trigger.fields):
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist:
            yield error(
                114,
                f"The trigger on {trigger.model} names a field {name!r} that is not there.",
                f"It has: {', '.join(sorted(f.name for f in model._meta.concrete_fields))}.",
            )


def check_newsletters(app_configs: Any, **kwargs: Any) -> Messages:
    """Check the settings that name newsletters: two collections of slugs, and titles by slug."""
    for setting in ("BASKET_NEWSLETTERS", "BASKET_OPEN_NEWSLETTERS"):
        names = getattr(settings, setting, ())
        if isinstance(names, str) or not isinstance(names, Iterable):
            yield error(
                201,
                f"{setting} is {type(names).__name__}, not a list of names.",
                f'Write {setting} = ["about-mozilla"].',
            )
            continue
        for name in names:
            if not (isinstance(name, str) and SLUG.fullmatch(name)):
                yield error(
                    202,
                    f"{name!r} in {setting} cannot be a newsletter in Basket.",
                    "Use the slug as /news/newsletters/ lists it: letters, digits, - and _.",
                )
    titles = getattr(settings, "BASKET_NEWSLETTER_TITLES", {})
    if not isinstance(titles, Mapping):
        yield error(
            203,
            f"BASKET_NEWSLETTER_TITLES is {type(titles).__name__}, not a dict.",
            'Write BASKET_NEWSLETTER_TITLES = {"about-mozilla": _("About Mozilla")}.',
        )


def check_connection(app_configs: Any, **kwargs: Any) -> Messages:
    """Check that ``BASKET_URL`` and ``BASKET_API_KEY`` are set, and the key travels encrypted."""
    parts = urlsplit(conf.URL)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        yield error(
            301,
            "BASKET_URL is missing." if not conf.URL else "BASKET_URL is no http(s) URL.",
            'Set it to Basket\'s base URL, for example "https://basket.mozilla.org".',
        )
    elif parts.scheme == "http" and not THIS_MACHINE.fullmatch(parts.hostname):
        yield error(
            302,
            "BASKET_URL is http: the API key and people's addresses would travel in the open.",
            "Use https. Only a sandbox on this machine may be asked over http.",
        )
    if parts.username or parts.password or parts.path.rstrip("/").endswith("/news"):
        yield error(
            303,
            "BASKET_URL holds more than the server.",
            "Leave out credentials and the /news path.",
        )
    if not conf.API_KEY:
        yield error(
            304,
            "BASKET_API_KEY is missing.",
            "Ask Basket's admins for a key that may look people up; keep it out of the code.",
        )


def check_numbers(app_configs: Any, **kwargs: Any) -> Messages:
    """Check that numbers are above zero, a lease outlasts its calls, and shares fill threads."""
    wrong = [setting for setting in NUMBERS if not _is_sound(setting)]
    for setting in wrong:
        kind = "a whole number" if setting.cast is int else "a number"
        text = f"{setting.name} = {setting.given()!r} is not {kind} above zero."
        yield error(401, text, f"Give it in {setting.unit}.")
    if wrong:
        return
    if conf.longest_step > conf.LEASE_SECONDS:
        yield error(
            402,
            f"BASKET_LEASE_SECONDS = {conf.LEASE_SECONDS:g} is shorter than the calls of a "
            f"share may take with BASKET_TIMEOUT = {conf.TIMEOUT:g}.",
            f"Set it to at least {conf.longest_step:g}, or make BASKET_SHARE_SIZE smaller.",
        )
    if idle := -conf.SHARE_SIZE % conf.CONCURRENCY:
        yield caution(
            401,
            f"BASKET_SHARE_SIZE = {conf.SHARE_SIZE} is no multiple of BASKET_CONCURRENCY = "
            f"{conf.CONCURRENCY}: threads idle at the end of each share.",
            f"Set it to {conf.SHARE_SIZE + idle}, for example.",
        )


def _is_sound(number: Setting[Any]) -> bool:
    value = number.given()
    if value is None:
        return True
    if isinstance(value, bool):
        return False
    try:
        return float(value) > 0 and (number.cast is not int or float(value).is_integer())
    except (TypeError, ValueError, OverflowError):
        return False


def check_flags(app_configs: Any, **kwargs: Any) -> Messages:
    """Check the flags, and the settings that hold an address or several values."""
    for name in ("BASKET_OPTIN", "BASKET_TRIGGER_WELCOME"):
        value = getattr(settings, name, True)
        if not isinstance(value, bool):
            yield error(403, f"{name} is {value!r}.", "Set it to True or False.")
    source = conf.SOURCE_URL
    if source and urlsplit(source).scheme not in {"http", "https"}:
        text = f"BASKET_SOURCE_URL = {source!r} is no http(s) URL."
        yield error(404, text, "Give a whole URL.")
    managers = getattr(settings, "BASKET_MANAGERS", ())
    if isinstance(managers, str) or not all("@" in str(address) for address in managers):
        text = "BASKET_MANAGERS is no list of addresses."
        yield error(405, text, 'Write ["admin@example.org"].')
    keys = getattr(settings, "BASKET_SUPPRESSION_KEY_FALLBACKS", ())
    if isinstance(keys, str | bytes) or not all(isinstance(key, str) and key for key in keys):
        text = "BASKET_SUPPRESSION_KEY_FALLBACKS is no list of keys."
        yield error(406, text, "Write a list, with the latest key first.")


def check_switch_cache(app_configs: Any, **kwargs: Any) -> Messages:
    """Check that waffle's cache is shared by all processes, or expires within a second."""
    name = get_setting("CACHE_NAME")
    cache = settings.CACHES.get(name, {})
    backend, timeout = str(cache.get("BACKEND", "")), cache.get("TIMEOUT", 300)
    if not backend:
        yield error(
            501,
            f"WAFFLE_CACHE_NAME = {name!r} is not in CACHES.",
            "Add that cache, or name one that is there.",
        )
    elif backend.endswith(".LocMemCache") and (timeout is None or timeout > 1):
        yield error(
            502,
            "Waffle keeps the switch in a cache of one process: a worker would not see in "
            "time that BASKET_SWITCH_ENABLED was turned.",
            'Give that cache "TIMEOUT": 1, or point WAFFLE_CACHE_NAME at a shared cache '
            "(Redis, Memcached).",
        )


def check_database(app_configs: Any, **kwargs: Any) -> Messages:
    """Check that time zones are used, and that the databases are ones the app can work with."""
    if not settings.USE_TZ:
        yield error(
            601,
            "USE_TZ is False: the app compares moments, and naive ones are ambiguous.",
            "Set USE_TZ = True.",
        )
    connection = connections[alias()]
    vendor, options = connection.vendor, connection.settings_dict.get("OPTIONS", {})
    if vendor == "sqlite" and options.get("transaction_mode") != "IMMEDIATE":
        yield caution(
            601,
            'SQLite transactions are not IMMEDIATE: two workers will meet "database is locked".',
            'Set OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20} in DATABASES.',
        )
    if vendor not in {"sqlite", "postgresql"}:
        yield error(
            602,
            f"The app's tables are in a database of the kind {vendor}, which is not supported.",
            "Use PostgreSQL or SQLite. On MySQL and MariaDB, conditional unique constraints "
            "are missing, and two workers may ask the same question twice.",
        )
    members = router.db_for_write(apps.get_model(conf.MEMBER_MODEL))
    if members != alias():
        yield error(
            603,
            f"The members are in the database {members!r}, the app's tables in {alias()!r}: a "
            "change and its note would not be one transaction.",
            "Let DATABASE_ROUTERS lead mozillians_basket to the members' database.",
        )
    read_from = router.db_for_read(apps.get_model(conf.MEMBER_MODEL))
    if read_from != members:
        yield caution(
            602,
            f"Members are read from the database {read_from!r} and written to {members!r}.",
            f"The app reads them from {members!r}, where no change is late. So must methods that "
            "``fields`` names.",
        )


def check_tables(
    app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any
) -> Messages:
    """
    Compare this process with what the app's tables say: for ``check --database``.

    Before the first ``migrate`` there is nothing to compare with. With a wrong description
    of the site, ``check_site`` says so.
    """
    wrong = any(message.is_serious() for message in check_site(None))
    if wrong or alias() not in (databases or ()):
        return
    try:
        status = Status.objects.filter(pk=1).first()
    except DatabaseError:
        return
    if status is None:
        return
    for _subject, noted, now, setting in made_for(status):
        if noted and noted.lower() != now.lower():
            yield error(
                604,
                f"The app's tables were made for {noted}, but {setting} leads to {now}: nothing "
                "is sent.",
                "Set it back, or make the tables again as docs/installing.md says.",
            )
    if names := differing_settings(status):
        yield caution(
            603,
            f"The worker that swept last has other values of {', '.join(names)}.",
            "Give web processes, workers and beat the same settings, and restart them.",
        )


def made_for(status: Status) -> list[tuple[str, str, str, str]]:
    """List what the app's tables were made for, what it is now, and which setting says so."""
    model = apps.get_model(conf.MEMBER_MODEL)._meta.label
    return [
        ("member model", status.member_model, model, "BASKET_MEMBER_MODEL"),
        ("ledger's database", status.database, alias(), "DATABASE_ROUTERS"),
    ]


def settings_digests() -> dict[str, str]:
    """Digest the settings on which web processes and workers must agree; it shows no value."""
    values = {
        "BASKET_SITE": conf.SITE,
        "BASKET_MEMBER_MODEL": conf.MEMBER_MODEL,
        "BASKET_URL": conf.URL,
        "BASKET_API_KEY": conf.API_KEY,
        "BASKET_SUPPRESSION_KEY": (conf.SUPPRESSION_KEY, *conf.SUPPRESSION_KEY_FALLBACKS),
        "BASKET_QUEUE": conf.QUEUE,
        "the newsletters": sorted(get_site().newsletters),
        "Celery's broker": current_app.conf.broker_url,
    }
    return {name: sha256(repr(value).encode()).hexdigest()[:12] for name, value in values.items()}


def differing_settings(status: Status) -> list[str]:
    """Name the settings of this process that differ from those of the worker that swept last."""
    noted = status.worker_settings
    return [
        name for name, digest in settings_digests().items() if noted.get(name, digest) != digest
    ]


CHECKS = (
    check_database,
    check_site,
    check_newsletters,
    check_connection,
    check_numbers,
    check_flags,
    check_switch_cache,
)
