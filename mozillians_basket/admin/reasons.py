"""The reason for the state of one newsletter for one member, in words for an admin."""

from datetime import datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from mozillians_basket.admin.plain_words import code_of, in_plain_words
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.rules.plan import stays
from mozillians_basket.rules.rows import DecidedBy, Rows, State, held, missing
from mozillians_basket.site import get_site


def when(moment: datetime) -> str:
    """A moment in the site's time zone and the admin's language."""
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def to_be_sent(rows: Rows, contact: Contact, newsletter: str) -> str:
    """The call about this newsletter that is not sent yet; empty if there is none."""
    row = rows.subscription(contact, newsletter)
    blocked = row.state in {State.REFUSED, State.LOST} or row.missing_at
    if rows.wanted(contact, newsletter):
        if held(row) or blocked:
            return ""
        return _("subscribe to %(newsletter)s") % {"newsletter": newsletter}
    if not held(row) or row.removal_pending or stays(rows, contact, newsletter):
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
    said = [] if member is None else [_decision(rows, member, newsletter, entitled=entitled)]
    labels = {policy.newsletter: policy.label for policy in get_site().policies}
    if labels.get(newsletter):
        said.append(_("The policy is for %(members)s.") % {"members": labels[newsletter]})
    opted_out = _opted_out(rows, member, contact, newsletter)
    if opted_out:
        said = [opted_out]
    elif member is not None and member.held_back_at is not None and not entitled:
        said.append(
            _("A brake holds removals back since %(moment)s, until an admin approves them.")
            % {"moment": when(member.held_back_at)}
        )
    return " ".join([*said, *_at_basket(contact, row)])


def _decision(rows: Rows, member: Any, newsletter: str, *, entitled: bool | None) -> str:
    decision = rows.decision(member, newsletter)
    if not decision.decided_by:
        return _without_a_decision(entitled=entitled)
    by, wanted = DecidedBy(decision.decided_by), decision.wanted
    texts = {
        (DecidedBy.POLICY, True): _("Since %(moment)s the policy means it for them."),
        (DecidedBy.ADMIN, True): _("On %(moment)s an admin subscribed them."),
        (DecidedBy.MEMBER, True): _("On %(moment)s they subscribed by their own choice."),
        (DecidedBy.POLICY, False): _("Since %(moment)s the policy does not mean it for them."),
        (DecidedBy.ADMIN, False): _("On %(moment)s an admin unsubscribed them."),
        (DecidedBy.MEMBER, False): _("On %(moment)s they unsubscribed by their own choice."),
    }
    said = texts[by, wanted] % {"moment": when(decision.decided_at)}
    if by != DecidedBy.POLICY and wanted and entitled is False:
        said = f"{said} {_('The policy does not mean it for them.')}"
    if by != DecidedBy.POLICY and not wanted and entitled:
        said = f"{said} {_('The policy means it for them.')}"
    return said


def _without_a_decision(*, entitled: bool | None) -> str:
    if entitled is None:
        return _("No policy names it, and no admin has subscribed them.")
    if entitled:
        return _("The policy means it for them; the worker has not looked at them yet.")
    return _("The policy does not mean it for them, and no admin has subscribed them.")


def _opted_out(rows: Rows, member: Any, contact: Contact | None, newsletter: str) -> str:
    """The effect of an opt-out of the member or of the mailbox; empty where there is none."""
    veto = None if member is None else rows.veto(member, newsletter)
    at_mailbox = contact is not None and rows.mailbox_opted_out(contact, newsletter)
    if not veto and not at_mailbox:
        return ""
    if member is not None and rows.decision(member, newsletter).despite_opt_out:
        return _("They turned it off themselves. An admin has ordered it for them all the same.")
    if contact is not None and contact.renamed_at is not None:
        return _(
            "They took another address at Basket, as was seen on %(moment)s: nothing is subscribed "
            "at this one."
        ) % {"moment": when(contact.renamed_at)}
    at = veto or (rows.subscription(contact, newsletter).opted_out_at if contact else None)
    if at is None:
        return _("They turned it off themselves: no policy subscribes them again.")
    return _(
        "They turned it off themselves, as was seen on %(moment)s: no policy subscribes them again."
    ) % {"moment": when(at)}


def _at_basket(contact: Contact | None, row: Subscription) -> list[str]:
    """Basket's state of the newsletter, where it differs from the decision."""
    if row.state == State.REFUSED:
        words, code = in_plain_words(row.error_code), code_of(row.error_code)
        return [f"{words} ({code})"]
    if row.state == State.LOST:
        return [in_plain_words(State.LOST)]
    if missing(row) and row.missing_at is not None:
        return [
            _("Basket did not have it any more on %(moment)s, which is being looked into.")
            % {"moment": when(row.missing_at)}
        ]
    if row.removal_pending:
        return [_("The removal was sent, and is not yet seen to be done.")]
    if contact is not None and held(row) and not contact.optin:
        return [_("Basket wrote to them and waits for their confirmation.")]
    return []
