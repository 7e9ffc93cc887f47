"""People and their newsletters: finding and describing them, and every change of them."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import IntegrityError, connection, transaction

from mozillians_basket.sandbox import addresses, catalogue, faults
from mozillians_basket.sandbox.answers import ServerFailure
from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.formats import country_code, is_url
from mozillians_basket.sandbox.models import Fault, Newsletter, Person, Subscription
from mozillians_basket.sandbox.storage import write_transaction


class Action(StrEnum):
    """The effects of a call on the newsletters that it names."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    SET = "set"


@dataclass
class Outcome:
    """The result of a call."""

    person: Person | None = None
    """None when the call was about nobody."""
    created: bool | None = None
    """None when the call asked for nothing."""
    added: list[Newsletter] = field(default_factory=list)
    """The newsletters that the person did not get before."""
    unconfirmed: bool = False
    """Whether Basket asks the person to confirm their address."""


# Written out, as the ORM takes longer to build these queries than the database to answer them.
BY_TOKEN = "SELECT * FROM basket_sandbox_person WHERE token = %s"  # noqa: S105
BY_EMAIL = "SELECT * FROM basket_sandbox_person WHERE email_key = %s"
SLUGS = """
    SELECT newsletter.slug
    FROM basket_sandbox_subscription AS subscription
    JOIN basket_sandbox_newsletter AS newsletter ON newsletter.id = subscription.newsletter_id
    WHERE subscription.person_id = %s
    ORDER BY subscription.id
"""
LONGEST_ADDRESS = 254
TEXT_FIELDS = {"first_name": 255, "last_name": 255, "source_url": 1024, "reason": 1000}
TRUE = {"1", "on", "t", "true", "y", "yes"}
FALSE = {"0", "off", "f", "false", "n", "no"}


def find(*, email: str | None = None, token: uuid.UUID | None = None) -> Person | None:
    """
    Return the person with this address (in upper or lower case) or this token.

    :raises StoreTrouble: if a fault keeps the store from being read.
    """
    faults.check_readable()
    if token:
        column = Person._meta.get_field("token")
        found = Person.objects.raw(BY_TOKEN, [column.get_db_prep_value(token, connection)])
    else:
        found = Person.objects.raw(BY_EMAIL, [(email or "").lower()])
    return next(iter(found), None)


def describe(person: Person, *, masked: bool) -> dict[str, Any]:
    """
    Return the description of a person in ``/news/lookup-user/`` and ``/news/user/``.

    It is the current server's answer, and the fields of the specification with it.

    :raises ServerFailure: if the address has to be masked and cannot be.
    """
    answer = describe_v1(person, masked=masked)
    answer["created_date"] = person.created_date.isoformat()
    answer["last_modified_date"] = person.last_modified_date.isoformat()
    if sandbox_settings.SPECIFIED_FIELDS:
        answer |= {
            "format": person.format,
            "created-date": answer["created_date"],
            "confirmed": person.optin,
            "pending": not person.optin,
            "master": True,
        }
    return answer


def describe_v1(person: Person, *, masked: bool) -> dict[str, Any]:
    """
    Return the description of a person in ``/api/v1/users/lookup/``.

    :raises ServerFailure: if the address has to be masked and cannot be.
    """
    with connection.cursor() as cursor:
        cursor.execute(SLUGS, [person.pk])
        slugs = [slug for (slug,) in cursor.fetchall()]
    return {
        "status": "ok",
        "email": addresses.mask(person.email) if masked else person.email,
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
        "created_date": person.created_date,
        "last_modified_date": person.last_modified_date,
    }


def parse_slugs(newsletters: str | None) -> list[str]:
    """Return the newsletter names of a comma-delimited list."""
    return [name.strip() for name in (newsletters or "").split(",") if name.strip()]


def without_messages(slugs: Collection[str]) -> list[str]:
    """Return the names that are no transactional messages, which leave nothing stored."""
    return [slug for slug in slugs if slug not in catalogue.TRANSACTIONAL_MESSAGES]


def change(
    action: Action,
    fields: Mapping[str, str],
    *,
    optin: bool = False,
    new_token: uuid.UUID | None = None,
) -> Outcome:
    """
    Subscribe, unsubscribe or set.

    ``fields`` holds ``email`` or ``token``, and all other fields of the call. ``optin`` says
    that the address counts as confirmed. A new person gets ``new_token``, if it is given. An
    unknown token or an empty list of newsletters to subscribe to changes nothing.

    :raises ServerFailure: if the store of contacts does not accept the change.
    :raises StoreTrouble: if a fault keeps the store from being written.
    """
    faults.check_writable()
    if (race := faults.race()) and "token" not in fields:
        return _change_in_race(race, action, fields, optin=optin, new_token=new_token)
    try:
        with write_transaction():
            return _change(action, fields, optin=optin, new_token=new_token)
    except IntegrityError:
        # Another call has just created the same person: now the row exists.
        with write_transaction():
            return _change(action, fields, optin=optin, new_token=new_token)


def change_details(token: uuid.UUID, fields: Mapping[str, str]) -> None:
    """
    Change what is stored about a person, but not their newsletters.

    :raises StoreTrouble: if a fault keeps the store from being written.
    """
    faults.check_writable()
    with transaction.atomic():
        person = Person.objects.select_for_update().filter(token=token).first()
        if person:
            _copy_details(person, fields)
            person.save()


