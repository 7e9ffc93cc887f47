"""Parts of the specification that the real server no longer follows: the sandbox does."""

import pytest

from mozillians_basket.sandbox.testing import SandboxPerson
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"


def known(caller: Caller, email: str = EMAIL) -> SandboxPerson:
    person = caller.sandbox.person(email)
    assert person is not None
    return person


@pytest.mark.parametrize("path", ["/news/lookup-user/", "/news/user/{token}/"])
def test_answers_have_the_specified_fields(caller: Caller, path: str) -> None:
    caller.subscribe(EMAIL, "app-dev", format="text", country="de", lang="pt-BR")
    person = known(caller)

    query = {} if "{" in path else {"email": EMAIL}
    answer = caller.get(path.format(token=person.token), params=query, headers=caller.key).json()

    assert (answer["status"], answer["email"], answer["token"]) == ("ok", EMAIL, person.token)
    assert (answer["format"], answer["country"], answer["lang"]) == ("T", "de", "pt-BR")
    assert answer["created-date"] == answer["created_date"]
    assert answer["newsletters"] == ["app-dev"]
    assert (answer["confirmed"], answer["pending"], answer["master"]) == (False, True, True)


@pytest.mark.parametrize(
    ("written", "kept"), [("H", "H"), ("html", "H"), ("T", "T"), ("text", "T")]
)
def test_format_is_stored(caller: Caller, written: str, kept: str) -> None:
    caller.subscribe(EMAIL, "app-dev", format=written)

    assert known(caller).fields["format"] == kept


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        pytest.param("de-AT,de;q=0.9,en;q=0.5", "de", id="a language of newsletters"),
        pytest.param("pt-BR,pt;q=0.9", "pt-BR", id="with its country"),
        pytest.param("tlh,fr;q=0.5", "fr", id="the second best"),
        pytest.param("tlh", "en", id="none that is offered"),
    ],
)
def test_language_comes_from_the_browser_without_a_field(
    caller: Caller, header: str, kept: str
) -> None:
    data = {"email": EMAIL, "newsletters": "app-dev"}

    caller.post("/news/subscribe/", data, headers={"Accept-Language": header})

    assert known(caller).fields["lang"] == kept


def test_misspelled_domain_is_refused_with_a_suggestion(caller: Caller) -> None:
    answer = caller.subscribe("ada@gmial.com", "app-dev")

    assert (answer.status_code, answer.json()["code"]) == (400, 2)
    assert answer.json()["suggestion"] == "ada@gmail.com"
    assert caller.sandbox.people == {}


def test_invalid_address_gets_a_suggestion_if_there_is_one(caller: Caller) -> None:
    with_one = caller.subscribe("a..da@gmial.com", "app-dev").json()
    without = caller.subscribe("ada", "app-dev").json()

    assert with_one["suggestion"] == "a..da@gmail.com"
    assert "suggestion" not in without


def test_validated_accepts_a_misspelled_domain(caller: Caller) -> None:
    answer = caller.subscribe("ada@gmial.com", "app-dev", validated="true")

    assert answer.json()["created"] is True


@pytest.mark.parametrize(
    "domain",
    ["gmail.com", "gmx.net", "example.com", "yahoo.co.uk", "outlook.com.br", "protonmail.ch"],
)
def test_domain_that_looks_right_is_accepted(caller: Caller, domain: str) -> None:
    assert caller.subscribe(f"ada@{domain}", "app-dev").status_code == 200


def test_optin_is_set_and_taken_back(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=True)
    path = f"/news/user/{person.token}/"

    caller.post(path, {"optin": "N", "newsletters": "app-dev"})
    assert known(caller).optin is False

    caller.post(path, {"optin": "Y", "newsletters": "app-dev"})
    assert known(caller).optin is True


def test_queued_change_is_lost_if_the_store_refuses_it(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"])
    caller.sandbox.put_person("eve@example.com")
    path = f"/news/unsubscribe/{person.token}/"

    for fields in ({"optout": "maybe"}, {"email": "eve@example.com"}):
        answer = caller.post(path, {"newsletters": "app-dev", **fields})
        assert answer.json() == {"status": "ok"}

    assert known(caller).newsletters == {"app-dev"}
    assert caller.subscribe(EMAIL, "app-dev", optout="maybe").status_code == 500


@pytest.mark.parametrize("source", ["nowhere", "www.example.com", "https://", "https://a b/"])
def test_invalid_source_url_is_refused(caller: Caller, source: str) -> None:
    refused = caller.subscribe(EMAIL, "app-dev", source_url=source)
    queued = caller.subscribe(EMAIL, "app-dev", source_url=source, sync="N")

    assert refused.status_code == 500
    assert refused.headers["Content-Type"].startswith("text/html")
    assert queued.json() == {"status": "ok"}
    assert caller.sandbox.people == {}


@pytest.mark.parametrize(
    "source",
    ["", "https://example.com", "http://[::1]:80/a?b#c", "https://ada@bücher.example/a b", "app:x"],
)
def test_source_url_of_any_kind_is_accepted(caller: Caller, source: str) -> None:
    assert caller.subscribe(EMAIL, "app-dev", source_url=source).json()["created"] is True


def test_invalid_source_url_is_ignored_if_nothing_is_added(caller: Caller) -> None:
    caller.subscribe(EMAIL, "app-dev")

    assert caller.subscribe(EMAIL, "app-dev", source_url="nowhere").json()["created"] is False


def test_mofo_newsletter_marks_the_person(caller: Caller) -> None:
    caller.subscribe(EMAIL, "app-dev")
    assert known(caller).fields["mofo_relevant"] is False

    caller.subscribe(EMAIL, "mozilla-foundation")
    assert known(caller).fields["mofo_relevant"] is True


def test_details_change_without_newsletters(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"])

    changed = caller.post(f"/news/user-meta/{person.token}/", {"country": "DE"})
    refused = caller.post(f"/news/user-meta/{person.token}/", {"country": "Atlantis"})
    reason = {"token": person.token, "reason": "too many"}
    recorded = caller.post("/news/custom_unsub_reason/", reason)

    assert changed.json() == recorded.json() == {"status": "ok"}
    assert (refused.status_code, refused.json()["code"]) == (400, 5)
    assert caller.post("/news/custom_unsub_reason/").status_code == 400
    assert known(caller).fields["country"] == "de"
    assert known(caller).newsletters == {"app-dev"}
