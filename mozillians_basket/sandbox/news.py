"""The endpoints under ``/news/`` that change people's subscriptions."""

import uuid

from django.http import HttpRequest, HttpResponse

from mozillians_basket.sandbox import (
    addresses,
    answers,
    authorization,
    calls,
    contacts,
    known,
    languages,
    lookups,
    maintenance,
    rates,
    security,
    suggestions,
    tokens,
)
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.contacts import Change, UnacceptableError
from mozillians_basket.sandbox.endpoint import endpoint
from mozillians_basket.sandbox.models import Newsletter

NEEDLESS = {"1", "true", "y", "yes"}


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
        return (
            answers.invalid_token() if token else answers.invalid_email(_suggested(fields, email))
        )
    if addresses.is_blocked(address):
        return answers.ok()
    if "email" in request.POST and (meant := _suggested(fields, email)):
        return answers.invalid_email(meant)
    optin = fields.pop("optin", "N").upper() == "Y"
    sync = fields.pop("sync", "N").upper() == "Y"
    if (optin or sync) and security.is_missing(request):
        return answers.ssl_required("subscribing with sync=Y or optin=Y")
    authorized = (optin or sync) and authorization.has_valid_key(request)
    if sync and not authorized:
        return answers.key_required("subscribing with sync=Y")
    if not fields.get("source_url") and "Referer" in request.headers:
        fields["source_url"] = request.headers["Referer"]
    fields["email"] = address
    if refusal := _refusal(request, Change.SUBSCRIBE, fields):
        return refusal
    if rates.is_exceeded("subscribe", fields["newsletters"], address):
        return answers.rate_limited()
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


@endpoint("user")
def user(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Show the person with this token, or set their newsletters."""
    if request.method != "POST":
        return lookups.shown(request, token)
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
        return answers.rate_limited()
    return _carry_out(request, Change.SET, fields)


def _suggested(fields: dict[str, str], email: str) -> str | None:
    if not sandbox_settings.SUGGESTIONS or fields.get("validated", "").lower() in NEEDLESS:
        return None
    return suggestions.suggestion(email)


def _refusal(request: HttpRequest, change: Change, fields: dict[str, str]) -> HttpResponse | None:
    newsletters = known.newsletters.now()
    groups = known.groups.now() if change is Change.SUBSCRIBE else {}
    for slug in contacts.parse_slugs(fields.get("newsletters")):
        if slug not in newsletters and slug not in groups:
            return answers.error(400, Code.INVALID_NEWSLETTER, "invalid newsletter")
        is_private = slug in newsletters and newsletters[slug].private
        needs_key = change is Change.SUBSCRIBE and is_private
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
    if not sync:
        calls.queue(request, change, fields, optin=optin)
        return answers.ok()
    site = request.build_absolute_uri("/")
    if maintenance.applies_to(request):
        maintenance.hold(change, fields, optin=optin, site=site)
        return answers.maintenance()
    if maintenance.holds(request) and contacts.parse_slugs(fields["newsletters"]):
        # Read-only maintenance answers as if the change were done.
        person = contacts.find(email=fields["email"])
        token = person.token if person else uuid.uuid4()
        maintenance.hold(change, fields, optin=optin, site=site, token=token)
        return answers.ok(token=str(token), created=person is None)
    try:
        outcome = calls.change(change, fields, optin=optin, site=site)
    except UnacceptableError:
        return answers.page(500, "Server Error")
    return answers.ok(
        token=str(outcome.person.token) if outcome.person else None, created=outcome.created
    )
