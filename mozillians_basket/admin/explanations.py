"""Why somebody gets what they get, or nothing: sentences for an admin, from rows as they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mozillians_basket.admin.plain_words import code_of, in_plain_words
from mozillians_basket.admin.reasons import reason, to_be_sent, when
from mozillians_basket.ledger.accounts import account_of
from mozillians_basket.models import Contact, Pulse, Subscription
from mozillians_basket.plan import Account, differs
from mozillians_basket.site import Standing, get_site
from mozillians_basket.states import HELD


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for everybody at the moment."""

    now: datetime
    pulse: Pulse
    switch_is_on: bool = True


def listed(names: Iterable[str]) -> str:
    """Names as one text: "a, b and c"."""
    return get_text_list(sorted(names), _("and"))


def is_due(contact: Contact) -> bool:
    """Whether Basket is still to hear of a contact, now or later."""
    return contact.settled_at is None or contact.touched_at > contact.settled_at


def next_attempt(contact: Contact, circumstances: Circumstances) -> str:
    """When the contact is worked on next, and if not, what it waits for."""
    if contact.leased_until is not None and contact.leased_until > circumstances.now:
        return _("being worked on now")
    if contact.parked_at is not None:
        return _("none: it failed too often, and waits for an admin or a new change")
    if not is_due(contact):
        if contact.error:
            return _("none: it waits for another address, or for an admin")
        return _("none needed")
    if not circumstances.switch_is_on:
        return _("waits until the switch is turned on")
    if circumstances.pulse.opened_at is not None:
        return _("waits until Basket answers again: the breaker is open")
    if contact.not_before is not None and contact.not_before > circumstances.now:
        return _("at %(moment)s") % {"moment": when(contact.not_before)}
    return _("as soon as a worker is free")


def problem(contact: Contact) -> str:
    """What is wrong with a contact, with the code beside it; empty when nothing is."""
    if not contact.error:
        return ""
    label, code = contact.error, contact.error_code
    return f"{in_plain_words(label, code)} ({code_of(label, code)})"


def explain(
    contact: Contact | None,
    lines: Sequence[Subscription],
    standing: Standing | None,
    circumstances: Circumstances,
    *,
    others: int = 0,
) -> list[str]:
    """
    How things stand with somebody, the answer to "why do they get nothing?" included.

    :param standing: what the site says about them now; ``None`` for who is no member.
    :param others: how many other members have the same address.
    """
    if contact is None:
        return [*_without_a_row(standing), *_everybody(circumstances)]
    account = account_of(contact, lines)
    return [
        *_what_they_get(contact, lines),
        *_address(contact, account),
        *_failure(contact),
        *_news(contact, lines, standing),
        *_missing(contact, lines, standing),
        *_waiting(contact, lines, account, circumstances),
        *_everybody(circumstances),
        *_shared(others),
    ]


def _without_a_row(standing: Standing | None) -> list[str]:
    said = [
        _(
            "The ledger knows nothing of this member yet: they are older than this app here, or "
            "were made a moment ago. The hourly comparison gives them a row; “Sync now” does it "
            "at once."
        )
    ]
    if standing is not None and not standing.email:
        said.append(_("They have no e-mail address, so Basket cannot be told of them."))
    if standing is not None and standing.entitled:
        said.append(
            _("The policies entitle them to %(newsletters)s.")
            % {"newsletters": listed(standing.entitled)}
        )
    return said


def _what_they_get(contact: Contact, lines: Sequence[Subscription]) -> list[str]:
    if contact.departed_at is not None:
        return [
            _(
                "This member was deleted, or changed their address, on %(moment)s: what Basket has "
                "of this site's newsletters for the old address is removed, and then the address "
                "is erased here."
            )
            % {"moment": when(contact.departed_at)}
        ]
    held = [line.newsletter for line in lines if line.state in HELD]
    if held:
        return [_("They get %(newsletters)s.") % {"newsletters": listed(held)}]
    return [_("They get none of this site's newsletters.")]


