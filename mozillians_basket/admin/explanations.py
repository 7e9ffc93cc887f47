"""Sentences for an admin that explain why a member gets a newsletter or not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mozillians_basket.admin.wording import in_plain_words, is_refusal, listed, with_code
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.models import Contact, Status, Subscription
from mozillians_basket.rules.brake import gives
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.rules.plan import removal_refused, stays
from mozillians_basket.rules.rows import DecidedBy, Rows, State, held, missing
from mozillians_basket.rules.sample import about
from mozillians_basket.site import Standing, get_site


def when(moment: datetime) -> str:
    """A moment in the site's time zone and the admin's language."""
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT")


class Stage(Enum):
    """The stage of a newsletter at an address: all sentences and columns go by it."""

    GETS = auto()
    UNCONFIRMED = auto()
    """Basket has it, and waits for the person's confirmation."""

    LEAVING = auto()
    """An unsubscribe was sent, and no lookup has shown yet that it was carried out."""

    KEPT = auto()
    """Basket has it, and has refused to remove it."""

    MISSED = auto()
    """A lookup missed it, and it is not decided whether that is an opt-out or a loss."""

    ASKED_FOR = auto()
    """A subscribe was sent, and has no answer."""

    WITHOUT = auto()
    """They do not get it: the row's state says why."""


def stage(contact: Contact | None, row: Subscription) -> Stage:
    """The stage of a subscription."""
    if held(row) and row.state != State.OPTED_OUT:
        if missing(row):
            return Stage.MISSED
        if row.removal_pending:
            return Stage.LEAVING
        if removal_refused(row):
            return Stage.KEPT
        return Stage.GETS if contact is None or contact.optin else Stage.UNCONFIRMED
    if row.requested_at and row.state not in {State.OPTED_OUT, State.REFUSED, State.LOST}:
        return Stage.ASKED_FOR
    return Stage.WITHOUT


#: The stages in a word or two; of all others, the state is shown.
STAGES: dict[Stage, Any] = {
    Stage.UNCONFIRMED: gettext_lazy("awaiting confirmation"),
    Stage.LEAVING: gettext_lazy("unsubscribe sent"),
    Stage.KEPT: gettext_lazy("subscribed, as Basket refuses to remove it"),
    Stage.MISSED: gettext_lazy("missing at Basket"),
    Stage.ASKED_FOR: gettext_lazy("subscribe sent"),
}


def at_basket(contact: Contact | None, row: Subscription) -> bool | None:
    """Whether Basket has it by the ledger; ``None`` while a call about it is open."""
    now = stage(contact, row)
    if row.removal_pending or now == Stage.ASKED_FOR:
        return None
    return held(row) and now != Stage.MISSED


def state_in_words(contact: Contact | None, row: Subscription) -> str:
    """The state of a subscription, as the table and Basket's answer show it."""
    return str(STAGES.get(stage(contact, row)) or row.get_state_display())


def to_be_sent(rows: Rows, contact: Contact, newsletter: str) -> str:
    """The call about this newsletter that is not sent yet; empty if there is none."""
    row = rows.subscription(contact, newsletter)
    now, blocked = stage(contact, row), row.state in {State.REFUSED, State.LOST} or row.missing_at
    if rows.wanted(contact, newsletter):
        if held(row) or blocked or now == Stage.ASKED_FOR:
            return ""
        return _("subscribe to %(newsletter)s") % {"newsletter": newsletter}
    if not held(row) or row.removal_pending or now in {Stage.KEPT, Stage.MISSED}:
        return ""
    if stays(rows, contact, newsletter):
        return ""
    return _("unsubscribe from %(newsletter)s") % {"newsletter": newsletter}


