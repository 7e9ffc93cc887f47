"""People and their newsletters: every write of the sandbox Basket."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import IntegrityError, connection, transaction

from mozillians_basket.sandbox import known, sources, store
from mozillians_basket.sandbox.countries import short_code
from mozillians_basket.sandbox.models import Newsletter, Person, Subscription
from mozillians_basket.sandbox.writing import writing


class Change(StrEnum):
    """The effect of a call on the newsletters that it names."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    SET = "set"


class UnacceptableError(Exception):
    """The store of contacts does not accept this change. Nothing of it is applied."""


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


BY_TOKEN = "SELECT * FROM basket_sandbox_person WHERE token = %s"  # noqa: S105
BY_EMAIL = "SELECT * FROM basket_sandbox_person WHERE email_key = %s"
LONGEST_ADDRESS = 254
TEXT_FIELDS = {"first_name": 255, "last_name": 255, "source_url": 1024, "reason": 1000}
TRUE = {"1", "on", "t", "true", "y", "yes"}
FALSE = {"0", "off", "f", "false", "n", "no"}


def find(*, email: str | None = None, token: uuid.UUID | None = None) -> Person | None:
    """
    Return the person with this address (in upper or lower case) or this token.

    Raises StoreTroubleError.
    """
    store.is_read()
    # A raw query: the ORM takes longer to build one than the database to answer it.
    if token:
        field = Person._meta.get_field("token")
        found = Person.objects.raw(BY_TOKEN, [field.get_db_prep_value(token, connection)])
    else:
        found = Person.objects.raw(BY_EMAIL, [(email or "").lower()])
    return next(iter(found), None)


def parse_slugs(newsletters: str | None) -> list[str]:
    """Return the newsletter names of a comma-delimited list."""
    return [name.strip() for name in (newsletters or "").split(",") if name.strip()]


def apply(
    change: Change,
    fields: Mapping[str, str],
    *,
    optin: bool = False,
    new_token: uuid.UUID | None = None,
) -> Outcome:
    """
    Carry out a call.

    ``fields`` holds ``email`` or ``token``, and all other fields of the call. ``optin`` says
    that the address counts as confirmed. A new person gets ``new_token``, if it is given. An
    unknown token or an empty list of newsletters to subscribe to changes nothing. Raises
    UnacceptableError and StoreTroubleError.
    """
    store.is_written()
    try:
        with writing():
            return _apply(change, fields, optin=optin, new_token=new_token)
    except IntegrityError:
        # Another call has just created the same person: now the row exists.
        with writing():
            return _apply(change, fields, optin=optin, new_token=new_token)


def update_details(token: uuid.UUID, fields: Mapping[str, str]) -> None:
    """
    Change what is stored about a person, but not their newsletters.

    Raises StoreTroubleError.
    """
    store.is_written()
    with transaction.atomic():
        person = Person.objects.select_for_update().filter(token=token).first()
        if person:
            _copy_details(person, fields)
            person.save()


def confirm(token: uuid.UUID) -> tuple[Person | None, list[Newsletter]]:
    """
    Confirm the address of the person with this token.

    Returns the person, or None if there is none or they were confirmed before, and the
    newsletters for the welcome message. Raises StoreTroubleError.
    """
    store.is_written()
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


