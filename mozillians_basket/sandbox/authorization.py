"""API keys as callers send them."""

import time

from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest

from mozillians_basket.sandbox.models import ApiKey

FRESH_FOR = 1.0
"""Seconds after which another process's change of the keys is seen."""


class KeyRing:
    """The enabled keys, read from the database only when they may have changed."""

    def __init__(self) -> None:
        self._keys: frozenset[str] = frozenset()
        self._read_at = 0.0
        post_save.connect(self.forget, sender=ApiKey, weak=False)
        post_delete.connect(self.forget, sender=ApiKey, weak=False)

    def forget(self, **_kwargs: object) -> None:
        """Read the keys again before the next request."""
        self._read_at = 0.0

    def __contains__(self, key: str) -> bool:
        now = time.monotonic()
        if not self._read_at or now - self._read_at > FRESH_FOR:
            self._read_at = now
            enabled = ApiKey.objects.filter(enabled=True)
            self._keys = frozenset(enabled.values_list("key", flat=True))
        return key in self._keys


key_ring = KeyRing()


def is_valid(key: str | None) -> bool:
    """Tell whether this is an enabled key."""
    return key is not None and key in key_ring


def has_valid_key(request: HttpRequest) -> bool:
    """
    Tell whether a call of ``/news/`` is authorized.

    The first place that holds a key decides, in this order: body, query, header.
    So a wrong key in the query hides a good one in the header.
    """
    return is_valid(
        request.POST.get("api-key")
        or request.POST.get("api_key")
        or request.GET.get("api-key")
        or request.GET.get("api_key")
        or request.headers.get("X-Api-Key")
    )


def has_valid_key_v1(request: HttpRequest) -> bool:
    """Tell whether a call of ``/api/v1/`` is authorized: query or header, either will do."""
    return is_valid(request.GET.get("api-key")) or is_valid(request.headers.get("X-Api-Key"))