def confirm(token: uuid.UUID) -> tuple[Person | None, list[Newsletter]]:
    """
    Confirm the address of the person with this token.

    Returns the person, or None if there is none or they were confirmed before, and the
    newsletters for the welcome message.

    :raises StoreTrouble: if a fault keeps the store from being written.
    """
    faults.check_writable()
    with transaction.atomic():
        person = Person.objects.select_for_update().filter(token=token, optin=False).first()
        if person is None:
            return None, []
        person.optin = True
        person.save()
        waiting = person.subscriptions.filter(welcome_due=True)
        welcomed = [subscription.newsletter for subscription in waiting]
        waiting.update(welcome_due=False)
    return person, welcomed


def _change_in_race(
    race: Fault,
    action: Action,
    fields: Mapping[str, str],
    *,
    optin: bool,
    new_token: uuid.UUID | None,
) -> Outcome:
    """
    Change as the real server does: it looks a person up, and creates them some time later.

    :raises ServerFailure: if another call has created the person in between.
    """
    was_known = find(email=fields["email"]) is not None
    if not was_known:
        faults.wait(race, otherwise=faults.RACE_SECONDS)
    try:
        with write_transaction():
            outcome = _change(action, fields, optin=optin, new_token=new_token)
            if outcome.created is False and not was_known:
                raise ServerFailure
            return outcome
    except IntegrityError:
        raise ServerFailure from None


def _change(
    action: Action, fields: Mapping[str, str], *, optin: bool, new_token: uuid.UUID | None
) -> Outcome:
    slugs = parse_slugs(fields.get("newsletters"))
    if action is Action.SUBSCRIBE:
        slugs = without_messages(slugs)
        if not slugs:
            return Outcome()
    people = Person.objects.select_for_update()
    if "token" in fields:
        person = people.filter(token=fields["token"]).first()
    else:
        person = people.filter(email_key=fields["email"].lower()).first()
    created = person is None
    if person is None:
        if action is not Action.SUBSCRIBE:
            return Outcome()
        person = Person(email=fields["email"], token=new_token or uuid.uuid4())
    _copy_address(person, fields)
    _copy_details(person, fields)
    was_confirmed = person.optin
    person.optin = _optin(person, fields, forced=optin)
    person.optout = _optout(person, action, fields)
    current = set() if created else {n.slug for n in person.newsletters.all()}
    wanted = _wanted(action, slugs, current)
    newsletters = catalogue.newsletters.get()
    added = [newsletter for slug, newsletter in newsletters.items() if slug in wanted - current]
    source = fields.get("source_url", "").strip()
    if added and source and not is_url(source):
        raise ServerFailure
    confirmed_by_newsletter = any(not newsletter.requires_double_optin for newsletter in added)
    forced = optin or bool(fields.get("optin"))
    if not (forced or was_confirmed) and confirmed_by_newsletter:
        person.optin = True
    person.mofo_relevant = person.mofo_relevant or any(newsletter.is_mofo for newsletter in added)
    person.save()
    if current - wanted:
        person.subscriptions.filter(newsletter__slug__in=current - wanted).delete()
    welcome_due = not person.optin and fields.get("trigger_welcome") != "N"
    Subscription.objects.bulk_create(
        [
            Subscription(
                person=person,
                newsletter=newsletter,
                source_url=person.source_url,
                welcome_due=welcome_due,
            )
            for newsletter in added
        ]
    )
    unconfirmed = False
    if not person.optin and action is not Action.UNSUBSCRIBE:
        named = Newsletter.objects.filter(slug__in=slugs, requires_double_optin=True)
        unconfirmed = bool(added) or (wanted == current and named.exists())
    return Outcome(person, created, added, unconfirmed)


def _wanted(action: Action, slugs: Collection[str], current: set[str]) -> set[str]:
    """Return the newsletters that a person has after a call."""
    if action is Action.UNSUBSCRIBE:
        return current - set(slugs)
    if action is Action.SUBSCRIBE:
        wanted = current | set(slugs)
        for group, members in catalogue.groups.get().items():
            if group in slugs:
                wanted.discard(group)
                wanted |= members
        return wanted
    newsletters = catalogue.newsletters.get().values()
    private = {newsletter.slug for newsletter in newsletters if newsletter.private}
    inactive = {newsletter.slug for newsletter in newsletters if not newsletter.active}
    return (set(slugs) - private) | (current & inactive)


def _copy_address(person: Person, fields: Mapping[str, str]) -> None:
    email = fields.get("email", "").strip()
    if not email or email == person.email:
        return
    if len(email) > LONGEST_ADDRESS:
        raise ServerFailure
    others = Person.objects.filter(email_key=email.lower())
    if others.exclude(pk=person.pk).exists():
        raise ServerFailure
    person.email = email


def _copy_details(person: Person, fields: Mapping[str, Any]) -> None:
    if "format" in fields:
        person.format = "T" if fields["format"].upper().startswith("T") else "H"
    if fields.get("lang"):
        person.lang = fields["lang"]
    if country := country_code(fields.get("country", "")):
        person.country = country
    for name, length in TEXT_FIELDS.items():
        if name in fields:
            setattr(person, name, fields[name].strip()[:length])


def _optin(person: Person, fields: Mapping[str, str], *, forced: bool) -> bool:
    # Any word in the field, even "N", confirms somebody who is not yet confirmed.
    if not person.optin:
        return forced or bool(fields.get("optin"))
    return _truth(fields["optin"]) if "optin" in fields else True


def _optout(person: Person, action: Action, fields: Mapping[str, str]) -> bool:
    if action is not Action.UNSUBSCRIBE and person.optout:
        return False
    return _truth(fields["optout"]) if fields.get("optout", "").strip() else person.optout


def _truth(word: str) -> bool:
    word = word.strip().lower()
    if word not in TRUE | FALSE:
        raise ServerFailure
    return word in TRUE
