"""The newsletters: loading them, describing them to callers, and the languages they come in."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation.trans_real import parse_accept_lang_header

from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import BlockedDomain, Newsletter, NewsletterGroup
from mozillians_basket.sandbox.storage import CachedRows

DEFAULT_FILE = Path(__file__).parent / "fixtures" / "newsletters.json"
FLAGS = (
    "active",
    "firefox_confirm",
    "indent",
    "is_mofo",
    "is_waitlist",
    "private",
    "requires_double_optin",
    "show",
)
TEXTS = ("description", "title", "vendor_id")
LOADED = {*FLAGS, *TEXTS, "languages", "order", "welcome"}

TRANSACTIONAL_MESSAGES = frozenset({"download-firefox-mobile-whatsnew", "firefox-mobile-welcome"})
"""Messages that subscribe accepts in place of newsletters, on every real server."""

LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2})?", re.IGNORECASE)
ACCEPTED_LANGUAGE = re.compile(r"([a-z]{2,3})(?:-([a-z]{2})(?:-[a-z0-9]+)?)?", re.IGNORECASE)
DEFAULT_LANGUAGE = "en"

newsletters = CachedRows(Newsletter, lambda: {row.slug: row for row in Newsletter.objects.all()})
"""All newsletters by slug, in their order."""


def _read_groups() -> dict[str, frozenset[str]]:
    groups = NewsletterGroup.objects.filter(active=True).prefetch_related("newsletters")
    return {row.slug: frozenset(each.slug for each in row.newsletters.all()) for row in groups}


groups = CachedRows(NewsletterGroup, _read_groups)
"""The newsletters of each active group, by the group's slug."""

_blocked_domains = CachedRows(
    BlockedDomain, lambda: tuple(BlockedDomain.objects.values_list("domain", flat=True))
)


def is_blocked(address: str) -> bool:
    """Tell whether the address ends in a blocked domain."""
    return address.endswith(_blocked_domains.get())


def load(path: Path = DEFAULT_FILE) -> int:
    """
    Create or update the newsletters, groups and blocked domains of a JSON file.

    Returns the number of newsletters in it.
    """
    return load_content(json.loads(path.read_text(encoding="utf-8")))


@transaction.atomic
def load_content(content: dict[str, Any]) -> int:
    """
    Create or update newsletters, groups and blocked domains; nothing is removed.

    ``content`` has the form of Basket's answer to ``/news/newsletters/``, with optional
    ``groups`` and ``blocked_domains``. Returns the number of newsletters in it.
    """
    loaded: dict[str, dict[str, Any]] = content["newsletters"]
    for slug, fields in loaded.items():
        values = {name: value for name, value in fields.items() if name in LOADED}
        if not isinstance(values.get("languages", ""), str):
            values["languages"] = ",".join(values["languages"])
        Newsletter.objects.update_or_create(slug=slug, defaults=values)
    for slug, fields in content.get("groups", {}).items():
        members = fields.pop("newsletters", [])
        group, _ = NewsletterGroup.objects.update_or_create(slug=slug, defaults=fields)
        group.newsletters.set(Newsletter.objects.filter(slug__in=members))
    for domain in content.get("blocked_domains", []):
        BlockedDomain.objects.get_or_create(domain=domain)
    return len(loaded)


def describe() -> dict[str, dict[str, Any]]:
    """Return the description of every newsletter in ``/news/newsletters/``, by slug."""
    return {
        newsletter.slug: {
            **_shared_fields(newsletter),
            "languages": newsletter.languages.split(","),
            **({"welcome": newsletter.welcome} if sandbox_settings.SPECIFIED_FIELDS else {}),
        }
        for newsletter in Newsletter.objects.all()
    }


def describe_v1() -> dict[str, dict[str, Any]]:
    """Return the description of every newsletter in ``/api/v1/news/newsletters/``, by slug."""
    return {
        newsletter.slug: {
            **_shared_fields(newsletter),
            "languages": newsletter.language_list,
            "slug": newsletter.slug,
        }
        for newsletter in Newsletter.objects.all()
    }


def choose_language(fields: Mapping[str, str], accept_header: str) -> str | None:
    """
    Return the language to store for a call, or None to leave it as it is.

    The field ``lang`` counts most, then ``accept_lang``, then the header.
    """
    languages = _languages()
    if "lang" in fields:
        code = fields["lang"]
        if code and not LANGUAGE_CODE.fullmatch(code):
            code = DEFAULT_LANGUAGE
        return _closest(code, languages)
    accepted: list[str] = []
    header = fields.get("accept_lang", accept_header).replace("_", "-")
    for language, _quality in parse_accept_lang_header(header):
        if match := ACCEPTED_LANGUAGE.fullmatch(language):
            code = match[1].lower()
            if match[2] and code not in languages:
                code += f"-{match[2].upper()}"
            accepted.append(code)
    if not accepted:
        return None
    candidates = [*accepted, *(code[:2] for code in accepted)]
    best = next((code for code in candidates if code in languages), accepted[0])
    return _closest(best, languages)


def _shared_fields(newsletter: Newsletter) -> dict[str, Any]:
    return {name: getattr(newsletter, name) for name in (*FLAGS, *TEXTS, "order")}


def _languages() -> list[str]:
    found: set[str] = set()
    for newsletter in newsletters.get().values():
        found.update(newsletter.language_list)
    return sorted(found)


def _closest(code: str, languages: list[str]) -> str:
    """Return the language closest to a code; English when none is close."""
    lower = code.lower()
    for language in languages:
        if language.lower() == lower:
            return _spell(language)
    for language in languages:
        if language[:2].lower() == lower[:2]:
            return _spell(language)
    return DEFAULT_LANGUAGE


def _spell(code: str) -> str:
    language, dash, country = code.lower().partition("-")
    return f"{language}{dash}{country.upper()}"
