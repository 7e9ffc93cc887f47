"""The endpoints of the Newsletter API, of both generations."""

import json
import re
import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse, RawPostDataException

from mozillians_basket.sandbox import access, addresses, answers, catalogue, changes, contacts
from mozillians_basket.sandbox.answers import Code
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.contacts import Action
from mozillians_basket.sandbox.endpoint import endpoint
from mozillians_basket.sandbox.formats import COUNTRY_CODES, looks_like_token, parse_token
from mozillians_basket.sandbox.models import Newsletter, Person

DETAILS = ("country", "first_name", "lang", "last_name", "source_url")
NAMED_ADDRESS = re.compile(r"[^<>]*<\s*([^<>]+?)\s*>")
TRUE = {"1", "true", "y", "yes"}


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
        if not looks_like_token(token):
            return answers.invalid_token()
        parsed = parse_token(token)
        if parsed is None:
            return answers.malformed_token()
        person = contacts.find(token=parsed)
        email = person.email if person else ""
    validated = fields.get("validated", "").lower() in TRUE
    suggestion = None
    if sandbox_settings.SUGGESTIONS and not validated:
        suggestion = addresses.suggest(email)
    address = addresses.normalise(email)
    if address is None:
        return answers.invalid_token() if token else answers.invalid_email(suggestion)
    if catalogue.is_blocked(address):
        return answers.ok()
    if suggestion and "email" in request.POST:
        return answers.invalid_email(suggestion)
    optin = fields.pop("optin", "N").upper() == "Y"
    sync = fields.pop("sync", "N").upper() == "Y"
    if (optin or sync) and access.lacks_ssl(request):
        return answers.ssl_required("subscribing with sync=Y or optin=Y")
    authorized = (optin or sync) and access.has_valid_key(request)
    if sync and not authorized:
        return answers.key_required("subscribing with sync=Y")
    if not fields.get("source_url") and "Referer" in request.headers:
        fields["source_url"] = request.headers["Referer"]
    fields["email"] = address
    if refusal := _refuse_newsletters(request, Action.SUBSCRIBE, fields):
        return refusal
    if access.exceeds_rate_limit("subscribe", fields["newsletters"], address):
        return answers.rate_limited()
    optin = optin and authorized
    _add_language(request, fields)
    if not sync:
        changes.queue(request, Action.SUBSCRIBE, fields, optin=optin)
        return answers.ok()
    site = request.build_absolute_uri("/")
    if changes.in_maintenance(request):
        changes.keep(Action.SUBSCRIBE, fields, optin=optin, site=site)
        return answers.maintenance()
    slugs = contacts.parse_slugs(fields["newsletters"])
    if changes.are_kept(request) and contacts.without_messages(slugs):
        # Read-only maintenance answers as if the change were done.
        person = contacts.find(email=address)
        new_token = person.token if person else uuid.uuid4()
        changes.keep(Action.SUBSCRIBE, fields, optin=optin, site=site, token=new_token)
        return answers.ok(token=str(new_token), created=person is None)
    outcome = changes.carry_out(Action.SUBSCRIBE, fields, optin=optin, site=site)
    return answers.ok(
        token=str(outcome.person.token) if outcome.person else None, created=outcome.created
    )


