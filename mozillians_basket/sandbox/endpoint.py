"""The frame around the work of every endpoint: faults, the journal, plain failures."""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, TypeAlias, cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from mozillians_basket.sandbox import answers, changes, contacts, faults, journal
from mozillians_basket.sandbox.answers import Code, ServerFailure
from mozillians_basket.sandbox.changes import Call
from mozillians_basket.sandbox.faults import Kind, StoreTrouble
from mozillians_basket.sandbox.formats import parse_token
from mozillians_basket.sandbox.models import Fault
from mozillians_basket.sandbox.resets import resets
from mozillians_basket.sandbox.storage import write_transaction

logger = logging.getLogger(__name__)

PATIENCE_WITH_STORE = 15.0
"""Seconds after which Basket gives up on a store that is out of reach."""

SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}

View: TypeAlias = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Frame:
    """The parts of an endpoint besides its work."""

    name: str
    """Its name in faults and the journal; two paths may share one."""
    methods: tuple[str, ...]
    """The methods that it serves; all if there are none."""
    v1: bool
    """Whether it is under ``/api/v1/``, where refusals have a text and answers a charset."""
    cached: bool
    """Whether the caller may keep the answer for five minutes."""
    posts: bool
    """Whether Django's check for forged requests lets anything be posted to it."""


class Endpoint(Protocol):
    """A view with its frame."""

    frame: Frame
    __name__: str
    __doc__: str | None

    def __call__(self, request: HttpRequest, **arguments: Any) -> HttpResponse:
        """Answer the request."""


def endpoint(
    name: str, *methods: str, v1: bool = False, cached: bool = False, posts: bool = True
) -> Callable[[View], Endpoint]:
    """Make a view an endpoint of the Newsletter API, with the frame that the arguments say."""
    frame = Frame(name, methods, v1, cached, posts)

    def decorate(view: View) -> Endpoint:
        @csrf_exempt
        @wraps(view)
        def framed(request: HttpRequest, **arguments: Any) -> HttpResponse:
            connection = request.META.get("basket_sandbox.connection")
            with resets.request(connection.received_after if connection else None):
                return _answer(frame, view, request, arguments)

        found = cast("Endpoint", framed)
        found.frame = frame
        return found

    return decorate


def _answer(
    frame: Frame, view: View, request: HttpRequest, arguments: dict[str, Any]
) -> HttpResponse:
    if resets.is_outdated():
        return _unanswered(request)
    started = time.monotonic()
    changes.catch_up()
    email = request.POST.get("email") or request.GET.get("email") or ""
    call = Call(frame.name, email or _email_of_token(request, arguments))
    request.META[changes.CALL] = call

    struck = faults.striking(call.endpoint, call.email)
    decisive = next((fault for fault in struck if fault.kind not in faults.ACCOMPANYING), None)
    hangs = decisive is not None and decisive.kind == Kind.HANG
    if hangs:
        # The caller will not wait for the end either.
        journal.record(request, frame.name, email, status=None, code=None, seconds=0)
    for fault in struck:
        if fault.kind in {Kind.DELAY, Kind.HANG}:
            faults.wait(fault)
        call.in_maintenance |= fault.kind == Kind.MAINTENANCE
        call.is_read_only |= fault.kind == Kind.READ_ONLY_MAINTENANCE
    if hangs or resets.is_outdated():
        return _unanswered(request)

    def serve() -> HttpResponse:
        return _serve(frame, view, request, arguments, email)

    response = serve() if decisive is None else _serve_with(decisive, serve)
    if resets.is_outdated():
        return _unanswered(request)
    is_answered = decisive is None or decisive.kind != Kind.DROP
    journal.record(
        request,
        frame.name,
        email,
        status=response.status_code if is_answered else None,
        code=getattr(response, "code", None) if is_answered else None,
        seconds=time.monotonic() - started,
    )
    if not is_answered:
        return _unanswered(request)
    response["Cache-Control"] = (
        "max-age=300" if frame.cached else "max-age=0, no-cache, no-store, must-revalidate, private"
    )
    if "Origin" in request.headers:
        response["Access-Control-Allow-Origin"] = "*"
    return _unlogged(response)


