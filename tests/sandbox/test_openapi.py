"""``/openapi.json`` describes what the sandbox serves."""

from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"
NOBODY = "6f7b3a1e-0000-4000-8000-000000000000"
KEY = {"X-Api-Key": "test-key"}
PHONE = {"newsletters": "mozilla-phone"}

#: Calls with different answers: method, path, arguments. ``{token}`` is that of a person.
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("post", "/news/subscribe/", {"data": {}}),
    ("post", "/news/subscribe/", {"data": PHONE}),
    ("post", "/news/subscribe/", {"data": {**PHONE, "email": EMAIL}}),
    ("post", "/news/subscribe/", {"data": {**PHONE, "email": "ada@gmial.com"}}),
    ("post", "/news/subscribe/", {"data": {**PHONE, "email": EMAIL, "sync": "Y"}, "headers": KEY}),
    (
        "post",
        "/news/subscribe/",
        {"data": {"newsletters": ",", "email": EMAIL, "sync": "Y"}, "headers": KEY},
    ),
    (
        "post",
        "/news/subscribe/",
        {"data": {**PHONE, "email": EMAIL, "sync": "Y", "optout": "maybe"}, "headers": KEY},
    ),
    ("post", "/news/unsubscribe/{token}/", {"data": PHONE}),
    ("post", "/news/unsubscribe/{token}/", {"data": {"newsletters": "nope"}}),
    ("get", "/news/user/{token}/", {}),
    ("get", "/news/user/{token}/", {"headers": KEY}),
    ("get", f"/news/user/{NOBODY}/", {}),
    ("post", "/news/user/{token}/", {"data": PHONE}),
    ("post", "/news/user/{token}/", {"data": {"email": "ada"}}),
    ("post", "/news/user-meta/{token}/", {"data": {"country": "de"}}),
    ("post", "/news/user-meta/{token}/", {"data": {"country": "Atlantis"}}),
    ("post", "/news/custom_unsub_reason/", {}),
    ("post", "/news/custom_unsub_reason/", {"data": {"token": NOBODY, "reason": "x"}}),
    ("get", "/news/newsletters/", {}),
    ("head", "/news/newsletters/", {}),
    ("get", "/api/v1/news/newsletters/", {}),
    *(
        ("get", path, arguments)
        for path in ("/news/lookup-user/", "/api/v1/users/lookup/")
        for arguments in (
            {},
            {"params": {"email": EMAIL}},
            {"params": {"email": EMAIL}, "headers": KEY},
            {"params": {"email": "eve@example.com"}, "headers": KEY},
            {"params": {"token": NOBODY}},
            {"params": {"token": "x"}},
        )
    ),
    ("post", "/news/confirm/{token}/", {}),
    ("post", "/api/v1/users/confirm/{token}/", {}),
    ("post", "/news/recover/", {"data": {"email": "ada"}}),
    ("post", "/news/recover/", {"data": {"email": EMAIL}}),
    ("post", "/news/recover/", {"data": {"email": "eve@example.com"}}),
    ("post", "/api/v1/users/recover/", {"json": {"email": "ada"}}),
    ("post", "/api/v1/users/recover/", {"json": {"email": EMAIL}}),
    ("post", "/api/v1/users/recover/", {"json": {"email": "eve@example.com"}}),
    ("post", "/api/v1/users/recover/", {"data": "no JSON"}),
]


def problems(value: Any, schema: dict[str, Any], description: dict[str, Any]) -> list[str]:
    """List the differences between a value and its schema; unknown properties are one too."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        found = [problems(value, each, description) for each in schema["anyOf"]]
        return [] if [] in found else found[0]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if kind_of(value) not in kinds:
        return [f"{value!r} is no {' or '.join(kinds)}"]
    if isinstance(value, list):
        return [each for item in value for each in problems(item, schema["items"], description)]
    if not isinstance(value, dict):
        return []
    if "additionalProperties" in schema:
        items = value.values()
        inner = schema["additionalProperties"]
        return [each for item in items for each in problems(item, inner, description)]
    known = schema["properties"]
    return [
        *(f"{name} is missing" for name in schema["required"] if name not in value),
        *(f"{name} is not described" for name in value if name not in known),
        *(
            each
            for name, item in value.items()
            if name in known
            for each in problems(item, known[name], description)
        ),
    ]


def kind_of(value: Any) -> str:
    """Return JSON's name for the kind of a value."""
    names = {
        bool: "boolean", dict: "object", int: "integer", list: "array", str: "string",
        type(None): "null",
    }  # fmt: skip
    return names[type(value)]


def ask(caller: Caller, method: str, path: str, **arguments: Any) -> requests.Response:
    return caller.session.request(method, caller.sandbox.url + path, timeout=60, **arguments)


def described_calls(description: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the described methods and paths."""
    return {
        (method, path) for path, operations in description["paths"].items() for method in operations
    }


def test_every_endpoint_is_described_and_called_here(caller: Caller) -> None:
    called = {(method, path.replace(NOBODY, "{token}")) for method, path, _ in CALLS}

    assert described_calls(caller.get("/openapi.json").json()) == called


@pytest.mark.parametrize(("method", "path", "arguments"), CALLS)
def test_answers_are_as_described(
    caller: Caller, method: str, path: str, arguments: dict[str, Any]
) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"])
    description = caller.get("/openapi.json").json()

    answer = ask(caller, method, path.replace("{token}", person.token), **arguments)

    template = path.replace(NOBODY, "{token}")
    described = description["paths"][template][method]["responses"][str(answer.status_code)]
    (kind,) = described["content"]
    if method == "head":
        return
    assert answer.headers["Content-Type"].startswith(kind)
    if kind == "application/json":
        schema = described["content"][kind]["schema"]
        assert problems(answer.json(), schema, description) == []


def test_methods_that_are_not_described_are_refused(caller: Caller) -> None:
    described = described_calls(caller.get("/openapi.json").json())

    served = {
        (method, path)
        for path in {path for _, path in described}
        for method in ("get", "post")
        if ask(caller, method, path.replace("{token}", NOBODY)).status_code not in {403, 405}
    }

    # The page that records a reason takes any method, and refuses one without fields.
    assert served - described == {("get", "/news/custom_unsub_reason/")}


def test_described_fields_are_read(caller: Caller) -> None:
    description = caller.get("/openapi.json").json()
    body = description["paths"]["/news/subscribe/"]["post"]["requestBody"]["content"]
    (schema,) = [each["schema"] for each in body.values()]
    values = {
        "newsletters": "mozilla-phone", "email": EMAIL, "sync": "Y", "api_key": "test-key",
        "optin": "Y", "optout": "N", "format": "T", "country": "fr", "lang": "de",
        "accept_lang": "es", "first_name": "Ada", "last_name": "Lovelace",
        "source_url": "https://example.com/", "trigger_welcome": "N", "validated": "true",
        "token": NOBODY,
    }  # fmt: skip
    assert set(schema["properties"]) == set(values)

    caller.post("/news/subscribe/", values)

    person = caller.sandbox.people[EMAIL]
    names = ("country", "lang", "first_name", "last_name", "source_url", "format", "optin")
    kept = [person.fields[name] for name in names]
    assert kept == ["fr", "de", "Ada", "Lovelace", "https://example.com/", "T", True]
    assert caller.sandbox.messages == []
