"""The messages that Basket sends: confirmation, welcome and recovery."""

import logging
from collections.abc import Collection
from functools import partial
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string, select_template

from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import Newsletter, Person, SentMessage

logger = logging.getLogger(__name__)

DEFAULT_LANGUAGE = "en"


def send_confirmation(person: Person, site: str) -> None:
    """Send the message with the link that confirms an address."""
    _send(SentMessage.Kind.CONFIRM, person, {"link": _link(site, "confirm", person)})


def send_welcome(person: Person, newsletters: Collection[Newsletter], site: str) -> None:
    """Welcome somebody to newsletters, if there are any."""
    if newsletters:
        link = _link(site, "existing", person)
        _send(SentMessage.Kind.WELCOME, person, {"link": link, "newsletters": newsletters})


def send_recovery(person: Person, site: str) -> None:
    """Send the message with the link to somebody's subscriptions."""
    _send(SentMessage.Kind.RECOVER, person, {"link": _link(site, "existing", person)})


def _link(site: str, page: str, person: Person) -> str:
    root = (sandbox_settings.SITE_URL or site).rstrip("/")
    return f"{root}/newsletter/{page}/{person.token}/"


def _send(kind: SentMessage.Kind, person: Person, context: dict[str, Any]) -> None:
    language, text = _rendered(kind, person, context)
    subject, _, body = text.partition("\n")
    subject, body = subject.strip(), body.strip()
    message = EmailMultiAlternatives(subject, body, sandbox_settings.MAIL_FROM, [person.email])
    if person.format == "H":
        paragraphs = body.split("\n\n")
        page = {"subject": subject, "paragraphs": paragraphs, "lang": language, **context}
        message.attach_alternative(
            render_to_string("basket_sandbox/mail/message.html", page), "text/html"
        )
    record = SentMessage(kind=kind, email=person.email, lang=language, subject=subject, body=body)
    # The message is sent only if the change is committed.
    transaction.on_commit(partial(_deliver, message, record))


def _deliver(message: EmailMultiAlternatives, record: SentMessage) -> None:
    try:
        message.send()
    except OSError as error:
        # Basket sends in the background: a failure there does not reach the caller.
        logger.error("a message was not sent: %s", type(error).__name__)  # noqa: TRY400
    else:
        record.save()


def _rendered(kind: SentMessage.Kind, person: Person, context: dict[str, Any]) -> tuple[str, str]:
    languages = [person.lang, person.lang.partition("-")[0], DEFAULT_LANGUAGE]
    for language in filter(None, languages):
        try:
            template = select_template([f"basket_sandbox/mail/{language}/{kind}.txt"])
        except TemplateDoesNotExist:
            continue
        return language, template.render({"person": person, **context})
    raise TemplateDoesNotExist(kind)