def reason(
    rows: Rows, member: Any, contact: Contact | None, newsletter: str, *, entitled: bool | None
) -> str:
    """
    The author of the decision about a newsletter, and its time.

    :param member: the ledger's row; ``None`` when nobody is at the contact.
    :param entitled: the policy's outcome now; ``None`` when the newsletter has no policy.
    """
    row = Subscription() if contact is None else rows.subscription(contact, newsletter)
    said = []
    if opted_out := _opted_out(rows, member, contact, newsletter):
        said.append(opted_out)
    elif member is not None:
        said.append(_decision(rows, member, newsletter, entitled=entitled))
        held_back_at = rows.decision(member, newsletter).held_back_at
        if held_back_at is not None:
            text = _("A brake holds its removal back since %(moment)s, until an admin approves it.")
            said.append(text % {"moment": when(held_back_at)})
    # In English a time ends in a full stop itself: "since 3 p.m.".
    return " ".join([*said, *_at_basket(rows, contact, row)]).replace("..", ".")


def _decision(rows: Rows, member: Any, newsletter: str, *, entitled: bool | None) -> str:
    decision = rows.decision(member, newsletter)
    members = _("the members of its policy")
    for policy in get_site().policies:
        if policy.newsletter == newsletter and policy.label:
            members = str(policy.label)
    by, wanted = decision.decided_by, decision.wanted
    not_among = _("It is for %(members)s, and they are not among them.")
    if not by and entitled is None:
        return _("It has no policy, and no admin has subscribed them.")
    if not by and entitled:
        text = _("Reason: %(members)s. The worker has not looked at them yet.")
    elif not by:
        text = not_among
    elif by == DecidedBy.POLICY and wanted:
        text = _("Reason: %(members)s, since %(moment)s.")
    elif by == DecidedBy.POLICY:
        text = _("It is for %(members)s; since %(moment)s they are not among them.")
    elif by == DecidedBy.ADMIN and wanted:
        text = _("On %(moment)s an admin subscribed them.")
    elif by == DecidedBy.ADMIN:
        text = _("On %(moment)s an admin unsubscribed them.")
    elif wanted:
        text = _("On %(moment)s they subscribed by their own choice.")
    else:
        text = _("On %(moment)s they unsubscribed by their own choice.")
    if by in {DecidedBy.ADMIN, DecidedBy.MEMBER}:
        if wanted and entitled is False:
            text = f"{text} {not_among}"
        elif not wanted and entitled:
            among = _("It is for %(members)s, and they are among them.")
            text = f"{text} {among}"
    moment = when(decision.decided_at) if decision.decided_at else ""
    return text % {"members": members, "moment": moment}


def _opted_out(rows: Rows, member: Any, contact: Contact | None, newsletter: str) -> str:
    """The effect of an opt-out of the member or of the mailbox; empty where there is none."""
    at = None if member is None else rows.veto(member, newsletter)
    at_mailbox = contact is not None and rows.mailbox_opted_out(contact, newsletter)
    if not at and not at_mailbox:
        return ""
    if member is not None and rows.decision(member, newsletter).despite_opt_out:
        return _("They turned it off themselves. An admin has ordered it for them all the same.")
    if contact is not None and contact.renamed_at is not None:
        text = _(
            "They took another address at Basket, as was seen on %(moment)s: nothing is subscribed "
            "at this one."
        )
        return text % {"moment": when(contact.renamed_at)}
    if not at and contact is not None:
        at = rows.subscription(contact, newsletter).opted_out_at
    if at is None:
        return _("They turned it off themselves: no policy subscribes them again.")
    text = _(
        "They turned it off themselves, as was seen on %(moment)s: no policy subscribes them again."
    )
    return text % {"moment": when(at)}


