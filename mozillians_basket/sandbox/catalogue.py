"""The newsletters: loading them from a file, and describing them to callers."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import BlockedDomain, Newsletter, NewsletterGroup

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
    newsletters: dict[str, dict[str, Any]] = content["newsletters"]
    for slug, fields in newsletters.items():
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
    return len(newsletters)


def described() -> dict[str, dict[str, Any]]:
    """Return the description of every newsletter in ``/news/newsletters/``, by slug."""
    return {
        newsletter.slug: {
            **_described(newsletter),
            "languages": newsletter.languages.split(","),
            **({"welcome": newsletter.welcome} if sandbox_settings.SPECIFIED_FIELDS else {}),
        }
        for newsletter in Newsletter.objects.all()
    }


def described_v1() -> dict[str, dict[str, Any]]:
    """Return the description of every newsletter in ``/api/v1/news/newsletters/``, by slug."""
    return {
        newsletter.slug: {
            **_described(newsletter),
            "languages": newsletter.language_list,
            "slug": newsletter.slug,
        }
        for newsletter in Newsletter.objects.all()
    }


def _described(newsletter: Newsletter) -> dict[str, Any]:
    names = (*FLAGS, *TEXTS, "order")
    return {name: getattr(newsletter, name) for name in names}
