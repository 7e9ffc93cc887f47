"""Conditions of a call: an API key, SSL, and calls left under the rate limit."""

import hashlib
import time

from django.http import HttpRequest

from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import ApiKey, RateCount
from mozillians_basket.sandbox.storage import CachedRows, write_transaction

_enabled_keys = CachedRows(
    ApiKey,
    lambda: frozenset(ApiKey.objects.filter(enabled=True).values_list("key", flat=True)),
)


def has_valid_key(request: HttpRequest) -> bool:
    """
    Tell whether a call of ``/news/`` is authorized.

    The first place that holds a key decides, in this order: body, query, header.
    So a wrong key in the query hides a good one in the header.
    """
    return _is_valid(
        request.POST.get("api-key")
        or request.POST.get("api_key")
        or request.GET.get("api-key")
        or request.GET.get("api_key")
        or request.headers.get("X-Api-Key")
    )


def has_valid_key_v1(request: HttpRequest) -> bool:
    """Tell whether a call of ``/api/v1/`` is authorized: query or header, either will do."""
    return _is_valid(request.GET.get("api-key")) or _is_valid(request.headers.get("X-Api-Key"))


def lacks_ssl(request: HttpRequest) -> bool:
    """
    Tell whether a call came unencrypted although SSL is required.

    A proxy's header counts if ``SECURE_PROXY_SSL_HEADER`` names it.
    """
    return sandbox_settings.REQUIRE_SSL and not request.is_secure()


def exceeds_rate_limit(*call: str) -> bool:
    """Count one more call with these parts; tell whether it exceeds the limit."""
    key = hashlib.sha256("\0".join(call).encode()).hexdigest()
    now = time.time()
    with write_transaction():
        rate = RateCount.objects.select_for_update().filter(key=key).first()
        if rate is None:
            rate, is_new = RateCount.objects.get_or_create(
                key=key, defaults={"started": now, "count": 1}
            )
            if is_new:
                return sandbox_settings.RATE_LIMIT < 1
        if now - rate.started >= sandbox_settings.RATE_PERIOD:
            rate.started, rate.count = now, 0
        rate.count += 1
        rate.save()
    return rate.count > sandbox_settings.RATE_LIMIT


def _is_valid(key: str | None) -> bool:
    return key is not None and key in _enabled_keys.get()
