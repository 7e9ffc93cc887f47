"""The frame around the work of every endpoint: faults, the journal, plain failures."""

import logging
import time
import traceback
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeAlias

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from mozillians_basket.sandbox import (
    answers,
    calls,
    contacts,
    faults,
    journal,
    maintenance,
    store,
    tokens,
)
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.models import Fault
from mozillians_basket.sandbox.rounds import rounds
from mozillians_basket.sandbox.store import StoreTroubleError
from mozillians_basket.sandbox.writing import writing

logger = logging.getLogger(__name__)

PATIENCE_WITH_STORE = 15.0
"""Seconds after which Basket gives up on a store that is out of reach."""

SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}

View: TypeAlias = Callable[..., HttpResponse]


def endpoint(
    name: str,
    *methods: str,
    refusal: str = "",
    cached: bool = False,
    unguarded: bool = True,
) -> Callable[[View], View]:
    """
    Make a view an endpoint of the Newsletter API.

    ``name`` is its name in faults and the journal; two paths may share one. Without
    ``methods``, every method is served; others are answered with ``refusal``. With ``cached``,
    the caller may keep the answer for five minutes. Without ``unguarded``, Django's check for
    forged requests applies, so nothing can be posted to it.
    """
    keep = "max-age=300" if cached else "max-age=0, no-cache, no-store, must-revalidate, private"

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answered(request: HttpRequest, **arguments: Any) -> HttpResponse:
            connection = request.META.get("basket_sandbox.connection")
            with rounds.request(connection.received_in if connection else None):
                return in_round(request, arguments)

        def in_round(request: HttpRequest, arguments: dict[str, Any]) -> HttpResponse:
            if rounds.is_over():
                return _unanswered(request)
            started = time.monotonic()
            email = request.POST.get("email") or request.GET.get("email") or ""
            calls.catch_up()
            about = name, email or _email_of(arguments, request)
            request.META[maintenance.ABOUT] = about
            struck = faults.board.striking(*about)

            def serve() -> HttpResponse:
                asks_first = "Access-Control-Request-Method" in request.headers
                if request.method == "OPTIONS" and asks_first:
                    return _preflight(request)
                if not unguarded and request.method not in SAFE:
                    return answers.page(403, "Forbidden")
                if methods and request.method not in methods:
                    return HttpResponseNotAllowed(methods, content=refusal)
                return _guarded(view, request, arguments, email)

            record = partial(journal.record, request, name, email)
            if any(fault.kind == Fault.Kind.HANG for fault in struck):
                # The caller will not wait for the end either.
                record(status=None, code=None, seconds=0)
                return _with_faults(struck, serve, request)[0]
            response, is_answered = _with_faults(struck, serve, request)
            if rounds.is_over():
                return _unanswered(request)
            response["Cache-Control"] = keep
            if "Origin" in request.headers:
                response["Access-Control-Allow-Origin"] = "*"
            # Django would log a refused call with its path, which can hold a token.
            response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
            record(
                status=response.status_code if is_answered else None,
                code=getattr(response, "code", None) if is_answered else None,
                seconds=time.monotonic() - started,
            )
            return response

        return answered

    return decorate


def _email_of(arguments: dict[str, Any], request: HttpRequest) -> str:
    if not any(fault.email for fault in faults.board.current()):
        return ""
    token = tokens.parsed(str(arguments.get("token") or request.GET.get("token", "")))
    person = contacts.find(token=token) if token else None
    return person.email if person else ""


def _with_faults(
    struck: list[Fault], serve: Callable[[], HttpResponse], request: HttpRequest
) -> tuple[HttpResponse, bool]:
    decisive = None
    for fault in struck:
        if fault.kind == Fault.Kind.DELAY:
            faults.wait(fault)
        elif fault.kind in maintenance.KINDS:
            maintenance.begin(request, fault)
        else:
            decisive = fault
    if rounds.is_over():
        return _unanswered(request), False
    if decisive is None:
        return serve(), True
    kind = Fault.Kind(decisive.kind)
    if kind in {Fault.Kind.HANG, Fault.Kind.DROP}:
        if kind is Fault.Kind.DROP:
            serve()
        else:
            faults.wait(decisive)
        return _unanswered(request), False
    return _altered(decisive, kind, serve), True


def _altered(fault: Fault, kind: Fault.Kind, serve: Callable[[], HttpResponse]) -> HttpResponse:
    if kind is Fault.Kind.HTML:
        return answers.page(fault.status, "Something went wrong")
    if kind is Fault.Kind.RATE_LIMIT:
        response: HttpResponse = answers.rate_limited()
        if fault.retry_after:
            response["Retry-After"] = fault.retry_after
        return response
    if kind is Fault.Kind.IGNORE:
        with writing():
            response = serve()
            transaction.set_rollback(True)
        return response
    if kind is Fault.Kind.MALFORMED:
        response = serve()
        response.content = response.content[:-1]
        return response
    if kind in store.FOR_WRITING:
        with store.in_trouble(fault):
            return serve()
    if fault.code is None and fault.status < 400:
        return answers.Answer({"status": "ok"}, fault.status)
    code = Code.UNKNOWN if fault.code is None else fault.code
    return answers.error(fault.status, code, fault.desc or "a fault was set")


def _preflight(request: HttpRequest) -> HttpResponse:
    headers = {
        "Access-Control-Allow-Methods": "DELETE, GET, OPTIONS, PATCH, POST, PUT",
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
    }
    return HttpResponse(headers=headers)


def _guarded(
    view: View, request: HttpRequest, arguments: dict[str, Any], email: str
) -> HttpResponse:
    try:
        return view(request, **arguments)
    except StoreTroubleError as trouble:
        return _in_trouble(trouble.fault, email)
    except Exception as error:  # noqa: BLE001
        # The text of an error can quote an address, so only its place is logged.
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        logger.error("%s at %s:%s", kind, place.filename, place.lineno)  # noqa: TRY400
        return answers.page(500, "Server Error")


def _in_trouble(fault: Fault, email: str) -> HttpResponse:
    if fault.kind == Fault.Kind.STORE_FAILS:
        # The text quotes the address, as the real one does. It must not be logged.
        desc = f"the store of contacts failed for {email}"
        return answers.error(400, Code.NETWORK_FAILURE, desc)
    if fault.kind == Fault.Kind.STORE_REFUSES:
        return answers.error(500, Code.PROVIDER_REFUSES, "the store of contacts refuses Basket")
    if fault.kind == Fault.Kind.STORE_GONE:
        faults.wait(fault, otherwise=PATIENCE_WITH_STORE)
    return answers.page(500, "Server Error")


def _unanswered(request: HttpRequest) -> HttpResponse:
    connection = request.META.get("basket_sandbox.connection")
    if connection is not None:
        connection.drop()
    # A server other than the sandbox's own cannot leave a request unanswered.
    return HttpResponse(status=500)