def _at_basket(rows: Rows, contact: Contact | None, row: Subscription) -> Iterator[str]:
    """Basket's state of the newsletter, where it differs from the decision."""
    now = stage(contact, row)
    if row.state == State.REFUSED or now == Stage.KEPT:
        yield with_code(row.error_code)
    elif row.state == State.LOST:
        yield in_plain_words(State.LOST)
    elif now == Stage.MISSED and row.missing_at is not None:
        text = _("Basket did not have it any more on %(moment)s, which is being looked into.")
        yield text % {"moment": when(row.missing_at)}
    elif row.removal_pending and contact is not None and rows.wanted(contact, row.newsletter):
        yield _(
            "An earlier removal was sent: once it is seen to be done, they are subscribed again."
        )
    elif row.removal_pending:
        yield _("The removal was sent, and is not yet seen to be done.")
    elif now == Stage.ASKED_FOR and row.requested_at is not None:
        text = _("On %(moment)s Basket was asked to subscribe them, and has not answered yet.")
        yield text % {"moment": when(row.requested_at)}
    question = rows.question(row.newsletter)
    if question is not None and row in about(rows, question):
        yield _("So many are missing that admins were asked: it waits for their answer.")
    if now == Stage.UNCONFIRMED:
        yield _("Basket wrote to them and waits for their confirmation.")
    has = now in {Stage.GETS, Stage.UNCONFIRMED}
    if has and contact and not (contact.clear or rows.decided(contact, row.newsletter)):
        yield _("Basket has it without a decision of this site, which leaves it there.")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Circumstances of all contacts: switch, breaker and paused newsletters."""

    now: datetime
    status: Status
    switch_is_on: bool = True


def circumstances() -> Circumstances:
    """Circumstances as they are now."""
    return Circumstances(timezone.now(), Status.read(), switch_is_on())


@dataclass(frozen=True, slots=True)
class Subject:
    """The member or contact that a page is about, with all rows that bear on them."""

    rows: Rows
    contact: Contact | None = None
    """A member's contact, or the one that the page is about."""

    members: Sequence[Any] = ()
    """The member, or all members at the contact; none where nobody is left."""

    standings: Mapping[Any, Standing | None] = field(default_factory=dict)
    """The standings of these members now, by the site's key."""

    @property
    def places(self) -> list[Contact]:
        """Their contact, and those that members are still moving away from."""
        moves = [move for member in self.members for move in self.rows.moves_of(member)]
        found = [self.contact] if self.contact is not None else []
        return [*found, *(self.rows.contacts[move.source_id] for move in moves)]

    def names_at(self, *stages: Stage) -> list[str]:
        """The site's newsletters that are at one of these stages, at one of their addresses."""
        return [
            name
            for name in sorted(self.rows.settings.newsletters)
            if any(stage(at, self.rows.subscription(at, name)) in stages for at in self.places)
        ]

    def standing(self, member: Any) -> Standing | None:
        """The standing of a member; ``None`` for one who is not on the site."""
        return self.standings.get(member.site_member_id)


def next_attempt(
    contact: Contact, circumstances: Circumstances, subscriptions: Iterable[Subscription] = ()
) -> str:
    """The time of the contact's next attempt, or else the reason for which it waits."""
    if contact.leased_until is not None and contact.leased_until > circumstances.now:
        return _("being worked on now")
    if is_refusal(contact.problem) and (contact.parked or contact.touched_at is None):
        return _("none: it waits for another address, or for an admin")
    if contact.parked:
        return _("none: it failed too often, and waits for an admin or a new change")
    if contact.touched_at is None:
        waits = problem(contact, subscriptions)
        return _("none: it waits for an admin") if waits else _("none needed")
    if not circumstances.switch_is_on:
        return _("waits until the switch is turned on")
    if circumstances.status.opened_at is not None:
        return _("waits until Basket answers again: the breaker is open")
    if contact.not_before is not None and contact.not_before > circumstances.now:
        return _("at %(moment)s") % {"moment": when(contact.not_before)}
    return _("as soon as a worker is free")


def problem(contact: Contact, subscriptions: Iterable[Subscription] = ()) -> str:
    """The problem of a contact, with its code; empty when there is none."""
    label = contact.problem
    for row in subscriptions:
        if row.state == State.REFUSED:
            label = label or row.error_code
        elif row.state == State.LOST:
            label = label or State.LOST.value
    return with_code(label) if label else ""


def subscriptions_of(rows: Rows, contact: Contact) -> list[Subscription]:
    """The subscriptions of a contact to this site's newsletters."""
    return [rows.subscription(contact, name) for name in sorted(rows.settings.newsletters)]


def explain(subject: Subject, circumstances: Circumstances) -> list[str]:
    """Explain the state of a member or contact; causes that hold everybody up come first."""
    return [
        *_what_they_get(subject),
        *everybody(circumstances),
        *_failure(subject),
        *_address(subject),
        *_news(subject),
        *_waiting(subject, circumstances),
        *_what_they_lack(subject),
        *_shared(subject),
    ]