def _address(contact: Contact, account: Account) -> list[str]:
    if contact.departed_at is not None:
        return []
    if not contact.wanted_email:
        return [_("They have no e-mail address, so Basket cannot be told of them.")]
    if account.stranded:
        return [
            _(
                "Basket does not accept their new address. It keeps the one before, until the "
                "address changes again or an admin asks to try again."
            )
        ]
    if account.moving and contact.email:
        return [_("Their address has changed, and Basket is still to be told.")]
    return []


def _failure(contact: Contact) -> list[str]:
    said = []
    if contact.error:
        since = contact.failing_since or contact.touched_at
        said.append(
            _("Since %(moment)s something is wrong: %(problem)s")
            % {"moment": when(since), "problem": problem(contact)}
        )
    if contact.parked_at is not None:
        said.append(
            ngettext(
                "It was parked on %(moment)s after %(count)d failed attempt: nothing more is tried "
                "until an admin asks for it, or something about the member changes.",
                "It was parked on %(moment)s after %(count)d failed attempts: nothing more is "
                "tried until an admin asks for it, or something about the member changes.",
                contact.attempts,
            )
            % {"moment": when(contact.parked_at), "count": contact.attempts}
        )
    if contact.dismissed_at is not None:
        said.append(
            _("On %(moment)s an admin put this problem aside.")
            % {"moment": when(contact.dismissed_at)}
        )
    return said


def _news(contact: Contact, lines: Sequence[Subscription], standing: Standing | None) -> list[str]:
    """What the site says now that is not in the ledger yet."""
    if standing is None:
        return []
    noted = {line.newsletter for line in lines if line.entitled}
    same_address = standing.email == contact.wanted_email
    if noted == standing.entitled and same_address:
        return []
    return [
        _(
            "Something about them changed a moment ago, or without this app being told; the worker "
            "has not looked at it yet. “Sync now” does so at once."
        )
    ]


def _missing(
    contact: Contact, lines: Sequence[Subscription], standing: Standing | None
) -> list[str]:
    """Each newsletter of the site's that they do not get, and why."""
    if contact.departed_at is not None:
        return []
    known = {line.newsletter: line for line in lines}
    return [
        _("%(newsletter)s: %(reason)s")
        % {"newsletter": name, "reason": reason(line, entitled=policy)}
        for name in sorted(get_site().newsletters)
        for line in [known.get(name)]
        for policy in [policy_of(name, standing)]
        if line is None or line.state not in HELD
    ]


def policy_of(newsletter: str, standing: Standing | None) -> bool | None:
    """What the newsletter's policy says of somebody now; ``None`` where there is no policy."""
    if all(policy.newsletter != newsletter for policy in get_site().policies):
        return None
    return standing is not None and newsletter in standing.entitled


def _waiting(
    contact: Contact,
    lines: Sequence[Subscription],
    account: Account,
    circumstances: Circumstances,
) -> list[str]:
    if not is_due(contact) and not differs(account):
        return []
    changes = [text for line in lines if (text := to_be_sent(line))]
    if changes:
        said = _("Not sent yet: %(changes)s.") % {"changes": get_text_list(changes, _("and"))}
    else:
        said = _("Basket is still to be asked about them.")
    attempt = _("Next attempt: %(attempt)s") % {"attempt": next_attempt(contact, circumstances)}
    return [f"{said} {attempt}"]


def _everybody(circumstances: Circumstances) -> list[str]:
    said = []
    if not circumstances.switch_is_on:
        said.append(
            _(
                "The switch BASKET_SWITCH_ENABLED is off: nothing is sent for anybody. What "
                "happens meanwhile is sent when it is turned on."
            )
        )
    pulse = circumstances.pulse
    if pulse.opened_at is not None:
        said.append(
            _(
                "The breaker has been open since %(moment)s (%(reason)s): nothing is sent for "
                "anybody, but one probe at a time."
            )
            % {"moment": when(pulse.opened_at), "reason": pulse.get_reason_display()}
        )
    return said


def _shared(others: int) -> list[str]:
    if not others:
        return []
    return [
        ngettext(
            "%(count)d other member has the same address. To Basket they are one person: what one "
            "of them gets, both get, and nothing that one of them wants is taken away.",
            "%(count)d other members have the same address. To Basket they are one person: what "
            "one of them gets, all get, and nothing that one of them wants is taken away.",
            others,
        )
        % {"count": others}
    ]
