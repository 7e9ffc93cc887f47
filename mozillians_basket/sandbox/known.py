"""Newsletters, groups and blocked domains, kept in memory, as nearly every call reads them."""

from mozillians_basket.sandbox.models import BlockedDomain, Newsletter, NewsletterGroup
from mozillians_basket.sandbox.remembered import Remembered

newsletters = Remembered(Newsletter, lambda: {row.slug: row for row in Newsletter.objects.all()})
"""All newsletters by slug, in their order."""

domains = Remembered(
    BlockedDomain, lambda: tuple(BlockedDomain.objects.values_list("domain", flat=True))
)
"""The blocked domains."""


def _active_groups() -> dict[str, frozenset[str]]:
    groups = NewsletterGroup.objects.filter(active=True).prefetch_related("newsletters")
    return {row.slug: frozenset(line.slug for line in row.newsletters.all()) for row in groups}


groups = Remembered(NewsletterGroup, _active_groups)
"""The newsletters of each active group, by its slug."""