def explain_unknown(standing: Standing | None) -> Iterator[str]:
    """Explain the state of a member without a row in the ledger."""
    yield _(
        "The ledger knows nothing of this member yet: they are older than this app here, or "
        "were made a moment ago. The hourly comparison gives them a row; “Sync now” does it "
        "at once."
    )
    if standing is not None and not standing.email:
        yield _("They have no e-mail address, so Basket cannot be told of them.")
    if standing is not None and standing.entitled:
        text = _("By the policies they should get %(newsletters)s.")
        yield text % {"newsletters": listed(sorted(standing.entitled))}


def _what_they_get(subject: Subject) -> Iterator[str]:
    if not subject.members:
        yield _(
            "This member was deleted, or changed their address: what Basket has of this site's "
            "newsletters for the old address is removed, and then the address is erased here."
        )
        return
    gets = subject.names_at(Stage.GETS, Stage.KEPT)
    awaited = [name for name in subject.names_at(Stage.UNCONFIRMED) if name not in gets]
    if gets:
        yield _("They get %(newsletters)s.") % {"newsletters": listed(gets)}
    if awaited:
        text = _("Basket has %(newsletters)s for them, and waits for their confirmation.")
        yield text % {"newsletters": listed(awaited)}
    open_calls = subject.names_at(Stage.LEAVING, Stage.MISSED, Stage.ASKED_FOR)
    if not (gets or awaited or open_calls):
        yield _("They get none of this site's newsletters.")


def _address(subject: Subject) -> Iterator[str]:
    contact = subject.contact
    if subject.members and contact is None:
        emails = [standing.email for m in subject.members if (standing := subject.standing(m))]
        if any(emails):
            yield _("Basket cannot take their e-mail address: it has no @, or is too long.")
        else:
            yield _("They have no e-mail address, so Basket cannot be told of them.")
    if not any(place is not contact for place in subject.places):
        return
    if contact is not None and (
        (contact.parked and is_refusal(contact.problem))
        or any(row.state == State.REFUSED for row in subscriptions_of(subject.rows, contact))
    ):
        yield _(
            "Basket does not accept their new address. It keeps the one before, until the "
            "address changes again or an admin asks to try again."
        )
    elif not _not_sent(subject) and not subject.names_at(Stage.ASKED_FOR):
        yield _("Their address has changed. Nothing is left to be sent: Basket is asked again.")
    elif contact is None:
        yield _("Basket has yet to remove what their old address has.")
    else:
        yield _("Their address has changed, and Basket is still to be told.")


def _failure(subject: Subject) -> Iterator[str]:
    contact = subject.contact
    if contact is None:
        return
    text = problem(contact, subscriptions_of(subject.rows, contact))
    if text and contact.failing_since is not None:
        since = when(contact.failing_since)
        said = _("Since %(moment)s something is wrong: %(problem)s")
        yield said % {"moment": since, "problem": text}
    elif text:
        yield _("Something is wrong: %(problem)s") % {"problem": text}
    if contact.parked and contact.attempts:
        text = ngettext(
            "It was parked after %(count)d failed attempt: nothing more is tried until an "
            "admin presses “Try again” or “Sync now”, or something about the member changes.",
            "It was parked after %(count)d failed attempts: nothing more is tried until an "
            "admin presses “Try again” or “Sync now”, or something about the member changes.",
            contact.attempts,
        )
        yield text % {"count": contact.attempts}
    elif contact.parked:
        yield _(
            "It is parked: nothing more is tried until an admin presses “Try again” or “Sync "
            "now”, or the address changes."
        )
    if contact.dismissed_at is not None:
        text = _("On %(moment)s an admin dismissed this problem.")
        yield text % {"moment": when(contact.dismissed_at)}


