"""What every endpoint does around its own work: faults, the journal, plain failures."""

import logging
import time
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from mozillians_basket.sandbox import answers, contacts, faults, journal, tokens
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import Fault

logger = logging.getLogger(__name__)

View: TypeAlias = Callable[..., HttpResponse]


def endpoint(name: str, *methods: str) -> Callable[[View], View]:
    """
    Make a view an endpoint of the Newsletter API.

    ``name`` is what faults and the journal call it; two paths may share one. Without
    ``methods``, every method is served.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @never_cache
        @wraps(view)
        def answered(request: HttpRequest, **arguments: Any) -> HttpResponse:
            started = time.monotonic()
            email = request.POST.get("email") or request.GET.get("email") or ""
            struck = faults.board.striking(name, email or _email_of(arguments, request))
            response, is_answered = _with_faults(struck, view, methods, request, arguments)
            # Django would log a refused call with its path, which can hold a token.
            response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
            journal.record(
                request,
                name,
                email,
                status=response.status_code if is_answered else None,
                code=getattr(response, "code", None) if is_answered else None,
                seconds=time.monotonic() - started,
            )
            return response

        return answered

    return decorate


def in_maintenance(request: HttpRequest) -> bool:
    """Tell whether this request is answered as in maintenance."""
    return sandbox_settings.MAINTENANCE or "basket_sandbox.maintenance" in request.META


def _email_of(arguments: dict[str, Any], request: HttpRequest) -> str:
    if not any(fault.email for fault in faults.board.current()):
        return ""
    token = tokens.parsed(str(arguments.get("token") or request.GET.get("token", "")))
    person = contacts.find(token=token) if token else None
    return person.email if person else ""


def _with_faults(
    struck: list[Fault],
    view: View,
    methods: tuple[str, ...],
    request: HttpRequest,
    arguments: dict[str, Any],
) -> tuple[HttpResponse, bool]:
    for fault in struck:
        if fault.kind == Fault.Kind.DELAY:
            faults.wait(fault)
        elif fault.kind == Fault.Kind.MAINTENANCE:
            request.META["basket_sandbox.maintenance"] = True
    for fault in struck:
        if fault.kind == Fault.Kind.ANSWER:
            return _ordered(fault), True
        if fault.kind == Fault.Kind.RATE_LIMIT:
            response: HttpResponse = answers.error(429, Code.USAGE, "rate limit reached")
            if fault.retry_after:
                response["Retry-After"] = fault.retry_after
            return response, True
        if fault.kind == Fault.Kind.HTML:
            return answers.page(fault.status, "Something went wrong"), True
        if fault.kind == Fault.Kind.HANG:
            faults.wait(fault)
            return _unanswered(request), False
        if fault.kind == Fault.Kind.IGNORE:
            with transaction.atomic():
                response = _served(view, methods, request, arguments)
                transaction.set_rollback(True)
            return response, True
        if fault.kind == Fault.Kind.DROP:
            _served(view, methods, request, arguments)
            return _unanswered(request), False
        if fault.kind == Fault.Kind.MALFORMED:
            response = _served(view, methods, request, arguments)
            response.content = response.content[:-1]
            return response, True
    return _served(view, methods, request, arguments), True


def _ordered(fault: Fault) -> HttpResponse:
    if fault.code is None and fault.status < 400:
        return answers.Answer({"status": "ok"}, fault.status)
    code = Code.UNKNOWN if fault.code is None else fault.code
    return answers.error(fault.status, code, fault.desc or "a fault was set")


def _served(
    view: View, methods: tuple[str, ...], request: HttpRequest, arguments: dict[str, Any]
) -> HttpResponse:
    if methods and request.method not in methods:
        return HttpResponseNotAllowed(methods)
    try:
        return view(request, **arguments)
    except Exception as error:  # noqa: BLE001
        # The text of an error can quote an address, so only its place is logged.
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        logger.error("%s at %s:%s", kind, place.filename, place.lineno)  # noqa: TRY400
        return answers.page(500, "Server Error")


def _unanswered(request: HttpRequest) -> HttpResponse:
    connection = request.META.get("basket_sandbox.connection")
    if connection is not None:
        connection.drop()
    # Another server than the sandbox's own cannot be told to say nothing.
    return HttpResponse(status=500)
