"""The site's own middleware."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation

Handler = Callable[[HttpRequest], HttpResponse]


def english_admin_middleware(get_response: Handler) -> Handler:
    """Show the admin in English: the app's texts there have no translations yet."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(reverse("admin:index")):
            return get_response(request)
        with translation.override("en"):
            response = get_response(request)
        response.headers.setdefault("Content-Language", "en")
        return response

    return middleware
