"""A caller of the sandbox Basket and of its admin, like any HTTP client."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mozillians_basket.sandbox.testing import SandboxServer


class Caller:
    """Calls a sandbox Basket over one kept connection."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.key = {"X-Api-Key": sandbox.api_key}

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.session.get(self.sandbox.url + path, timeout=60, **kwargs)

    def post(self, path: str, data: Any = None, **kwargs: Any) -> requests.Response:
        return self.session.post(self.sandbox.url + path, data, timeout=60, **kwargs)

    def subscribe(self, email: str, newsletters: str, **fields: str) -> requests.Response:
        data = {"email": email, "newsletters": newsletters, "sync": "Y", **fields}
        return self.post("/news/subscribe/", data, headers=self.key)


@pytest.fixture
def caller(basket_sandbox: SandboxServer) -> Iterator[Caller]:
    caller = Caller(basket_sandbox)
    with caller.session:
        yield caller


@pytest.fixture
def admin(caller: Caller) -> Caller:
    """A caller who has logged in to the admin."""
    login = "/admin/login/?next=/admin/"
    data = {"username": "admin", "password": caller.sandbox.api_key, **proof(caller, login)}
    assert "Site administration" in caller.post(login, data).text
    return caller


def proof(caller: Caller, path: str) -> dict[str, str]:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', caller.get(path).text)
    assert found
    return {"csrfmiddlewaretoken": found[1]}


def set_fault(admin: Caller, **fields: str) -> None:
    """Set a fault on the admin's page."""
    path = "/admin/basket_sandbox/fault/add/"
    usual = {"status": "500", "seconds": "0", "spread": "fixed", "share": "1", "seed": "0"}
    assert admin.post(path, {**usual, **fields, **proof(admin, path)}).url.endswith("/fault/")


@pytest.fixture
def root(pytestconfig: pytest.Config) -> Path:
    """The folder of the repository."""
    return pytestconfig.rootpath
