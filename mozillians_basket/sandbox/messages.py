"""The endpoints that confirm an address and lead people back to their subscriptions."""

import json
import re
import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse, RawPostDataException

from mozillians_basket.sandbox import (
    addresses,
    answers,
    calls,
    contacts,
    maintenance,
    rates,
)
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.endpoint import endpoint

NAMED_ADDRESS = re.compile(r"[^<>]*<\s*([^<>]+?)\s*>")


@endpoint("confirm", "POST")
def confirm(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Confirm the address of the person with this token; "ok" also if there is none."""
    if rates.is_exceeded("confirm", str(token)):
        return answers.rate_limited()
    calls.queue(request, calls.CONFIRM, {"token": str(token)})
    return answers.ok()


@endpoint("confirm", "POST", refusal="Method not allowed")
def confirm_v1(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Confirm the address of the person with this token; "ok" also if there is none."""
    if rates.is_exceeded("confirm-v1", str(token)):
        return answers.rate_limited()
    if maintenance.applies_to(request):
        return answers.maintenance()
    calls.queue(request, calls.CONFIRM, {"token": str(token)})
    return answers.ok()


@endpoint("recover", "POST")
def recover(request: HttpRequest) -> HttpResponse:
    """Send somebody the link to their subscriptions."""
    address = addresses.normalised(request.POST.get("email"))
    if address is None:
        return answers.invalid_email()
    if addresses.is_blocked(address):
        return answers.ok()
    person = contacts.find(email=address)
    if person is None:
        return answers.error(404, Code.UNKNOWN_EMAIL, "Email address not known")
    calls.queue(request, calls.RECOVER, {"token": str(person.token)})
    return answers.ok()


@endpoint("recover", "POST", refusal="Method not allowed")
def recover_v1(request: HttpRequest) -> HttpResponse:
    """Send somebody the link to their subscriptions; takes JSON."""
    try:
        body = json.loads(request.body) if request.body else None
    except (ValueError, RawPostDataException):
        return JsonResponse({"detail": "Cannot parse request body"}, status=400)
    given = body.get("email") if isinstance(body, dict) else None
    if isinstance(given, str) and (named := NAMED_ADDRESS.fullmatch(given)):
        given = named[1]
    address = addresses.normalised_unicode(given.strip()) if isinstance(given, str) else None
    if address is None:
        return answers.error(422, Code.USAGE, "value is not a valid email address")
    if maintenance.applies_to(request):
        return answers.maintenance()
    if addresses.is_blocked(address):
        return answers.ok()
    person = contacts.find(email=addresses.in_ascii(address))
    if person is None:
        return answers.unknown_email()
    calls.queue(request, calls.RECOVER, {"token": str(person.token)})
    return answers.ok()
