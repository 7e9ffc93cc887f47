"""The endpoints that change the details of a person, but not their newsletters."""

import uuid

from django.http import HttpRequest, HttpResponse

from mozillians_basket.sandbox import answers, calls, languages, tokens
from mozillians_basket.sandbox.codes import Code
from mozillians_basket.sandbox.countries import SHORT
from mozillians_basket.sandbox.endpoint import endpoint

DETAILS = ("country", "first_name", "lang", "last_name", "source_url")


@endpoint("user-meta", "POST")
def user_meta(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Change a person's name, country, language or source."""
    fields = {name: request.POST.get(name, "").strip() for name in DETAILS}
    country, lang = fields["country"], fields["lang"]
    known = country in SHORT or country in {code.upper() for code in SHORT}
    if (country and not known) or (lang and not languages.LANGUAGE_CODE.fullmatch(lang)):
        return answers.error(400, Code.USAGE, "data is invalid")
    given = {name: value for name, value in fields.items() if value}
    calls.queue(request, calls.DETAILS, {"token": str(token), **given})
    return answers.ok()


@endpoint("custom-unsub-reason")
def custom_unsub_reason(request: HttpRequest) -> HttpResponse:
    """Record why somebody unsubscribed."""
    if "token" not in request.POST or "reason" not in request.POST:
        return answers.error(400, Code.USAGE, "token and reason are required")
    token = tokens.parsed(request.POST["token"])
    if token:
        reason = request.POST["reason"]
        calls.queue(request, calls.DETAILS, {"token": str(token), "reason": reason})
    return answers.ok()
