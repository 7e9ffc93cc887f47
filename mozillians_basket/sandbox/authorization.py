"""API keys as callers send them."""

from django.http import HttpRequest

from mozillians_basket.sandbox.models import ApiKey
from mozillians_basket.sandbox.remembered import Remembered


def _enabled() -> frozenset[str]:
    return frozenset(ApiKey.objects.filter(enabled=True).values_list("key", flat=True))


keys = Remembered(ApiKey, _enabled)


def is_valid(key: str | None) -> bool:
    """Tell whether this is an enabled key."""
    return key is not None and key in keys.now()


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
