"""The control endpoints, and the client that tests use for them."""

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"


def test_person_is_changed_in_several_calls(basket_sandbox: SandboxServer) -> None:
    first = basket_sandbox.put_person(EMAIL, newsletters={"app-dev", "mozilla-phone"}, lang="de")
    basket_sandbox.put_person(EMAIL, remove={"app-dev"}, add={"mozillians-nda"})
    basket_sandbox.put_person(EMAIL, new_email="eve@example.com", optout=True)

    (person,) = basket_sandbox.people.values()
    assert (person.email, person.token) == ("eve@example.com", first.token)
    assert person.newsletters == {"mozilla-phone", "mozillians-nda"}
    assert (person.optout, person.fields["lang"]) == (True, "de")


def test_people_are_added_in_one_call(basket_sandbox: SandboxServer) -> None:
    emails = ["ada@example.com", "Bea@example.com", "cem@example.com"]

    basket_sandbox.add_people(emails, newsletters={"app-dev", "mozilla-phone"}, lang="de")

    people = basket_sandbox.people
    assert set(people) == set(emails)
    assert len({person.token for person in people.values()}) == 3
    assert {person.newsletters for person in people.values()} == {
        frozenset({"app-dev", "mozilla-phone"})
    }
    assert {person.fields["lang"] for person in people.values()} == {"de"}
    found = basket_sandbox.person("bea@example.com")
    assert found == people["Bea@example.com"]


@pytest.mark.parametrize(
    "emails", [["bea@example.com", "ADA@example.com"], ["bea@example.com", f"{'x' * 250}@e.com"]]
)
def test_people_are_added_all_or_none(basket_sandbox: SandboxServer, emails: list[str]) -> None:
    basket_sandbox.put_person(EMAIL, newsletters=["app-dev"])

    with pytest.raises(ValueError, match=r"\w"):
        basket_sandbox.add_people(emails)

    assert set(basket_sandbox.people) == {EMAIL}


def test_renamed_person_keeps_the_token(caller: Caller) -> None:
    before = caller.sandbox.put_person(EMAIL, newsletters={"app-dev"}, optin=True)

    caller.sandbox.rename_person("ADA@example.com", "Ada@example.org")

    path = "/api/v1/users/lookup/"
    old = caller.get(path, params={"email": EMAIL}, headers=caller.key)
    by_token = caller.get(path, params={"token": before.token}, headers=caller.key)
    by_email = caller.get(path, params={"email": "ada@example.org"}, headers=caller.key)
    assert (old.status_code, old.json()["code"]) == (404, 3)
    assert by_token.json() == by_email.json()
    assert by_token.json()["email"] == "Ada@example.org"
    assert by_token.json()["newsletters"] == ["app-dev"]


def test_person_opts_out_of_one_newsletter(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL, newsletters={"app-dev", "mozilla-phone"})

    caller.sandbox.opt_out(EMAIL, "app-dev")

    found = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (found.json()["newsletters"], found.json()["optout"]) == (["mozilla-phone"], False)


def test_person_opts_out_of_everything(caller: Caller) -> None:
    caller.sandbox.put_person(EMAIL, newsletters={"app-dev", "mozilla-phone"})

    caller.sandbox.opt_out(EMAIL)

    found = caller.get("/api/v1/users/lookup/", params={"email": EMAIL}, headers=caller.key)
    assert (found.json()["newsletters"], found.json()["optout"]) == ([], True)


def test_unknown_person_neither_opts_out_nor_is_renamed(basket_sandbox: SandboxServer) -> None:
    with pytest.raises(ValueError, match="does not know"):
        basket_sandbox.opt_out(EMAIL)
    with pytest.raises(ValueError, match="does not know"):
        basket_sandbox.rename_person(EMAIL, "ada@example.org")

    assert basket_sandbox.people == {}


def test_person_is_not_renamed_to_an_address_in_use(basket_sandbox: SandboxServer) -> None:
    basket_sandbox.put_person(EMAIL)
    basket_sandbox.put_person("eve@example.com")

    with pytest.raises(ValueError, match=r"\w"):
        basket_sandbox.rename_person(EMAIL, "Eve@example.com")

    assert set(basket_sandbox.people) == {EMAIL, "eve@example.com"}


def test_person_is_renamed_over_the_control_endpoint(caller: Caller) -> None:
    before = caller.sandbox.put_person(EMAIL)
    body = {"email": EMAIL, "new_email": "ada@example.org"}

    path = f"{caller.sandbox.url}/sandbox/people/"
    answer = caller.session.post(path, json=body, headers=caller.key)

    assert answer.json()["person"]["token"] == before.token
    assert set(caller.sandbox.people) == {"ada@example.org"}


def test_unknown_person_is_none(basket_sandbox: SandboxServer) -> None:
    assert basket_sandbox.person(EMAIL) is None


def test_people_and_requests_are_deleted(caller: Caller) -> None:
    caller.subscribe(EMAIL, "mozilla-phone")

    caller.sandbox.forget_people()
    caller.sandbox.clear_requests()

    assert caller.sandbox.people == {}
    assert caller.sandbox.requests == []


@pytest.mark.parametrize(
    "fields",
    [{"newsletters": ["nope"]}, {"colour": "blue"}, {"token": "nope"}, {"lang": "x" * 20}],
    ids=["an unknown newsletter", "an unknown field", "a bad token", "too long"],
)
def test_invalid_fields_of_a_person_are_refused(
    basket_sandbox: SandboxServer, fields: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        basket_sandbox.put_person(EMAIL, **fields)

    assert basket_sandbox.people == {}


def test_newsletters_are_loaded() -> None:
    with SandboxServer() as sandbox:
        sandbox.load_newsletters(
            {"our-news": {"title": "Ours", "requires_double_optin": True}},
            groups={"ours": {"title": "All of ours", "newsletters": ["our-news"]}},
            blocked_domains=["nowhere.example.com"],
        )
        caller = Caller(sandbox)
        caller.subscribe(EMAIL, "ours")
        caller.subscribe("ada@nowhere.example.com", "ours")

        people = sandbox.people

    assert {email: person.newsletters for email, person in people.items()} == {EMAIL: {"our-news"}}
    assert people[EMAIL].optin is False


def test_sandbox_that_was_not_started_raises() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        SandboxServer().reset()


def test_control_endpoints_need_the_key(caller: Caller) -> None:
    assert caller.get("/sandbox/people/").status_code == 403
    assert caller.get("/sandbox/people/", headers=caller.key).status_code == 200
