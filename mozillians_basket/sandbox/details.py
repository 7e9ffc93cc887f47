"""The endpoints that change what is stored about a person, but not what they get."""

import uuid

from django.http import HttpRequest, HttpResponse

from mozillians_basket.sandbox import answers, calls, contacts, languages, maintenance, tokens
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.countries import SHORT
from mozillians_basket.sandbox.endpoint import endpoint
from mozillians_basket.sandbox.store import StoreTroubleError

DETAILS = ("country", "first_name", "lang", "last_name", "source_url")


@endpoint("user-meta", "POST")
def user_meta(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Change a person's name, country, language or source."""
    fields = {name: request.POST.get(name, "").strip() for name in DETAILS}
    country, lang = fields["country"], fields["lang"]
    known = country in SHORT or country in {code.upper() for code in SHORT}
    if (country and not known) or (lang and not languages.LANGUAGE_CODE.fullmatch(lang)):
        return answers.error(400, Code.USAGE, "data is invalid")
    _change(request, token, {name: value for name, value in fields.items() if value})
    return answers.ok()


@endpoint("custom-unsub-reason")
def custom_unsub_reason(request: HttpRequest) -> HttpResponse:
    """Record why somebody unsubscribed."""
    if "token" not in request.POST or "reason" not in request.POST:
        return answers.error(400, Code.USAGE, "token and reason are required")
    token = tokens.parsed(request.POST["token"])
    if token:
        _change(request, token, {"reason": request.POST["reason"]})
    return answers.ok()


def _change(request: HttpRequest, token: uuid.UUID, fields: dict[str, str]) -> None:
    try:
        if not maintenance.applies_to(request):
            contacts.update_details(token, fields)
            return
    except StoreTroubleError:
        pass
    held = {"token": str(token), **fields}
    maintenance.hold(calls.DETAILS, held, optin=False, site="")
