"""The endpoints that look up people and newsletters, of both generations."""

import uuid

from django.http import HttpRequest, HttpResponse

from mozillians_basket.sandbox import (
    addresses,
    answers,
    authorization,
    catalogue,
    contacts,
    maintenance,
    profiles,
    security,
    tokens,
)
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.endpoint import endpoint


@endpoint("newsletters", "GET", "HEAD", cached=True, unguarded=False)
def newsletters(request: HttpRequest) -> HttpResponse:
    """Describe every newsletter, private and inactive ones included."""
    return answers.ok(newsletters=catalogue.described())


@endpoint("newsletters", "GET", refusal="Method not allowed", cached=True)
def newsletters_v1(request: HttpRequest) -> HttpResponse:
    """Describe every newsletter, private and inactive ones included."""
    return answers.ok(newsletters=catalogue.described_v1())


@endpoint("lookup", unguarded=False)
def lookup(request: HttpRequest) -> HttpResponse:
    """Show the person with this token or, given a key, with this address."""
    if security.is_missing(request):
        return answers.ssl_required("looking up")
    if maintenance.applies_to(request):
        return answers.maintenance()
    token, email = request.GET.get("token"), request.GET.get("email")
    if bool(token) == bool(email):
        return answers.email_or_token_required()
    authorized = authorization.has_valid_key(request)
    if email and not authorized:
        return answers.key_required("looking up by address")
    if token:
        parsed = tokens.parsed(token)
        if parsed is None:
            return answers.backend_failure()
        person = contacts.find(token=parsed)
    else:
        address = addresses.normalised(email)
        if address is None:
            return answers.invalid_email()
        person = contacts.find(email=address)
    if person is None:
        return answers.unknown_token() if token else answers.unknown_email()
    return answers.Answer(profiles.described(person, masked=not authorized))


@endpoint("lookup", "GET", refusal="Method not allowed")
def lookup_v1(request: HttpRequest) -> HttpResponse:
    """Show the person with this token or, given a key, with this address."""
    if security.is_missing(request):
        return answers.ssl_required("looking up")
    token, email = request.GET.get("token"), request.GET.get("email")
    parsed = None if token is None else tokens.parsed(token)
    if token is not None and parsed is None:
        return answers.error(422, Code.USAGE, "Input should be a valid UUID")
    if maintenance.applies_to(request):
        return answers.maintenance()
    if bool(parsed) == bool(email):
        return answers.email_or_token_required()
    authorized = authorization.has_valid_key_v1(request)
    if email and not authorized:
        return answers.key_required("looking up by address")
    if parsed:
        person = contacts.find(token=parsed)
        if person is None:
            return answers.unknown_token()
    else:
        address = addresses.normalised(email)
        if address is None:
            return answers.invalid_email()
        person = contacts.find(email=address)
        if person is None:
            return answers.unknown_email()
    return answers.Answer(profiles.described_v1(person, masked=not authorized))


def shown(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Answer ``GET /news/user/<token>/``."""
    if maintenance.applies_to(request):
        return answers.error(400, Code.NETWORK_FAILURE, "user data is not available")
    person = contacts.find(token=token)
    if person is None:
        return answers.unknown_token()
    masked = not authorization.has_valid_key(request)
    return answers.Answer(profiles.described(person, masked=masked))