def _news(subject: Subject) -> Iterator[str]:
    """Explain the first difference between the site and the ledger."""
    known = "" if subject.contact is None else subject.contact.key
    for member in subject.members:
        standing = subject.standing(member)
        if standing is None:
            continue
        noted = {name for name in policies() if gives(subject.rows.decision(member, name))}
        if noted == standing.entitled and contact_key(standing.email) == known:
            continue
        if member.held_back_at is not None:
            text = _(
                "A change of %(moment)s would take newsletters away, and is held back by a "
                "brake until an admin approves it."
            )
            yield text % {"moment": when(member.held_back_at)}
        else:
            yield _(
                "Something about them changed a moment ago, or without this app being told; the "
                "worker has not looked at it yet. “Sync now” does so at once."
            )
        return


def policies() -> set[str]:
    """The newsletters that have a policy."""
    return {policy.newsletter for policy in get_site().policies}


def reasons(subject: Subject, newsletter: str) -> str:
    """The reason for the state of a newsletter, for each member where there are several."""
    rows, contact, several = subject.rows, subject.contact, len(subject.members) > 1
    if not subject.members:
        return reason(rows, None, contact, newsletter, entitled=None)
    said = []
    for member in subject.members:
        standing, entitled = subject.standing(member), None
        if newsletter in policies():
            entitled = standing is not None and newsletter in standing.entitled
        text = reason(rows, member, contact, newsletter, entitled=entitled)
        if several:
            text = _("Member %(key)s: %(reason)s") % {"key": member.key or "-", "reason": text}
        said.append(text)
    return " ".join(said)


def _what_they_lack(subject: Subject) -> Iterator[str]:
    """Each of the site's newsletters that they do not get, with the reason."""
    if not subject.members:
        return
    has = subject.names_at(Stage.GETS, Stage.UNCONFIRMED, Stage.KEPT)
    contact = subject.contact
    for name in sorted(subject.rows.settings.newsletters - set(has)):
        said = {"newsletter": name, "reason": reasons(subject, name)}
        if contact is not None and subject.rows.wanted(contact, name):
            yield _("%(newsletter)s, which they should get: %(reason)s") % said
        else:
            yield _("%(newsletter)s: %(reason)s") % said


def _not_sent(subject: Subject) -> list[str]:
    """The calls that are not sent yet, at all of their addresses."""
    return [
        text
        for place in subject.places
        for name in sorted(subject.rows.settings.newsletters)
        if (text := to_be_sent(subject.rows, place, name))
    ]


def _waiting(subject: Subject, circumstances: Circumstances) -> Iterator[str]:
    changes = _not_sent(subject)
    due = [place for place in subject.places if place.touched_at is not None]
    if not changes and not due:
        return
    if changes:
        said = _("Not sent yet: %(changes)s.") % {"changes": listed(changes)}
    else:
        said = _("Basket is still to be asked about them.")
    place = due[0] if due else subject.places[0]
    attempt = _("Next attempt: %(attempt)s") % {"attempt": next_attempt(place, circumstances)}
    yield f"{said} {attempt}"


def everybody(circumstances: Circumstances) -> Iterator[str]:
    """The reasons for which all contacts wait."""
    if not circumstances.switch_is_on:
        yield _(
            "The switch BASKET_SWITCH_ENABLED is off: nothing is sent for anybody. "
            "Changes are kept, and sent when it is turned on."
        )
    status = circumstances.status
    if status.opened_at is not None:
        text = _(
            "The breaker has been open since %(moment)s (%(reason)s): nothing is sent for "
            "anybody, but one probe at a time."
        )
        yield text % {"moment": when(status.opened_at), "reason": status.get_reason_display()}
    if status.unknown:
        text = _("Basket does not know %(newsletters)s: nothing is sent about that until it does.")
        yield text % {"newsletters": listed(sorted(status.unknown))}


def _shared(subject: Subject) -> Iterator[str]:
    there = [] if subject.contact is None else subject.rows.at(subject.contact)
    others = len([member for member in there if member.key]) - 1
    if others > 0:
        text = ngettext(
            "%(count)d other member has the same address. To Basket they are one person: what one "
            "of them gets, both get, and nothing that one of them wants is taken away.",
            "%(count)d other members have the same address. To Basket they are one person: what "
            "one of them gets, all get, and nothing that one of them wants is taken away.",
            others,
        )
        yield text % {"count": others}
