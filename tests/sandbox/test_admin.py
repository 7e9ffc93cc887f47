"""The sandbox's own admin shows and changes what Basket holds."""

import re

import pytest
import requests

from mozillians_basket.sandbox.testing import SandboxServer
from tests.sandbox.conftest import Caller, proof, set_fault

EMAIL = "ada@example.com"
PAGES = [
    "apikey", "blockeddomain", "fault", "newsletter", "newslettergroup", "person",
    "receivedrequest", "sentmessage",
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_list_opens(admin: Caller, page: str) -> None:
    admin.subscribe(EMAIL, "mozilla-phone")
    admin.sandbox.fail("user", status=503)

    answer = admin.get(f"/admin/basket_sandbox/{page}/")

    assert answer.status_code == 200
    if page in {"person", "receivedrequest", "sentmessage"}:
        assert EMAIL in answer.text


def test_fault_is_set_on_its_page(admin: Caller) -> None:
    set_fault(admin, kind="answer", endpoint="lookup", status="503")

    assert admin.get("/news/lookup-user/").status_code == 503


def test_person_is_renamed_on_their_page(admin: Caller) -> None:
    before = admin.sandbox.put_person(EMAIL, newsletters=["app-dev"])
    path = admin.get("/admin/basket_sandbox/person/").text
    path = re.findall(r'href="(/admin/basket_sandbox/person/\d+/change/)', path)[0]
    fields = {"email": "ada@example.org", "token": before.token, "lang": "en", "format": "H"}
    inline = {"subscriptions-TOTAL_FORMS": "0", "subscriptions-INITIAL_FORMS": "0"}

    admin.post(path, {**fields, **inline, **proof(admin, path)})

    (person,) = admin.sandbox.people.values()
    assert (person.email, person.token) == ("ada@example.org", before.token)
    assert person.newsletters == {"app-dev"}
    lookup = {"email": person.email}
    answer = admin.get("/api/v1/users/lookup/", params=lookup, headers=admin.key)
    assert answer.status_code == 200


def test_disabled_key_is_refused(admin: Caller) -> None:
    path = "/admin/basket_sandbox/apikey/add/"
    admin.post(path, {"name": "old", "key": "old-key", **proof(admin, path)})

    query = {"email": EMAIL, "api-key": "old-key"}

    assert admin.get("/news/lookup-user/", params=query).status_code == 401


def test_records_cannot_be_added(admin: Caller) -> None:
    assert admin.get("/admin/basket_sandbox/sentmessage/add/").status_code == 403


def test_admin_needs_a_login(basket_sandbox: SandboxServer) -> None:
    answer = requests.get(f"{basket_sandbox.url}/admin/basket_sandbox/person/", timeout=60)

    assert "Log in" in answer.text


@pytest.mark.parametrize("password", ["", "wrong"])
def test_wrong_password_is_refused(caller: Caller, password: str) -> None:
    login = "/admin/login/?next=/admin/"

    data = {"username": "admin", "password": password, **proof(caller, login)}

    assert "Site administration" not in caller.post(login, data).text
