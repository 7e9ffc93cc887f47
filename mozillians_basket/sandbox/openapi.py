"""
``/openapi.json``: the description of the Newsletter API that the sandbox serves.

Paths, methods and summaries come from the endpoints themselves. The table below adds what a view
reads and answers; a test calls every endpoint and compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern

from mozillians_basket.sandbox.conf import sandbox_settings

Schema = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
EMAIL: Schema = {"type": "string", "format": "email"}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
TEXTS: Schema = {"type": "array", "items": TEXT}

PERSON: Schema = {
    "status": TEXT,
    "email": TEXT,
    "country": TEXT_OR_NULL,
    "first_name": TEXT_OR_NULL,
    "last_name": TEXT_OR_NULL,
    "fxa_primary_email": TEXT_OR_NULL,
    "has_fxa": FLAG,
    "lang": TEXT_OR_NULL,
    "mofo_relevant": FLAG,
    "newsletters": TEXTS,
    "optin": FLAG,
    "optout": FLAG,
    "token": UUID,
    "created_date": TIME,
    "last_modified_date": TIME,
}
SPECIFIED_PERSON: Schema = {
    "format": TEXT,
    "created-date": TIME,
    "confirmed": FLAG,
    "pending": FLAG,
    "master": FLAG,
}
NEWSLETTER: Schema = {
    "active": FLAG,
    "description": TEXT,
    "firefox_confirm": FLAG,
    "indent": FLAG,
    "is_mofo": FLAG,
    "is_waitlist": FLAG,
    "languages": TEXTS,
    "order": {"type": "integer"},
    "private": FLAG,
    "requires_double_optin": FLAG,
    "show": FLAG,
    "title": TEXT,
    "vendor_id": TEXT,
}
DETAILS = ("country", "first_name", "lang", "last_name", "source_url")
CHANGES = ("newsletters", "email", "format", "optin", "optout", "accept_lang", *DETAILS)


@dataclass(frozen=True)
class Operation:
    """The input of a view, and the schema of its answer by status; none for a page of HTML."""

    answers: dict[int, str]
    query: Sequence[str] = ()
    fields: Sequence[str] = ()
    required: Sequence[str] = ()
    body: str = FORM
    takes_key: bool = False


LOOKUP = {200: "Person", 400: "Error", 401: "Error", 404: "Error", 500: ""}

#: By the view's name and method.
OPERATIONS = {
    ("subscribe", "post"): Operation(
        {200: "Subscribed", 400: "Error", 401: "Error", 429: "Error", 500: ""},
        fields=(*CHANGES, "token", "sync", "trigger_welcome", "validated", "api_key"),
        required=("newsletters",),
        takes_key=True,
    ),
    ("unsubscribe", "post"): Operation({200: "Ok", 400: "Error"}, fields=(*CHANGES, "reason")),
    ("user", "get"): Operation(
        {200: "Person", 400: "Error", 404: "Error", 500: ""}, takes_key=True
    ),
    ("user", "post"): Operation({200: "Ok", 400: "Error", 429: "Error"}, fields=CHANGES),
    ("user_meta", "post"): Operation({200: "Ok", 400: "Error"}, fields=DETAILS),
    ("custom_unsub_reason", "post"): Operation(
        {200: "Ok", 400: "Error"}, fields=("token", "reason"), required=("token", "reason")
    ),
    ("newsletters", "get"): Operation({200: "Newsletters"}),
    ("newsletters", "head"): Operation({200: ""}),
    ("newsletters_v1", "get"): Operation({200: "NewslettersV1"}),
    ("lookup", "get"): Operation(LOOKUP, query=("email", "token"), takes_key=True),
    ("lookup_v1", "get"): Operation(
        {**LOOKUP, 200: "PersonV1", 422: "Error"}, query=("email", "token"), takes_key=True
    ),
    ("confirm", "post"): Operation({200: "Ok", 429: "Error"}),
    ("confirm_v1", "post"): Operation({200: "Ok", 400: "Error", 429: "Error"}),
    ("recover", "post"): Operation(
        {200: "Ok", 400: "Error", 404: "Error"}, fields=("email",), required=("email",)
    ),
    ("recover_v1", "post"): Operation(
        {200: "Ok", 400: "ErrorOrDetail", 404: "Error", 422: "Error"},
        fields=("email",),
        required=("email",),
        body=JSON,
    ),
}


def show(request: HttpRequest, api: Sequence[URLPattern]) -> JsonResponse:
    """Describe the endpoints with these paths."""
    description = {
        "openapi": "3.1.0",
        "info": {
            "title": "Basket API",
            "version": "v1",
            "description": "The Newsletter API, as a sandbox Basket serves it.",
        },
        "paths": {_path(pattern): _operations(pattern) for pattern in api},
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "HeaderApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "QueryApiKey": {"type": "apiKey", "in": "query", "name": "api-key"},
            },
        },
        "servers": [],
    }
    return JsonResponse(description)


def _path(pattern: URLPattern) -> str:
    return "/" + str(pattern.pattern).replace("<uuid:token>", "{token}")


def _operations(pattern: URLPattern) -> Schema:
    view: Any = pattern.callback
    described = {}
    for (name, method), operation in OPERATIONS.items():
        if name == view.__name__ and (
            not view.frame.methods or method.upper() in view.frame.methods
        ):
            described[method] = {
                "operationId": f"{name}_{method}",
                "summary": view.__doc__,
                "parameters": [
                    *(
                        {"name": "token", "in": "path", "required": True, "schema": UUID}
                        for _ in range("{token}" in _path(pattern))
                    ),
                    *(
                        {"name": each, "in": "query", "required": False, "schema": _field(each)}
                        for each in operation.query
                    ),
                ],
                **_body(operation),
                "responses": {
                    str(status): _response(schema) for status, schema in operation.answers.items()
                },
                "security": [{}, {"HeaderApiKey": []}, {"QueryApiKey": []}]
                if operation.takes_key
                else [{}],
            }
    return described


def _body(operation: Operation) -> Schema:
    if not operation.fields:
        return {}
    schema = _object({name: _field(name) for name in operation.fields}, operation.required)
    return {"requestBody": {"required": True, "content": {operation.body: {"schema": schema}}}}


def _response(schema: str) -> Schema:
    if not schema:
        return {"description": "A page, or nothing", "content": {"text/html": {}}}
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": schema, "content": content}


def _field(name: str) -> Schema:
    return {"email": EMAIL, "token": UUID}.get(name, TEXT)


def _object(properties: Schema, required: Sequence[str] | None = None) -> Schema:
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": names}


def _schemas() -> Schema:
    specified = sandbox_settings.SPECIFIED_FIELDS
    error = _object(
        {"status": TEXT, "desc": TEXT, "code": {"type": "integer"}, "suggestion": TEXT},
        ("status", "desc", "code"),
    )
    newsletter = {**NEWSLETTER, **({"welcome": TEXT} if specified else {})}
    return {
        "Ok": _object({"status": TEXT}),
        "Error": error,
        "ErrorOrDetail": {"anyOf": [error, _object({"detail": TEXT})]},
        "Subscribed": _object(
            {
                "status": TEXT,
                "token": {"type": ["string", "null"], "format": "uuid"},
                "created": {"type": ["boolean", "null"]},
            },
            ("status",),
        ),
        "Person": _object({**PERSON, **(SPECIFIED_PERSON if specified else {})}),
        "PersonV1": _object(PERSON),
        "Newsletters": _catalogue(newsletter),
        "NewslettersV1": _catalogue({**NEWSLETTER, "slug": TEXT}),
    }


def _catalogue(newsletter: Schema) -> Schema:
    by_slug = {"type": "object", "additionalProperties": _object(newsletter)}
    return _object({"status": TEXT, "newsletters": by_slug})
