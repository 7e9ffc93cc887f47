"""What a test arranges in the sandbox, and what it is told."""

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"


def test_a_person_is_changed_bit_by_bit(basket_sandbox: SandboxServer) -> None:
    first = basket_sandbox.put_person(EMAIL, newsletters={"app-dev", "mozilla-phone"}, lang="de")
    basket_sandbox.put_person(EMAIL, remove={"app-dev"}, add={"mozillians-nda"})
    basket_sandbox.put_person(EMAIL, new_email="eve@example.com", optout=True)

    (person,) = basket_sandbox.people.values()
    assert (person.email, person.token) == ("eve@example.com", first.token)
    assert person.newsletters == {"mozilla-phone", "mozillians-nda"}
    assert (person.optout, person.fields["lang"]) == (True, "de")


def test_nobody_is_none(basket_sandbox: SandboxServer) -> None:
    assert basket_sandbox.person(EMAIL) is None


def test_people_and_requests_are_forgotten(caller: Caller) -> None:
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
def test_what_makes_no_sense_is_refused(
    basket_sandbox: SandboxServer, fields: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        basket_sandbox.put_person(EMAIL, **fields)

    assert basket_sandbox.people == {}


def test_newsletters_of_ones_own() -> None:
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


def test_a_sandbox_that_does_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        SandboxServer().reset()
