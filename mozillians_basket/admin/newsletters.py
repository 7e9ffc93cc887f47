"""The site's newsletters as an admin is offered them: with Basket's titles where it is there."""

import hashlib
from dataclasses import dataclass

from django.core.cache import cache

from mozillians_basket.client import calls
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError
from mozillians_basket.models import Status
from mozillians_basket.site import get_site

#: Seconds that a page waits for Basket's catalogue.
PATIENCE = 2.0

#: Seconds for which the catalogue is kept, and for which it is not asked for after a failure.
KEPT, KEPT_AFTER_FAILURE = 300, 60


@dataclass(frozen=True, slots=True)
class Newsletter:
    """One that this site may change."""

    slug: str
    title: str = ""
    description: str = ""

    @property
    def name(self) -> str:
        """Its title, or its slug."""
        return self.title or self.slug


def offered() -> list[Newsletter]:
    """
    The site's own newsletters, and no others, in the order of their slugs.

    Titles and descriptions are Basket's, kept in Django's cache for some
    minutes; empty while Basket is away or the switch is off.
    """
    texts = _texts()
    return [Newsletter(slug, *texts.get(slug, ("", ""))) for slug in sorted(get_site().newsletters)]


Texts = dict[str, tuple[str, str]]


def _texts() -> Texts:
    place = hashlib.sha256(conf.URL.encode()).hexdigest()[:16]
    key = f"mozillians_basket.catalogue.{place}"
    try:
        known: Texts | None = cache.get(key)
    except Exception:  # noqa: BLE001 - any error of the cache: the page works without it
        return _asked()[0]
    if known is None:
        known, seconds = _asked()
        if seconds:
            cache.set(key, known, seconds)
    return known


def _asked() -> tuple[Texts, int]:
    """Basket's answer, and the number of seconds to cache it."""
    if not switch_is_on() or Status.read().opened_at is not None:
        return {}, 0
    try:
        with calls.within(PATIENCE):
            catalogue = calls.catalogue()
    except BasketError:
        return {}, KEPT_AFTER_FAILURE
    texts = {
        slug: (str(entry.get("title") or ""), str(entry.get("description") or ""))
        for slug, entry in catalogue.items()
        if isinstance(entry, dict)
    }
    return texts, KEPT
