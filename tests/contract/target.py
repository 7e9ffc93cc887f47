"""The Basket that the contract is checked against."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from mozillians_basket.sandbox.testing import SandboxServer

PATIENCE = 30.0
"""Seconds until a queued change must be visible."""


@dataclass
class Person:
    """A person who was subscribed for one test."""

    email: str
    token: str


@dataclass
class Target:
    """A Basket: the one that the environment names, or a sandbox."""

    url: str
    key: str
    group: str = ""
    blocked_domain: str = ""
    sandbox: SandboxServer | None = None
    session: requests.Session = field(default_factory=requests.Session)
    _newsletters: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def authorized(self) -> dict[str, str]:
        """The header with the key."""
        return {"X-Api-Key": self.key}

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("allow_redirects", False)
        return self.session.request(method, self.url + path, timeout=30, **kwargs)

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, data: Any = None, **kwargs: Any) -> requests.Response:
        return self.call("POST", path, data=data, **kwargs)

    def newsletter(self, **wanted: bool) -> str | None:
        """Return the slug of a newsletter with these flags, if there is one."""
        if not self._newsletters:
            self._newsletters = self.get("/news/newsletters/").json()["newsletters"]
        for slug, flags in self._newsletters.items():
            if all(bool(flags.get(name)) is value for name, value in wanted.items()):
                return slug
        return None

    @property
    def single(self) -> str:
        """A public newsletter that needs no confirmation."""
        return self._needed(active=True, private=False, requires_double_optin=False)

    @property
    def double(self) -> str:
        """A public newsletter that needs confirmation."""
        return self._needed(active=True, private=False, requires_double_optin=True)

    @property
    def private(self) -> str:
        """A private newsletter."""
        return self._needed(active=True, private=True)

    def _needed(self, **wanted: bool) -> str:
        slug = self.newsletter(**wanted)
        if slug is None:
            pytest.skip(f"this Basket has no newsletter with {wanted}")
        return slug

    def subscribe(self, email: str, newsletters: str, **fields: str) -> requests.Response:
        data = {"email": email, "newsletters": newsletters, "sync": "Y", **fields}
        return self.post("/news/subscribe/", data, headers=self.authorized)

    def person(self, *newsletters: str, **fields: str) -> Person:
        """Subscribe a new person to these newsletters."""
        email = new_address()
        answer = self.subscribe(email, ",".join(newsletters) or self.single, **fields)
        assert answer.status_code == 200, answer.text
        return Person(email, answer.json()["token"])

    def lookup(self, email: str) -> dict[str, Any]:
        """Return all fields of an address at Basket."""
        answer = self.get("/api/v1/users/lookup/", params={"email": email}, headers=self.authorized)
        found: dict[str, Any] = answer.json()
        return found

    def newsletters_of(self, email: str) -> set[str]:
        return set(self.lookup(email).get("newsletters", ()))


def new_address(local: str = "contract") -> str:
    """Return an address that was not used before."""
    return f"{local}-{uuid.uuid4().hex[:12]}@example.com"


def eventually(is_so: Callable[[], bool]) -> bool:
    """Wait until the condition holds: unsubscribes and subscribes without sync are only queued."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def code(answer: requests.Response) -> int | None:
    """Return Basket's code, None on success; fail if the body does not have Basket's form."""
    body = answer.json()
    if body["status"] == "ok":
        assert "code" not in body
        return None
    assert body["status"] == "error"
    assert isinstance(body["desc"], str)
    found: int = body["code"]
    return found


def is_page(answer: requests.Response) -> bool:
    """Tell whether the answer is a page of HTML instead of Basket's JSON."""
    return answer.headers["Content-Type"].startswith("text/html")
