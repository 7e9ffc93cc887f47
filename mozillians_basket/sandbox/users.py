"""The endpoints under ``/api/v1/``, which the current basket-client calls."""

from django.http import HttpRequest, HttpResponse

from mozillians_basket.sandbox import (
    addresses,
    answers,
    authorization,
    catalogue,
    contacts,
    profiles,
    tokens,
)
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.endpoint import endpoint, in_maintenance


@endpoint("newsletters", "GET")
def newsletters(request: HttpRequest) -> HttpResponse:
    """Describe every newsletter, private and inactive ones included."""
    return answers.ok(newsletters=catalogue.described_v1())


@endpoint("lookup", "GET")
def lookup(request: HttpRequest) -> HttpResponse:
    """Show the person with this token or, given a key, with this address."""
    token, email = request.GET.get("token"), request.GET.get("email")
    parsed = None if token is None else tokens.parsed(token)
    if token is not None and parsed is None:
        return answers.error(422, Code.USAGE, "Input should be a valid UUID")
    if in_maintenance(request):
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
