"""The benchmark's stub answers as the sandbox Basket does."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from benchmarks.servers import Stub
from mozillians_basket.sandbox.testing import SandboxServer

EMAIL, PHONE, NDA = "Ada@example.com", "mozilla-phone", "mozillians-nda"
NOBODY = "00000000-0000-4000-8000-000000000000"

#: Calls in order: endpoint, whether with the key, fields.
CALLS: list[tuple[str, bool, dict[str, str]]] = [
    ("lookup", True, {"email": EMAIL}),
    ("lookup", False, {"email": EMAIL}),
    ("lookup", True, {"email": "ada@nowhere"}),
    ("lookup", True, {}),
    ("lookup", True, {"token": NOBODY}),
    ("subscribe", True, {"email": EMAIL, "sync": "Y"}),
    ("subscribe", True, {"newsletters": PHONE, "sync": "Y"}),
    ("subscribe", True, {"newsletters": PHONE, "email": "ada", "sync": "Y"}),
    ("subscribe", False, {"newsletters": PHONE, "email": EMAIL, "sync": "Y"}),
    ("subscribe", True, {"newsletters": f"{PHONE},nothing", "email": EMAIL, "sync": "Y"}),
    ("subscribe", True, {"newsletters": PHONE, "email": EMAIL, "sync": "Y", "optin": "Y"}),
    ("lookup", True, {"email": EMAIL.lower()}),
    ("subscribe", True, {"newsletters": NDA, "email": EMAIL, "sync": "Y", "lang": "de"}),
    ("subscribe", True, {"newsletters": NDA, "email": EMAIL, "country": "fr"}),
    ("lookup", True, {"token": "TOKEN"}),
    ("lookup", False, {"token": "TOKEN"}),
    ("unsubscribe", True, {"token": NOBODY, "newsletters": PHONE}),
    ("unsubscribe", True, {"token": "TOKEN", "newsletters": "nothing"}),
    ("unsubscribe", True, {"token": "TOKEN", "newsletters": PHONE}),
    ("lookup", True, {"email": EMAIL}),
]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as started:
        started.ask("reset", latency=0)
        yield started


def answers(url: str, key: str) -> list[tuple[int, dict[str, Any]]]:
    """Make the calls; return the answers without texts, dates and the token's digits."""
    found, token = [], ""
    with requests.Session() as session:
        for endpoint, with_key, fields in CALLS:
            given = {name: token if value == "TOKEN" else value for name, value in fields.items()}
            headers = {"X-Api-Key": key} if with_key else {}
            if endpoint == "lookup":
                path = f"{url}/api/v1/users/lookup/"
                answer = session.get(path, params=given, headers=headers)
            else:
                path = f"{url}/news/{endpoint}/"
                path += f"{given.pop('token')}/" if endpoint == "unsubscribe" else ""
                answer = session.post(path, data=given, headers=headers)
            body = answer.json()
            token = body.get("token", token)
            for name in ("desc", "created_date", "last_modified_date"):
                body.pop(name, None)
            found.append((answer.status_code, body | ({"token": "T"} if "token" in body else {})))
    return found


def test_stub_answers_as_the_sandbox_does(stub: Stub, basket_sandbox: SandboxServer) -> None:
    mine = answers(stub.url, stub.api_key)
    sandbox = answers(basket_sandbox.url.rstrip("/"), basket_sandbox.api_key)

    for number, (one, other) in enumerate(zip(mine, sandbox, strict=True)):
        assert one == other, CALLS[number]


def test_stub_counts_calls_and_tells_what_it_holds(stub: Stub) -> None:
    answers(stub.url, stub.api_key)

    assert stub.calls("lookup") == 9
    assert stub.calls() == len(CALLS)
    assert stub.ask("people") == {EMAIL: [NDA]}
    assert stub.ask("subscribed")[EMAIL] > 0


def test_stub_takes_its_latency_for_each_call(stub: Stub) -> None:
    stub.ask("reset", latency=0.2)

    answer = requests.get(f"{stub.url}/api/v1/users/lookup/", timeout=5)

    assert answer.elapsed.total_seconds() >= 0.2
