"""All that the admin's pages show of one member or contact, read in a few queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from mozillians_basket.admin.addresses import at_addresses, shown
from mozillians_basket.admin.causes import in_words
from mozillians_basket.admin.explanations import (
    Circumstances,
    explain,
    is_due,
    next_attempt,
    policy_of,
    problem,
)
from mozillians_basket.admin.outcomes import outcome_of
from mozillians_basket.admin.pages import standing_of_basket
from mozillians_basket.admin.reasons import reason, to_be_sent
from mozillians_basket.models import Contact, Event, Subscription
from mozillians_basket.site import Standing, get_site
from mozillians_basket.states import HELD, State

#: How many events are shown; the history has all.
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
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dossier:
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
    address_at_basket: str = ""
    """Only where it is another one."""


def circumstances() -> Circumstances:
    """Switch and breaker as they are now."""
    standing = standing_of_basket()
    return Circumstances(
        now=timezone.now(),
        pulse=standing["basket_pulse"],
        switch_is_on=standing["basket_switch_is_on"],
    )


def dossier_of_member(request: HttpRequest, member: Model) -> Dossier:
    """Everything about a member, of whom the ledger may know nothing yet."""
    contact = Contact.objects.filter(member=member.pk).first()
    return _dossier(request, contact, get_site().standings([member.pk]).get(member.pk))


def dossier_of_contact(request: HttpRequest, contact: Contact) -> Dossier:
    """Everything about a contact, which may be no member's."""
    standing = None
    if contact.member_id is not None:
        standing = get_site().standings([contact.member_id]).get(contact.member_id)
    return _dossier(request, contact, standing)


def _dossier(request: HttpRequest, contact: Contact | None, standing: Standing | None) -> Dossier:
    now = circumstances()
    email = standing.email if standing is not None else ""
    if contact is None:
        said = explain(None, [], standing, now)
        entries = _entries([], standing)
        return Dossier(None, said, entries, [], address=shown(request, email))
    lines = list(contact.subscriptions.all())
    email = email or contact.wanted_email
    at_basket = contact.email if contact.email.lower() != email.lower() else ""
    others = at_addresses(Contact.objects.exclude(pk=contact.pk), [contact.email, email])
    sharing = others.filter(member__isnull=False, departed_at__isnull=True).count()
    return Dossier(
        contact=contact,
        sentences=explain(contact, lines, standing, now, others=sharing),
        entries=_entries(lines, standing),
        events=_events(contact),
        problem=problem(contact),
        next_attempt=next_attempt(contact, now) if is_due(contact) or contact.error else "",
        address=shown(request, email),
        address_at_basket=shown(request, at_basket),
    )


def _entries(lines: Sequence[Subscription], standing: Standing | None) -> list[Entry]:
    known = {line.newsletter: line for line in lines}
    ours = get_site().newsletters
    return [
        _entry(name, known.get(name), policy_of(name, standing), ours=name in ours)
        for name in sorted(ours | known.keys())
    ]


def _entry(name: str, line: Subscription | None, policy: Any, *, ours: bool) -> Entry:
    if not ours:
        said = _("It is none of this site's newsletters any more, and is left as it is.")
    else:
        said = reason(line, entitled=policy)
    if line is None:
        return Entry(
            name, _("nothing known"), said, "", held=False, opted_out=False,
            may_subscribe=ours, may_unsubscribe=ours,
        )  # fmt: skip
    held = line.state in HELD
    return Entry(
        newsletter=name,
        state=line.get_state_display(),
        reason=said,
        to_be_sent=to_be_sent(line) if ours else "",
        held=held,
        opted_out=line.state == State.OPTED_OUT,
        may_subscribe=ours and not line.wanted,
        may_unsubscribe=ours and (line.wanted or held),
        decided_at=line.decided_at,
        confirmed_at=line.confirmed_at if held else None,
    )


def _events(contact: Contact) -> list[tuple[Event, str, str]]:
    newest = contact.events.select_related("actor").order_by("-created_at", "-pk")[:EVENTS]
    return [(event, outcome_of(event), in_words(event.cause)) for event in newest]