def _apply(
    change: Change, fields: Mapping[str, str], *, optin: bool, new_token: uuid.UUID | None
) -> Outcome:
    slugs = parse_slugs(fields.get("newsletters"))
    people = Person.objects.select_for_update()
    if "token" in fields:
        person = people.filter(token=fields["token"]).first()
    else:
        person = people.filter(email_key=fields["email"].lower()).first()
    if change is Change.SUBSCRIBE and not slugs:
        return Outcome()
    created = person is None
    if person is None:
        if change is not Change.SUBSCRIBE:
            return Outcome()
        person = Person(email=fields["email"], token=new_token or uuid.uuid4())
    _copy_address(person, fields)
    _copy_details(person, fields)
    was_confirmed = person.optin
    person.optin = _optin(person, fields, forced=optin)
    person.optout = _optout(person, change, fields)
    current = set() if created else {n.slug for n in person.newsletters.all()}
    wanted = _wanted(change, slugs, current)
    added = [row for slug, row in known.newsletters.now().items() if slug in wanted - current]
    source = fields.get("source_url", "").strip()
    if added and source and not sources.is_url(source):
        raise UnacceptableError
    confirmed_by_newsletter = any(not newsletter.requires_double_optin for newsletter in added)
    forced = optin or bool(fields.get("optin"))
    if not (forced or was_confirmed) and confirmed_by_newsletter:
        person.optin = True
    person.mofo_relevant = person.mofo_relevant or any(newsletter.is_mofo for newsletter in added)
    person.save()
    if current - wanted:
        person.subscriptions.filter(newsletter__slug__in=current - wanted).delete()
    _add(person, added, welcome_due=not person.optin and fields.get("trigger_welcome") != "N")
    return Outcome(
        person,
        created,
        added,
        unconfirmed=_is_to_confirm(person, change, slugs, added, changed=wanted != current),
    )


def _is_to_confirm(
    person: Person,
    change: Change,
    slugs: Collection[str],
    added: Collection[Newsletter],
    *,
    changed: bool,
) -> bool:
    if person.optin or change is Change.UNSUBSCRIBE:
        return False
    if added:
        return True
    named = Newsletter.objects.filter(slug__in=slugs, requires_double_optin=True)
    return not changed and named.exists()


def _wanted(change: Change, slugs: Collection[str], current: set[str]) -> set[str]:
    if change is Change.SUBSCRIBE:
        return current | _without_groups(slugs)
    if change is Change.UNSUBSCRIBE:
        return current - set(slugs)
    newsletters = known.newsletters.now().values()
    private = {newsletter.slug for newsletter in newsletters if newsletter.private}
    inactive = {newsletter.slug for newsletter in newsletters if not newsletter.active}
    return (set(slugs) - private) | (current & inactive)


def _without_groups(slugs: Collection[str]) -> set[str]:
    expanded = set(slugs)
    for group, newsletters in known.groups.now().items():
        if group in slugs:
            expanded.remove(group)
            expanded.update(newsletters)
    return expanded


def _add(person: Person, newsletters: Collection[Newsletter], *, welcome_due: bool) -> None:
    Subscription.objects.bulk_create(
        [
            Subscription(
                person=person,
                newsletter=newsletter,
                source_url=person.source_url,
                welcome_due=welcome_due,
            )
            for newsletter in newsletters
        ]
    )


def _copy_address(person: Person, fields: Mapping[str, str]) -> None:
    email = fields.get("email", "").strip()
    if not email or email == person.email:
        return
    if len(email) > LONGEST_ADDRESS:
        raise UnacceptableError
    others = Person.objects.filter(email_key=email.lower())
    if others.exclude(pk=person.pk).exists():
        raise UnacceptableError
    person.email = email


def _copy_details(person: Person, fields: Mapping[str, Any]) -> None:
    if "format" in fields:
        person.format = "T" if fields["format"].upper().startswith("T") else "H"
    if fields.get("lang"):
        person.lang = fields["lang"]
    if country := short_code(fields.get("country", "")):
        person.country = country
    for name, length in TEXT_FIELDS.items():
        if name in fields:
            setattr(person, name, fields[name].strip()[:length])


def _optin(person: Person, fields: Mapping[str, str], *, forced: bool) -> bool:
    # Any word in the field, even "N", confirms somebody who is not yet confirmed.
    if not person.optin:
        return forced or bool(fields.get("optin"))
    return _truth(fields["optin"]) if "optin" in fields else True


def _optout(person: Person, change: Change, fields: Mapping[str, str]) -> bool:
    if change is not Change.UNSUBSCRIBE and person.optout:
        return False
    return _truth(fields["optout"]) if fields.get("optout", "").strip() else person.optout


def _truth(word: str) -> bool:
    word = word.strip().lower()
    if word not in TRUE | FALSE:
        raise UnacceptableError
    return word in TRUE