def _email_of_token(request: HttpRequest, arguments: dict[str, Any]) -> str:
    """Return the address of the person whose token the request has, if a fault goes by it."""
    if not any(fault.email for fault in faults.active()):
        return ""
    token = parse_token(str(arguments.get("token") or request.GET.get("token", "")))
    person = contacts.find(token=token) if token else None
    return person.email if person else ""


def _serve_with(fault: Fault, serve: Callable[[], HttpResponse]) -> HttpResponse:
    """Serve a request that a fault strikes; the caller leaves dropped ones unanswered."""
    if fault.kind == Kind.DROP:
        return serve()
    if fault.kind == Kind.HTML:
        return answers.page(fault.status, "Something went wrong")
    if fault.kind == Kind.RATE_LIMIT:
        refusal = answers.rate_limited()
        if fault.retry_after:
            refusal["Retry-After"] = fault.retry_after
        return refusal
    if fault.kind == Kind.IGNORE:
        with write_transaction():
            response = serve()
            transaction.set_rollback(True)
        return response
    if fault.kind == Kind.MALFORMED:
        response = serve()
        response.content = response.content[:-1]
        return response
    if fault.kind in {*faults.STORE_UNWRITABLE, Kind.RACE}:
        with faults.at_store(fault):
            return serve()
    if fault.code is None and fault.status < 400:
        return answers.Answer({"status": "ok"}, fault.status)
    code = Code.UNKNOWN if fault.code is None else fault.code
    return answers.error(fault.status, code, fault.desc or "a fault was set")


def _serve(
    frame: Frame, view: View, request: HttpRequest, arguments: dict[str, Any], email: str
) -> HttpResponse:
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        wanted = request.headers.get("Access-Control-Request-Headers", "")
        return HttpResponse(
            headers={
                "Access-Control-Allow-Methods": "DELETE, GET, OPTIONS, PATCH, POST, PUT",
                "Access-Control-Allow-Headers": wanted,
            }
        )
    if not frame.posts and request.method not in SAFE:
        return answers.page(403, "Forbidden")
    if frame.methods and request.method not in frame.methods:
        refusal = "Method not allowed" if frame.v1 else ""
        return HttpResponseNotAllowed(frame.methods, content=refusal)
    try:
        response = view(request, **arguments)
    except StoreTrouble as trouble:
        return _answer_store_trouble(trouble.fault, email)
    except ServerFailure:
        return answers.page(500, "Server Error")
    except Exception as error:  # noqa: BLE001
        # The text of an error can quote an address, so only its place is logged.
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        logger.error("%s at %s:%s", kind, place.filename, place.lineno)  # noqa: TRY400
        return answers.page(500, "Server Error")
    # Refusals of the real server's framework come without a charset.
    if frame.v1 and response.status_code not in {422, 429}:
        response["Content-Type"] = "application/json; charset=utf-8"
    return response


def _answer_store_trouble(fault: Fault, email: str) -> HttpResponse:
    if fault.kind == Kind.STORE_FAILS:
        # The text quotes the address, as the real one does. It must not be logged.
        desc = f"the store of contacts failed for {email}"
        return answers.error(400, Code.NETWORK_FAILURE, desc)
    if fault.kind == Kind.STORE_REFUSES:
        return answers.error(500, Code.PROVIDER_REFUSES, "the store of contacts refuses Basket")
    if fault.kind == Kind.STORE_GONE:
        faults.wait(fault, otherwise=PATIENCE_WITH_STORE)
    return answers.page(500, "Server Error")


def _unanswered(request: HttpRequest) -> HttpResponse:
    connection = request.META.get("basket_sandbox.connection")
    if connection is not None:
        connection.drop()
    # A server other than the sandbox's own cannot leave a request unanswered.
    return _unlogged(HttpResponse(status=500))


def _unlogged(response: HttpResponse) -> HttpResponse:
    # Django would log a refused call with its path, which can hold a token.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response
