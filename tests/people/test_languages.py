"""The language of the site: the browser's, or the one that somebody chose."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from project.people.views import sent_mail
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def choose(client: Client, language: str, back_to: str) -> Any:
    return client.post(
        reverse("set-language"), {"language": language, "next": back_to}, follow=True
    )


def text_of(page: Any) -> str:
    return " ".join(page.content.decode().split())


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-AT, en;q=0.5", "de"),
        ("pt-BR", "pt-br"),
        ("ar-EG", "ar"),
        ("ja, fr;q=0.5", "fr"),
        ("ja", "en"),
        ("en-US", "en"),
    ],
)
def test_page_is_in_the_language_that_the_browser_asks_for(
    client: Client, accepted: str, language: str
) -> None:
    page = client.get("/", headers={"accept-language": accepted})

    assert f'<html lang="{language}"' in text_of(page)
    assert f'<option value="{language}" lang="{language}" selected>' in text_of(page)


def test_chosen_language_stays_and_leads_back_to_the_same_page(client: Client) -> None:
    back: Any = choose(client, "es", "/sign-in/?next=/profile/")
    later = client.get("/", headers={"accept-language": "de"})

    assert back.redirect_chain == [("/sign-in/?next=/profile/", 302)]
    assert "Iniciar sesión" in text_of(back)
    assert '<html lang="es"' in text_of(later)


def test_admin_has_the_language_of_the_site(client: Client) -> None:
    choose(client, "ar", "/")

    page = client.get("/admin/login/")

    assert '<html lang="ar" dir="rtl"' in text_of(page)


def test_unknown_language_changes_nothing(client: Client) -> None:
    page = choose(client, "xx", "/")

    assert '<html lang="en"' in text_of(page)


def test_choice_leads_to_no_other_site(client: Client) -> None:
    answer: Any = client.post(
        reverse("set-language"), {"language": "de", "next": "https://elsewhere.example.org/"}
    )

    assert answer.url == "/"


def test_cookie_has_the_sites_own_name(client: Client) -> None:
    choose(client, "fr", "/")

    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == "fr"
    assert settings.LANGUAGE_COOKIE_NAME != "django_language"


@pytest.mark.parametrize(
    ("language", "subject", "text"),
    [
        ("de", "Bestätigen Sie Ihre neue Adresse", "folgen Sie innerhalb eines Tages diesem Link"),
        ("ar", "أكِّد عنوانك الجديد", "فافتح هذا الرابط خلال يوم واحد"),
    ],
)
def test_mail_is_in_the_members_language(
    client: Client, mailoutbox: list[Any], language: str, subject: str, text: str
) -> None:
    client.force_login(UserFactory.create())

    client.post(
        reverse("address"), {"email": "new@example.com"}, headers={"accept-language": language}
    )

    [mail] = mailoutbox
    assert mail.subject == subject
    assert text in mail.body
    assert "http://testserver/profile/address/" in mail.body


def test_sent_mail_is_shown_as_it_was_written(rf: Any, settings: Any, tmp_path: Path) -> None:
    settings.MAIL_FOLDER = tmp_path
    mail = EmailMessage("Grüße", "Viele Grüße\n\nBis später\n", None, ["new@example.com"])
    # As Django's backend of files writes it.
    (tmp_path / "sent.log").write_bytes(mail.message().as_bytes() + b"\n" + b"-" * 79 + b"\n")

    page = text_of(sent_mail(rf.get("/mail/")))

    assert "<h2>Grüße</h2>" in page
    assert "<p>Bis später</p>" in page
    assert "---" not in page
