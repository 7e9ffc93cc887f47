"""The endpoints under ``/news/``: the Newsletter API as it is specified."""

import uuid

from django.http import HttpRequest, HttpResponse

from mozillians_basket.sandbox import (
    addresses,
    answers,
    authorization,
    catalogue,
    contacts,
    languages,
    profiles,
    rates,
    tokens,
)
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.contacts import Change
from mozillians_basket.sandbox.endpoint import endpoint, in_maintenance
from mozillians_basket.sandbox.models import HeldCall, Newsletter, NewsletterGroup


@endpoint("subscribe", "POST")
def subscribe(request: HttpRequest) -> HttpResponse:
    """Subscribe an address, or the person with a token, to newsletters."""
    fields = request.POST.dict()
    if not fields.get("newsletters"):
        return answers.error(400, Code.USAGE, "newsletters is missing")
    email, token = fields.pop("email", ""), fields.pop("token", "")
    if not email and not token:
        return answers.error(401, Code.USAGE, "email or token is required")
    if not email:
        if not tokens.looks_like_token(token):
            return answers.invalid_token()
        parsed = tokens.parsed(token)
        if parsed is None:
            return answers.backend_failure()
        person = contacts.find(token=parsed)
        email = person.email if person else ""
    address = addresses.normalised(email)
    if address is None:
        return answers.invalid_token() if token else answers.invalid_email()
    if addresses.is_blocked(address):
        return answers.ok()
    optin = fields.pop("optin", "N").upper() == "Y"
    sync = fields.pop("sync", "N").upper() == "Y"
    authorized = (optin or sync) and authorization.has_valid_key(request)
    if sync and not authorized:
        return answers.key_required("subscribing with sync=Y")
    fields["email"] = address
    if refusal := _refusal(request, Change.SUBSCRIBE, fields):
        return refusal
    if rates.is_exceeded("subscribe", fields["newsletters"], address):
        return answers.error(429, Code.USAGE, "rate limit reached")
    return _carry_out(request, Change.SUBSCRIBE, fields, optin=optin and authorized, sync=sync)


@endpoint("unsubscribe", "POST")
def unsubscribe(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Unsubscribe the person with this token from the named newsletters, or from all."""
    fields = {**request.POST.dict(), "token": str(token)}
    if fields.get("optout") == "Y":
        fields["newsletters"] = ",".join(Newsletter.objects.values_list("slug", flat=True))
    if refusal := _refusal(request, Change.UNSUBSCRIBE, fields):
        return refusal
    return _carry_out(request, Change.UNSUBSCRIBE, fields)


@endpoint("newsletters", "GET", "HEAD")
def newsletters(request: HttpRequest) -> HttpResponse:
    """Describe every newsletter, private and inactive ones included."""
    return answers.ok(newsletters=catalogue.described())


@endpoint("user")
def user(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Show the person with this token, or set what they get."""
    if request.method == "POST":
        return _set_user(request, token)
    if in_maintenance(request):
        return answers.error(400, Code.NETWORK_FAILURE, "user data is not available")
    person = contacts.find(token=token)
    if person is None:
        return answers.unknown_token()
    hidden = not authorization.has_valid_key(request)
    return answers.Answer(profiles.described(person, masked=hidden))


@endpoint("lookup")
def lookup_user(request: HttpRequest) -> HttpResponse:
    """Show the person with this token or, given a key, with this address."""
    if in_maintenance(request):
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


def _set_user(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    fields = {**request.POST.dict(), "token": str(token)}
    if "email" in fields:
        address = addresses.normalised(fields["email"])
        if address is None:
            return answers.invalid_email()
        fields["email"] = address
    if refusal := _refusal(request, Change.SET, fields):
        return refusal
    named = fields.get("newsletters")
    if named and rates.is_exceeded("set", named, str(token)):
        return answers.error(429, Code.USAGE, "rate limit reached")
    return _carry_out(request, Change.SET, fields)


def _refusal(request: HttpRequest, change: Change, fields: dict[str, str]) -> HttpResponse | None:
    private = set(Newsletter.objects.filter(private=True).values_list("slug", flat=True))
    known = set(Newsletter.objects.values_list("slug", flat=True))
    if change is Change.SUBSCRIBE:
        known.update(NewsletterGroup.objects.filter(active=True).values_list("slug", flat=True))
    for slug in contacts.parse_slugs(fields.get("newsletters")):
        if slug not in known:
            return answers.error(400, Code.INVALID_NEWSLETTER, "invalid newsletter")
        needs_key = change is Change.SUBSCRIBE and slug in private
        if needs_key and not authorization.has_valid_key(request):
            return answers.key_required("subscribing to a private newsletter")
    return None


def _carry_out(
    request: HttpRequest,
    change: Change,
    fields: dict[str, str],
    *,
    optin: bool = False,
    sync: bool = False,
) -> HttpResponse:
    language = languages.choose(fields, request.headers.get("Accept-Language", ""))
    if language:
        fields["lang"] = language
    if in_maintenance(request):
        HeldCall.objects.create(kind=change, data={"fields": fields, "optin": optin})
        return answers.maintenance() if sync else answers.ok()
    person, created = contacts.apply(change, fields, optin=optin)
    if sync and person:
        return answers.ok(token=str(person.token), created=created)
    return answers.ok()
