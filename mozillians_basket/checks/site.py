"""The site's own description of itself: its class, paths, policies and triggers."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import FieldDoesNotExist, FieldError, ImproperlyConfigured
from django.db.models import Model

from mozillians_basket.checks.messages import Messages, error
from mozillians_basket.conf import conf
from mozillians_basket.site import BasketSite, Policy, Trigger, get_site, site_path

#: What Basket takes as a newsletter's name in a comma-delimited list.
SLUG = re.compile(r"[A-Za-z0-9_-]{1,100}")


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
