"""People and their newsletters: every write of the sandbox Basket."""

import uuid
from collections.abc import Collection, Mapping
from enum import StrEnum

from django.db import IntegrityError, transaction

from mozillians_basket.sandbox.models import Newsletter, NewsletterGroup, Person, Subscription


class Change(StrEnum):
    """What a call does with the newsletters it names."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    SET = "set"


TEXT_FIELDS = {"first_name": 255, "last_name": 255, "source_url": 1024, "reason": 1000}


def find(*, email: str | None = None, token: uuid.UUID | None = None) -> Person | None:
    """Return the person with this address (whatever its case) or this token."""
    if token:
        return Person.objects.filter(token=token).first()
    return Person.objects.filter(email_key=(email or "").lower()).first()


def parse_slugs(newsletters: str | None) -> list[str]:
    """Return the newsletter names of a comma-delimited list."""
    return [name.strip() for name in (newsletters or "").split(",") if name.strip()]


def apply(
    change: Change, fields: Mapping[str, str], *, optin: bool = False
) -> tuple[Person | None, bool]:
    """
    Carry out a call. Return the person, and whether they are new.

    ``fields`` holds ``email`` or ``token``, and whatever else the caller sent. A token that
    nobody has changes nothing: the person is None.
    """
    try:
        with transaction.atomic():
            return _apply(change, fields, optin=optin)
    except IntegrityError:
        # Another call has just created the same person: now they exist.
        with transaction.atomic():
            return _apply(change, fields, optin=optin)


def _apply(change: Change, fields: Mapping[str, str], *, optin: bool) -> tuple[Person | None, bool]:
    people = Person.objects.select_for_update()
    if "token" in fields:
        person = people.filter(token=fields["token"]).first()
    else:
        person = people.filter(email_key=fields["email"].lower()).first()
    created = person is None
    if person is None:
        if "token" in fields:
            return None, False
        person = Person(email=fields["email"])
    _copy_fields(person, fields)
    person.optout = change is Change.UNSUBSCRIBE and (person.optout or fields.get("optout") == "Y")
    person.optin = person.optin or optin
    person.save()
    _change_newsletters(person, change, parse_slugs(fields.get("newsletters")), fields)
    return person, created


def _copy_fields(person: Person, fields: Mapping[str, str]) -> None:
    if fields.get("email"):
        person.email = fields["email"]
    if "format" in fields:
        person.format = "T" if fields["format"].upper().startswith("T") else "H"
    if fields.get("lang"):
        person.lang = fields["lang"]
    country = fields.get("country", "").strip().lower()
    if len(country) == 2 and country.isalpha():
        person.country = country
    for name, length in TEXT_FIELDS.items():
        if name in fields:
            setattr(person, name, fields[name].strip()[:length])


def _change_newsletters(
    person: Person, change: Change, slugs: Collection[str], fields: Mapping[str, str]
) -> None:
    current = set(person.subscriptions.values_list("newsletter__slug", flat=True))
    named = set(slugs)
    if change is Change.SUBSCRIBE:
        _add(person, _without_groups(named) - current, fields.get("source_url", ""))
    elif change is Change.UNSUBSCRIBE:
        person.subscriptions.filter(newsletter__slug__in=named).delete()
    else:
        public = set(
            Newsletter.objects.filter(slug__in=named, private=False).values_list("slug", flat=True)
        )
        inactive = set(Newsletter.objects.filter(active=False).values_list("slug", flat=True))
        person.subscriptions.filter(newsletter__slug__in=current - inactive - public).delete()
        _add(person, public - current, fields.get("source_url", ""))


def _without_groups(slugs: Collection[str]) -> set[str]:
    expanded = set(slugs)
    for group in NewsletterGroup.objects.filter(slug__in=slugs, active=True):
        expanded.remove(group.slug)
        expanded.update(group.newsletters.values_list("slug", flat=True))
    return expanded


def _add(person: Person, slugs: Collection[str], source_url: str) -> None:
    newsletters = list(Newsletter.objects.filter(slug__in=slugs))
    Subscription.objects.bulk_create(
        [
            Subscription(person=person, newsletter=newsletter, source_url=source_url)
            for newsletter in newsletters
        ]
    )
    if not person.optin and any(not n.requires_double_optin for n in newsletters):
        person.optin = True
        person.save(update_fields=["optin"])
