"""The site's newsletters as an admin is offered them: with Basket's titles where it is there."""

import hashlib
from dataclasses import dataclass

from django.core.cache import cache

from mozillians_basket import client
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError
from mozillians_basket.models import Pulse
from mozillians_basket.site import get_site
from mozillians_basket.switch import switch_is_on

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
        """What to call it."""
        return self.title or self.slug


def offered() -> list[Newsletter]:
    """
    The site's own newsletters, and no others, in the order of their slugs.

    Titles and descriptions are Basket's, kept in Django's cache for some
    minutes; empty while Basket is away or the switch is off.
    """
    texts = _texts()
    return [Newsletter(slug, *texts.get(slug, ("", ""))) for slug in sorted(get_site().newsletters)]


def _texts() -> dict[str, tuple[str, str]]:
    place = hashlib.sha256(conf.URL.encode()).hexdigest()[:16]
    key = f"mozillians_basket.catalogue.{place}"
    known: dict[str, tuple[str, str]] | None = cache.get(key)
    if known is not None:
        return known
    if not switch_is_on() or Pulse.now().opened_at is not None:
        return {}
    try:
        with client.within(PATIENCE):
            catalogue = client.catalogue()
    except BasketError:
        cache.set(key, {}, KEPT_AFTER_FAILURE)
        return {}
    texts = {
        slug: (str(entry.get("title") or ""), str(entry.get("description") or ""))
        for slug, entry in catalogue.items()
        if isinstance(entry, dict)
    }
    cache.set(key, texts, KEPT)
    return texts
