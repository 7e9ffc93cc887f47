"""Remembers whose request is being answered, so that the history names them."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

_request: ContextVar[HttpRequest | None] = ContextVar("basket_request", default=None)


@sync_and_async_middleware
def actor_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Make the user of a request the actor of the changes that are saved in it."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            mark = _request.set(request)
            try:
                answer: Awaitable[HttpResponseBase] = get_response(request)
                return await answer
            finally:
                _request.reset(mark)

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        mark = _request.set(request)
        try:
            response: HttpResponseBase = get_response(request)
            return response
        finally:
            _request.reset(mark)

    return answer


def current_actor() -> Any:
    """
    Return the primary key of the user whose request is being answered; ``None`` without one.

    ``request.user`` is read only now: a view, or an API that authenticates by token,
    may have set it.
    """
    user = getattr(_request.get(), "user", None)
    return user.pk if isinstance(user, get_user_model()) else None
