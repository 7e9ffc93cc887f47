"""The answers of the Newsletter API, and the error codes in them."""

from enum import IntEnum
from typing import Any

from django.http import HttpResponse, JsonResponse


class Code(IntEnum):
    """Numbered as in basket-client's ``basket.errors``."""

    NETWORK_FAILURE = 1
    INVALID_EMAIL = 2
    UNKNOWN_EMAIL = 3
    UNKNOWN_TOKEN = 4
    USAGE = 5
    PROVIDER_REFUSES = 6
    NOT_AUTHORIZED = 7
    SSL_REQUIRED = 8
    INVALID_NEWSLETTER = 9
    INVALID_LANGUAGE = 10
    EMAIL_NOT_CHANGED = 11
    CHANGE_REQUEST_NOT_FOUND = 12
    MOCK_FAILURE = 13
    INVALID_TOKEN = 14
    MAINTENANCE = 15
    UNKNOWN = 99


class ServerFailure(Exception):
    """The real server fails on this call, with a page and status 500. Nothing is applied."""


class Answer(JsonResponse):
    """A JSON answer that keeps its code for the journal."""

    def __init__(self, data: dict[str, Any], status: int = 200) -> None:
        super().__init__(data, status=status)
        self.code: int | None = data.get("code")


def ok(**data: Any) -> Answer:
    """Answer that the call succeeded."""
    return Answer({"status": "ok", **data})


def error(status: int, code: int, desc: str, **extra: str) -> Answer:
    """Answer that the call failed."""
    return Answer({"status": "error", "desc": desc, "code": int(code), **extra}, status)


def invalid_email(suggestion: str | None = None) -> Answer:
    """Answer that the address is not valid, with the address that was probably meant."""
    extra = {"suggestion": suggestion} if suggestion else {}
    return error(400, Code.INVALID_EMAIL, "Invalid email address", **extra)


def invalid_token() -> Answer:
    """Answer that the token is unknown or missing."""
    return error(400, Code.INVALID_TOKEN, "Invalid basket token")


def unknown_email() -> Answer:
    """Answer that nobody has this address."""
    return error(404, Code.UNKNOWN_EMAIL, "User not found")


def unknown_token() -> Answer:
    """Answer that nobody has this token."""
    return error(404, Code.UNKNOWN_TOKEN, "User not found")


def email_or_token_required() -> Answer:
    """Answer that exactly one of address and token must be given."""
    return error(400, Code.USAGE, "Must have valid token OR email for this request")


def key_required(for_what: str) -> Answer:
    """Answer that the caller has no valid API key."""
    return error(401, Code.NOT_AUTHORIZED, f"{for_what} requires a valid API key")


def ssl_required(for_what: str) -> Answer:
    """Answer that the call must come over SSL."""
    return error(401, Code.SSL_REQUIRED, f"{for_what} requires SSL")


def rate_limited() -> Answer:
    """Answer that the same call was made too often."""
    return error(429, Code.USAGE, "rate limit reached")


def maintenance() -> Answer:
    """Answer that Basket is in maintenance."""
    return error(400, Code.MAINTENANCE, "Basket is currently in maintenance mode")


def malformed_token() -> Answer:
    """Answer as when the store of contacts refuses a malformed token."""
    return error(400, Code.NETWORK_FAILURE, "the contact store did not accept the request")


def page(status: int, title: str) -> HttpResponse:
    """Answer with a page of HTML, as Basket does after an unexpected error."""
    html = f"<!doctype html><html lang='en'><title>{title}</title><h1>{title}</h1></html>"
    return HttpResponse(html, status=status)