@endpoint("unsubscribe", "POST")
def unsubscribe(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Unsubscribe the person with this token from the named newsletters, or from all."""
    fields = {**request.POST.dict(), "token": str(token)}
    if fields.get("optout") == "Y":
        fields["newsletters"] = ",".join(Newsletter.objects.values_list("slug", flat=True))
    if refusal := _refuse_newsletters(request, Action.UNSUBSCRIBE, fields):
        return refusal
    _add_language(request, fields)
    changes.queue(request, Action.UNSUBSCRIBE, fields)
    return answers.ok()


@endpoint("user")
def user(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Show the person with this token, or set their newsletters."""
    if request.method != "POST":
        if changes.in_maintenance(request):
            return answers.error(400, Code.NETWORK_FAILURE, "user data is not available")
        person = contacts.find(token=token)
        if person is None:
            return answers.unknown_token()
        masked = not access.has_valid_key(request)
        return answers.Answer(contacts.describe(person, masked=masked))
    fields = {**request.POST.dict(), "token": str(token)}
    if "email" in fields:
        address = addresses.normalise(fields["email"])
        if address is None:
            return answers.invalid_email()
        fields["email"] = address
    if refusal := _refuse_newsletters(request, Action.SET, fields):
        return refusal
    named = fields.get("newsletters")
    if named and access.exceeds_rate_limit("set", named, str(token)):
        return answers.rate_limited()
    _add_language(request, fields)
    changes.queue(request, Action.SET, fields)
    return answers.ok()


@endpoint("user-meta", "POST")
def user_meta(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Change a person's name, country, language or source."""
    fields = {name: request.POST.get(name, "").strip() for name in DETAILS}
    country, lang = fields["country"], fields["lang"]
    is_country = country in {country.lower(), country.upper()} and country.lower() in COUNTRY_CODES
    if (country and not is_country) or (lang and not catalogue.LANGUAGE_CODE.fullmatch(lang)):
        return answers.error(400, Code.USAGE, "data is invalid")
    given = {name: value for name, value in fields.items() if value}
    changes.queue(request, changes.DETAILS, {"token": str(token), **given})
    return answers.ok()


@endpoint("custom-unsub-reason")
def custom_unsub_reason(request: HttpRequest) -> HttpResponse:
    """Record why somebody unsubscribed."""
    if "token" not in request.POST or "reason" not in request.POST:
        return answers.error(400, Code.USAGE, "token and reason are required")
    token = parse_token(request.POST["token"])
    if token:
        reason = request.POST["reason"]
        changes.queue(request, changes.DETAILS, {"token": str(token), "reason": reason})
    return answers.ok()


@endpoint("newsletters", "GET", "HEAD", cached=True, posts=False)
def newsletters(request: HttpRequest) -> HttpResponse:
    """Describe every newsletter, private and inactive ones included."""
    return answers.ok(newsletters=catalogue.describe())


@endpoint("newsletters", "GET", v1=True, cached=True)
def newsletters_v1(request: HttpRequest) -> HttpResponse:
    """Describe every newsletter, private and inactive ones included."""
    return answers.ok(newsletters=catalogue.describe_v1())


@endpoint("lookup", posts=False)
def lookup(request: HttpRequest) -> HttpResponse:
    """Show the person with this token or, given a key, with this address."""
    if access.lacks_ssl(request):
        return answers.ssl_required("looking up")
    if changes.in_maintenance(request):
        return answers.maintenance()
    token, email = request.GET.get("token"), request.GET.get("email")
    if bool(token) == bool(email):
        return answers.email_or_token_required()
    authorized = access.has_valid_key(request)
    if email and not authorized:
        return answers.key_required("looking up by address")
    parsed = parse_token(token) if token else None
    if token and parsed is None:
        return answers.malformed_token()
    found = _found(parsed, email)
    if isinstance(found, HttpResponse):
        return found
    return answers.Answer(contacts.describe(found, masked=not authorized))


@endpoint("lookup", "GET", v1=True)
def lookup_v1(request: HttpRequest) -> HttpResponse:
    """Show the person with this token or, given a key, with this address."""
    if access.lacks_ssl(request):
        return answers.ssl_required("looking up")
    token, email = request.GET.get("token"), request.GET.get("email")
    parsed = None if token is None else parse_token(token)
    if token is not None and parsed is None:
        return answers.error(422, Code.USAGE, "Input should be a valid UUID")
    if changes.in_maintenance(request):
        return answers.maintenance()
    if bool(parsed) == bool(email):
        return answers.email_or_token_required()
    authorized = access.has_valid_key_v1(request)
    if email and not authorized:
        return answers.key_required("looking up by address")
    found = _found(parsed, email)
    if isinstance(found, HttpResponse):
        return found
    return answers.Answer(contacts.describe_v1(found, masked=not authorized))


def _found(token: uuid.UUID | None, email: str | None) -> Person | HttpResponse:
    """Find the person with a token or an address, or the answer that there is none."""
    if token:
        return contacts.find(token=token) or answers.unknown_token()
    address = addresses.normalise(email)
    if address is None:
        return answers.invalid_email()
    return contacts.find(email=address) or answers.unknown_email()


@endpoint("confirm", "POST")
def confirm(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Confirm the address of the person with this token; "ok" also if there is none."""
    if access.exceeds_rate_limit("confirm", str(token)):
        return answers.rate_limited()
    changes.queue(request, changes.CONFIRM, {"token": str(token)})
    return answers.ok()


@endpoint("confirm", "POST", v1=True)
def confirm_v1(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Confirm the address of the person with this token; "ok" also if there is none."""
    if access.exceeds_rate_limit("confirm-v1", str(token)):
        return answers.rate_limited()
    if changes.in_maintenance(request):
        return answers.maintenance()
    changes.queue(request, changes.CONFIRM, {"token": str(token)})
    return answers.ok()


@endpoint("recover", "POST")
def recover(request: HttpRequest) -> HttpResponse:
    """Send somebody the link to their subscriptions."""
    address = addresses.normalise(request.POST.get("email"))
    if address is None:
        return answers.invalid_email()
    if catalogue.is_blocked(address):
        return answers.ok()
    person = contacts.find(email=address)
    if person is None:
        return answers.error(404, Code.UNKNOWN_EMAIL, "Email address not known")
    changes.queue(request, changes.RECOVER, {"token": str(person.token)})
    return answers.ok()


@endpoint("recover", "POST", v1=True)
def recover_v1(request: HttpRequest) -> HttpResponse:
    """Send somebody the link to their subscriptions; takes JSON."""
    try:
        body = json.loads(request.body) if request.body else None
    except (ValueError, RawPostDataException):
        return JsonResponse({"detail": "Cannot parse request body"}, status=400)
    given = body.get("email") if isinstance(body, dict) else None
    if isinstance(given, str) and (named := NAMED_ADDRESS.fullmatch(given)):
        given = named[1]
    address = addresses.normalise_unicode(given.strip()) if isinstance(given, str) else None
    if address is None:
        return answers.error(422, Code.USAGE, "value is not a valid email address")
    if changes.in_maintenance(request):
        return answers.maintenance()
    if catalogue.is_blocked(address):
        return answers.ok()
    person = contacts.find(email=addresses.normalise(address) or address)
    if person is None:
        return answers.unknown_email()
    changes.queue(request, changes.RECOVER, {"token": str(person.token)})
    return answers.ok()


def _refuse_newsletters(
    request: HttpRequest, action: Action, fields: dict[str, str]
) -> HttpResponse | None:
    """Refuse unknown newsletters, and private ones of a subscribe without a key."""
    known = catalogue.newsletters.get()
    for slug in contacts.parse_slugs(fields.get("newsletters")):
        newsletter = known.get(slug)
        if action is not Action.SUBSCRIBE:
            accepted = newsletter is not None
        else:
            accepted = (
                newsletter is not None
                or slug in catalogue.groups.get()
                or slug in catalogue.TRANSACTIONAL_MESSAGES
            )
            is_private = newsletter is not None and newsletter.private
            if is_private and not access.has_valid_key(request):
                return answers.key_required("subscribing to a private newsletter")
        if not accepted:
            return answers.error(400, Code.INVALID_NEWSLETTER, "invalid newsletter")
    return None


def _add_language(request: HttpRequest, fields: dict[str, str]) -> None:
    header = request.headers.get("Accept-Language", "")
    if language := catalogue.choose_language(fields, header):
        fields["lang"] = language
