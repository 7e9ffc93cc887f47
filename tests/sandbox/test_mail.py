"""Confirmation, welcome and recovery reach people, in their language."""

import email
import email.policy
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"


def kinds(caller: Caller) -> list[str]:
    return [message.kind for message in caller.sandbox.messages]


def test_double_optin_by_the_links_in_messages(caller: Caller) -> None:
    caller.subscribe(EMAIL, "app-dev", lang="de")
    (asked,) = caller.sandbox.messages
    page = caller.session.get(asked.link, timeout=60)
    assert (asked.kind, asked.lang) == ("confirm", "de")
    assert "bestätigen" in asked.subject
    assert EMAIL in page.text

    after = caller.session.post(asked.link, timeout=60)

    assert after.status_code == 200
    person = caller.sandbox.person(EMAIL)
    assert person is not None
    assert person.optin
    assert kinds(caller) == ["confirm", "welcome"]
    assert "Developer newsletter" in caller.sandbox.messages[1].body


def test_person_is_welcomed_once(caller: Caller) -> None:
    token = caller.subscribe(EMAIL, "app-dev").json()["token"]

    for _ in range(2):
        caller.post(f"/news/confirm/{token}/")

    assert kinds(caller) == ["confirm", "welcome"]


def test_welcome_comes_at_once_without_confirmation(caller: Caller) -> None:
    caller.subscribe(EMAIL, "mozilla-phone")
    caller.subscribe(EMAIL, "mozilla-phone,app-dev")

    assert kinds(caller) == ["welcome", "welcome"]
    assert "Mozilla phone" not in caller.sandbox.messages[1].body


def test_optin_with_a_key_needs_no_confirmation(caller: Caller) -> None:
    caller.subscribe(EMAIL, "app-dev", optin="Y")

    assert kinds(caller) == ["welcome"]


def test_trigger_welcome_suppresses_the_welcome(caller: Caller) -> None:
    caller.subscribe("eve@example.com", "mozilla-phone", trigger_welcome="N")
    token = caller.subscribe(EMAIL, "app-dev", trigger_welcome="N").json()["token"]
    caller.post(f"/news/confirm/{token}/")

    assert kinds(caller) == ["confirm"]


def test_unconfirmed_person_who_subscribes_again_is_asked_again(caller: Caller) -> None:
    caller.subscribe(EMAIL, "app-dev")
    caller.subscribe(EMAIL, "app-dev")

    assert kinds(caller) == ["confirm", "confirm"]


def test_ignored_change_sends_no_message(caller: Caller) -> None:
    caller.sandbox.fail("subscribe", kind="ignore")

    caller.subscribe(EMAIL, "mozilla-phone")

    assert caller.sandbox.messages == []


@pytest.mark.parametrize(
    ("lang", "word"),
    [("fr", "abonnements"), ("pt-BR", "boletins"), ("ar", "النشرات"), ("ru", "subscriptions")],
)
def test_recovery_message_links_to_the_newsletters(caller: Caller, lang: str, word: str) -> None:
    caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=True, lang=lang)

    caller.post("/news/recover/", {"email": EMAIL})

    (message,) = caller.sandbox.messages
    assert word in message.subject
    page = caller.session.get(message.link, timeout=60)
    assert 'value="app-dev" checked' in page.text


def test_person_changes_their_newsletters_on_their_page(caller: Caller) -> None:
    person = caller.sandbox.put_person(EMAIL, newsletters=["app-dev"], optin=True)
    page = f"/newsletter/existing/{person.token}/"

    caller.post(page, {"newsletters": ["mozilla-phone", "mozilla-and-you"]})
    changed = caller.sandbox.person(EMAIL)
    caller.post(page, {"leave": "Y"})
    left = caller.sandbox.person(EMAIL)

    assert changed is not None
    assert left is not None
    assert changed.newsletters == {"mozilla-phone", "mozilla-and-you"}
    assert (left.newsletters, left.optout) == (frozenset(), True)


def test_message_is_sent_as_text_and_html(tmp_path: Path) -> None:
    with SandboxServer(mail=str(tmp_path)) as sandbox:
        Caller(sandbox).subscribe(EMAIL, "mozilla-phone", lang="de")

    (file,) = tmp_path.iterdir()
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert (message["To"], message["Subject"]) == (EMAIL, "Willkommen")
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_message_is_text_if_the_person_prefers_it(tmp_path: Path) -> None:
    with SandboxServer(mail=str(tmp_path)) as sandbox:
        Caller(sandbox).subscribe(EMAIL, "mozilla-phone", format="T")

    (file,) = tmp_path.iterdir()
    assert email.message_from_bytes(file.read_bytes()).get_content_type() == "text/plain"
