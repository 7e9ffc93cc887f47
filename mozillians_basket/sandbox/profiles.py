"""The descriptions of a person for callers."""

from typing import Any

from django.db import connection

from mozillians_basket.sandbox import addresses
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import Person

# Written out, as building the query would take longer than answering it.
SLUGS = """
    SELECT newsletter.slug
    FROM basket_sandbox_subscription AS subscription
    JOIN basket_sandbox_newsletter AS newsletter ON newsletter.id = subscription.newsletter_id
    WHERE subscription.person_id = %s
    ORDER BY subscription.id
"""


def described(person: Person, *, masked: bool) -> dict[str, Any]:
    """
    Return the description of a person in ``/news/lookup-user/`` and ``/news/user/``.

    It is the current server's answer, and the fields of the specification with it.
    """
    answer = _described(person, masked=masked)
    answer["created_date"] = person.created_date.isoformat()
    answer["last_modified_date"] = person.last_modified_date.isoformat()
    if not sandbox_settings.SPECIFIED_FIELDS:
        return answer
    return {
        **answer,
        "format": person.format,
        "created-date": person.created_date.isoformat(),
        "confirmed": person.optin,
        "pending": not person.optin,
        "master": True,
    }


def described_v1(person: Person, *, masked: bool) -> dict[str, Any]:
    """Return the description of a person in ``/api/v1/users/lookup/``."""
    return {
        **_described(person, masked=masked),
        "created_date": person.created_date,
        "last_modified_date": person.last_modified_date,
    }


def _described(person: Person, *, masked: bool) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(SLUGS, [person.pk])
        slugs = [slug for (slug,) in cursor.fetchall()]
    return {
        "status": "ok",
        "email": addresses.masked(person.email) if masked else person.email,
        "country": person.country or None,
        "first_name": person.first_name or None,
        "last_name": person.last_name or None,
        "fxa_primary_email": None,
        "has_fxa": False,
        "lang": person.lang or None,
        "mofo_relevant": person.mofo_relevant,
        "newsletters": slugs,
        "optin": person.optin,
        "optout": person.optout,
        "token": str(person.token),
    }
