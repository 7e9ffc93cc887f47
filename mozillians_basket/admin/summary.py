"""The data that the admin's pages show of one member or contact, read in a few queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Model, Q
from django.http import HttpRequest
from django.utils.translation import gettext as _

from mozillians_basket.admin.explanations import (
    Circumstances,
    Subject,
    at_basket,
    circumstances,
    everybody,
    explain,
    explain_unknown,
    next_attempt,
    problem,
    reasons,
    state_in_words,
    subscriptions_of,
    to_be_sent,
)
from mozillians_basket.admin.pages import visible_address
from mozillians_basket.admin.wording import cause_in_words, outcome_of
from mozillians_basket.ledger.share import empty_rows, read
from mozillians_basket.models import Contact, Event, Member, Status, Subscription
from mozillians_basket.rules.rows import held
from mozillians_basket.site import get_site

#: The number of events that are shown; the history has all.
EVENTS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One newsletter of somebody's."""

    newsletter: str
    state: str
    reason: str
    to_be_sent: str
    held: bool
    opted_out: bool
    may_subscribe: bool
    """Whether ordering it would change anything."""

    may_unsubscribe: bool
    decided_at: datetime | None = None
    """The moment of the newest decision of the members at the address."""

    confirmed_at: datetime | None = None
    """Since when Basket has it; ``None`` if it does not, as far as the ledger knows."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One member or contact, as an admin may see them."""

    contact: Contact | None
    sentences: Sequence[str]
    entries: Sequence[Entry]
    events: Sequence[tuple[Event, str, str]]
    """The newest first, each with its outcome and its cause in plain words."""

    problem: str = ""
    next_attempt: str = ""
    """Empty where none is due."""

    address: str = ""
    addresses_before: Sequence[str] = ()
    """Former addresses that are not cleared yet, as this admin may see them."""

    emails_before: Sequence[str] = ()
    """The same addresses unmasked, to look them up in Basket."""

    ledger: Mapping[str, Sequence[tuple[str, str, bool | None]]] = field(default_factory=dict)
    """By the key of each address: the site's newsletters, each with its state there, and whether
    Basket has it by the ledger (``None`` while a call about it is open)."""


def summary_of_member(request: HttpRequest, member: Model) -> Summary:
    """Read everything about a member, who may not be in the ledger yet."""
    now = circumstances()
    standings = get_site().standings([member.pk])
    row = Member.objects.filter(site_member=member.pk).first()
    if row is None:
        standing = standings.get(member.pk)
        unknown = Subject(empty_rows(Status()), None, [Member()], {None: standing})
        return Summary(
            contact=None,
            sentences=[*explain_unknown(standing), *everybody(now)],
            entries=[
                replace(entry, state=_("nothing known"), may_unsubscribe=True)
                for entry in _entries(unknown)
            ],
            events=[],
            address=visible_address(request, standing.email if standing else ""),
        )
    rows = read((), [row], status=now.status, lock=False)
    contact = None if row.contact_id is None else rows.contacts[row.contact_id]
    subject = Subject(rows, contact, [rows.members[row.pk]], standings)
    return _summary(request, subject, now)


def summary_of_contact(request: HttpRequest, contact: Contact) -> Summary:
    """Read everything about a contact, which may have no member, or several."""
    now = circumstances()
    rows = read([contact.pk], status=now.status, lock=False)
    members = list(rows.at(contact))
    keys = [member.site_member_id for member in members if member.site_member_id is not None]
    standings = get_site().standings(keys) if keys else {}
    return _summary(request, Subject(rows, rows.contacts[contact.pk], members, standings), now)


def _summary(request: HttpRequest, subject: Subject, now: Circumstances) -> Summary:
    rows, contact, wrong, attempt = subject.rows, subject.contact, "", ""
    email = contact.email if contact is not None else ""
    for member in subject.members:
        standing = subject.standing(member)
        email = standing.email if standing is not None else email
    before = [place.email for place in subject.places if place is not contact]
    keys = [m.site_member_id for m in subject.members if m.site_member_id is not None]
    about = Q(member__in=keys)
    if contact is not None:
        if contact.email.lower() != email.lower():
            before.insert(0, contact.email)
        subscriptions = subscriptions_of(rows, contact)
        wrong = problem(contact, subscriptions)
        if contact.touched_at is not None or wrong:
            attempt = next_attempt(contact, now, subscriptions)
        about |= Q(contact=contact)
    events = Event.objects.filter(about).select_related("actor").order_by("-created_at", "-pk")
    return Summary(
        contact=contact,
        sentences=explain(subject, now),
        entries=_entries(subject),
        events=[
            (event, outcome_of(event), cause_in_words(event.cause)) for event in events[:EVENTS]
        ],
        problem=wrong,
        next_attempt=attempt,
        address=visible_address(request, email),
        addresses_before=[visible_address(request, each) for each in before],
        emails_before=before,
        ledger={
            place.key: [
                (name, state_in_words(place, row), at_basket(place, row))
                for name in sorted(get_site().newsletters)
                for row in [rows.subscription(place, name)]
            ]
            for place in subject.places
        },
    )


def _entries(subject: Subject) -> list[Entry]:
    """The site's newsletters, and former ones that still have a row."""
    rows, contact, newsletters = subject.rows, subject.contact, get_site().newsletters
    known: set[str] = set()
    if contact is not None:
        known = {name for contact_id, name in rows.subscriptions if contact_id == contact.pk}
    entries = []
    for name in sorted(newsletters | known):
        ours = name in newsletters
        row = Subscription() if contact is None else rows.subscription(contact, name)
        has = held(row)
        said = _("It is none of this site's newsletters any more, and is left as it is.")
        decisions = [rows.decision(member, name) for member in subject.members]
        wanted = contact is not None and rows.wanted(contact, name)
        vetoes = any(rows.veto(member, name) for member in subject.members)
        entry = Entry(
            newsletter=name,
            state=state_in_words(contact, row),
            reason=reasons(subject, name) if ours else said,
            to_be_sent=to_be_sent(rows, contact, name) if ours and contact is not None else "",
            held=has,
            opted_out=vetoes or (contact is not None and rows.mailbox_opted_out(contact, name)),
            may_subscribe=ours and not wanted,
            may_unsubscribe=ours and (has or any(decision.wanted for decision in decisions)),
            decided_at=max((d.decided_at for d in decisions if d.decided_at), default=None),
            confirmed_at=row.confirmed_at if has else None,
        )
        entries.append(entry)
    return entries
