"""API keys as callers send them."""

from django.http import HttpRequest

from mozillians_basket.sandbox.models import ApiKey


def is_valid(key: str | None) -> bool:
    """Tell whether this is an enabled key."""
    return bool(key) and ApiKey.objects.filter(key=key, enabled=True).exists()


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
