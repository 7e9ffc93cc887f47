"""Remembers whose request is being answered, so that the history names them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

_request: ContextVar[HttpRequest | None] = ContextVar("basket_request", default=None)


@sync_and_async_middleware
def actor_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Make the user of a request the actor of the changes that are saved in it."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> Any:
            with _remembering(request):
                return await get_response(request)

        return answer_later

    def answer(request: HttpRequest) -> Any:
        with _remembering(request):
            return get_response(request)

    return answer


@contextmanager
def _remembering(request: HttpRequest) -> Iterator[None]:
    mark = _request.set(request)
    try:
        yield
    finally:
        _request.reset(mark)


def current_actor() -> Any:
    """
    Return the primary key of the user whose request is being answered; ``None`` without one.

    ``request.user`` is read only now: a view, or an API that authenticates by token,
    may have set it.
    """
    user = getattr(_request.get(), "user", None)
    return user.pk if isinstance(user, get_user_model()) else None
