"""One member or contact: what the admin's pages show of them, orders, and Basket's live answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Model, Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.explanations import (
    Circumstances,
    Stage,
    Subject,
    at_basket,
    circumstances,
    everybody,
    explain,
    explain_unknown,
    next_attempt,
    problem,
    reasons,
    stage,
    state_in_words,
    subscriptions_of,
    to_be_sent,
)
from mozillians_basket.admin.pages import visible_address
from mozillians_basket.admin.wording import (
    ORDER,
    SYNC,
    cause_in_words,
    listed,
    outcome_of,
    with_code,
)
from mozillians_basket.client import calls, transport
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.dispatch import LOOKUP, send
from mozillians_basket.exceptions import BasketError, BasketSwitchedOff
from mozillians_basket.ledger import decisions, history
from mozillians_basket.ledger.share import Context, empty_rows, read, write
from mozillians_basket.ledger.touches import drained_members, locked_touches
from mozillians_basket.models import Contact, Event, Member, Status, Subscription, alias
from mozillians_basket.rules.evaluate import Result, contact_key
from mozillians_basket.rules.rows import State, held
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

    subject: Subject
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


def summary_of_member(request: HttpRequest, member: Model) -> Summary:
    """Read everything about a member, who may not be in the ledger yet."""
    now = circumstances()
    standings = get_site().standings([member.pk])
    row = Member.objects.filter(site_member=member.pk).first()
    if row is None:
        standing = standings.get(member.pk)
        unknown = Subject(empty_rows(Status()), None, [Member()], {None: standing})
        summary = _summary(request, unknown, now)
        return replace(
            summary,
            sentences=[*everybody(now), *explain_unknown(standing)],
            entries=[
                replace(entry, state=_("nothing known"), may_unsubscribe=True)
                for entry in summary.entries
            ],
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
        subject=subject,
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
        opted_out = vetoes or (contact is not None and rows.mailbox_opted_out(contact, name))
        state = state_in_words(contact, row)
        if opted_out and row.state == State.UNKNOWN and stage(contact, row) == Stage.WITHOUT:
            state = str(Subscription.STATES[State.OPTED_OUT])  # of everything, or on the site
        entry = Entry(
            newsletter=name,
            state=state,
            reason=reasons(subject, name) if ours else said,
            to_be_sent=to_be_sent(rows, contact, name) if ours and contact is not None else "",
            held=has,
            opted_out=opted_out,
            may_subscribe=ours and not wanted,
            may_unsubscribe=ours and (has or any(decision.wanted for decision in decisions)),
            decided_at=max((d.decided_at for d in decisions if d.decided_at), default=None),
            confirmed_at=row.confirmed_at if has else None,
        )
        entries.append(entry)
    return entries


NO_MEMBER = gettext_lazy("Nothing was done: there is no such member any more.")
NO_ADDRESS = gettext_lazy("Nothing was done: they have no e-mail address.")
OPTED_OUT = gettext_lazy(
    "Nothing was done: they opted out themselves. Tick “although they opted out” if they "
    "asked to be subscribed again."
)

#: Seconds to wait for each answer; a worker waits for ``BASKET_TIMEOUT``, a person not so long.
TIMEOUT = 5.0


class NothingDone(Exception):
    """An order changes nothing; the text is the reason, for the admin."""


def carry_out(request: HttpRequest, member: Model) -> str:
    """
    Write what was posted into the ledger, and have the worker told.

    :return: a text for the admin.
    :raises NothingDone: when it is of no use.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    order, names = request.POST.get("order"), request.POST.getlist("newsletters")
    despite_opt_out = bool(request.POST.get("despite_opt_out"))
    named = {"newsletters": listed(sorted(names))}
    with transaction.atomic(using=alias()):
        if order == "sync":
            _sync(member, Context(cause=SYNC, actor_id=request.user.pk))
            told = _("Basket is being asked about them, and told what it lacks.")
        elif order in {"subscribe", "unsubscribe"}:
            results = decisions.order(
                [member.pk],
                names,
                subscribe=order == "subscribe",
                despite_opt_out=despite_opt_out,
                context=Context(cause=ORDER, actor_id=request.user.pk),
            )
            if member.pk not in results:
                raise NothingDone(NO_MEMBER)
            if not decisions.keys_with_address(results):
                raise NothingDone(NO_ADDRESS)
            if all(result == Result.REFUSED for result in results[member.pk].values()):
                raise NothingDone(OPTED_OUT)
            if order == "unsubscribe":
                told = _("They are being unsubscribed from %(newsletters)s.") % named
            elif despite_opt_out:
                told = _("They are being subscribed to %(newsletters)s, although they opted out.")
                told %= named
            else:
                told = _("They are being subscribed to %(newsletters)s.") % named
        else:
            raise NothingDone(_("Nothing was done: nothing that can be ordered was named."))
        transaction.on_commit(partial(send, LOOKUP), using=alias())
    return told


def _sync(member: Model, context: Context) -> None:
    """Evaluate a member and have them looked up."""
    drained = drained_members(locked_touches([member.pk]), [member.pk], context=context)
    write(drained.before, drained.after, context)
    known = drained.after.members.get(drained.ids.get(member.pk, 0))
    if known is None:
        raise NothingDone(NO_MEMBER)
    if known.contact_id is None:
        raise NothingDone(NO_ADDRESS)
    decisions.retry(Contact.objects.filter(pk=known.contact_id), context)
    history.event(context, Event.Kind.RETRIED, known.contact_id, member.pk).save()


def ask(request: HttpRequest, summary: Summary) -> tuple[str, list[dict[str, Any]]]:
    """
    Look every address of a member up in Basket; takes some seconds when Basket is slow.

    Neither ledger nor breaker hear of it: a Basket that is only slow would look broken.

    :return: why nobody was asked, empty when Basket was; and the answers, beside the ledger
        and without tokens.
    """
    if not switch_is_on():
        return _("The switch BASKET_SWITCH_ENABLED is off: Basket was not asked."), []
    if Status.read().is_open:
        return _("The breaker is open: Basket was not asked, as it fails everybody."), []
    subject, newsletters = summary.subject, sorted(get_site().newsletters)
    places = {place.key: place for place in subject.places}
    standings = [subject.standing(member) for member in subject.members]
    emails = [standing.email for standing in standings if standing is not None]
    addresses: dict[str, str] = {}
    for email in filter(None, [*emails, *(place.email for place in subject.places)]):
        addresses.setdefault(contact_key(email) or email, email)
    answers: list[dict[str, Any]] = []
    for email in addresses.values():
        answer: dict[str, Any] = {"address": visible_address(request, email)}
        answers.append(answer)
        try:
            with transport.within(TIMEOUT):
                person = calls.look_up(email)
        except BasketSwitchedOff:
            answer["trouble"] = _("The switch has just been turned off: Basket was not asked.")
        except BasketError as error:
            answer["trouble"] = with_code(error.label, getattr(error, "code", None))
        if "trouble" in answer:
            break  # nobody should wait for the same failure twice
        names = person.newsletters if person is not None else frozenset()
        place = places.get(contact_key(email))
        rows: list[tuple[str, str, bool, bool]] = []
        for name in newsletters:
            state, agrees = _("nothing known"), name not in names
            if place is not None:
                row = subject.rows.subscription(place, name)
                state = state_in_words(place, row)
                agrees = at_basket(place, row) in {None, name in names}
            rows.append((name, state, name in names, agrees))
        answer |= {
            "person": person,
            "others": len(names.difference(newsletters)),
            "rows": rows,
            "differs": not all(agrees for _name, _state, _has, agrees in rows),
        }
    return "", answers
