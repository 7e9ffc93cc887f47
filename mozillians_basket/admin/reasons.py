"""Why one newsletter stands as it does for one member, in words for an admin."""

from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from mozillians_basket.admin.plain_words import code_of, in_plain_words
from mozillians_basket.models import Subscription
from mozillians_basket.plan import Line, line_differs
from mozillians_basket.states import Decider, State


def when(moment: datetime) -> str:
    """A moment in the site's time zone and the admin's language."""
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def to_be_sent(line: Subscription) -> str:
    """What Basket is still to be told about this newsletter; empty for nothing."""
    planned = Line(
        newsletter=line.newsletter,
        wanted=line.wanted,
        state=State(line.state),
        despite_opt_out=line.despite_opt_out,
    )
    if not line_differs(planned):
        return ""
    if line.wanted:
        return _("subscribe to %(newsletter)s") % {"newsletter": line.newsletter}
    return _("unsubscribe from %(newsletter)s") % {"newsletter": line.newsletter}


def reason(line: Subscription | None, *, entitled: bool | None) -> str:
    """
    Whose decision the state of a newsletter is, and since when.

    :param line: ``None`` when the ledger has none.
    :param entitled: what the policy says now; ``None`` when the newsletter has no policy.
    """
    if line is None:
        return _without_a_line(entitled=entitled)
    moment = when(line.decided_at)
    if line.state == State.OPTED_OUT:
        return _opted_out(line)
    if line.wanted:
        said = {
            Decider.POLICY: _("Since %(moment)s the policy means it for them."),
            Decider.ADMIN: _("On %(moment)s an admin subscribed them."),
            Decider.MEMBER: _(
                "On %(moment)s it was seen that they subscribed again by themselves."
            ),
        }[Decider(line.decided_by)] % {"moment": moment}
        if line.decided_by != Decider.POLICY and entitled is False:
            said = f"{said} {_('The policy does not mean it for them.')}"
    else:
        said = {
            Decider.POLICY: _("Since %(moment)s the policy does not mean it for them."),
            Decider.ADMIN: _("On %(moment)s an admin unsubscribed them."),
            Decider.MEMBER: _("On %(moment)s it was seen that they turned it off themselves."),
        }[Decider(line.decided_by)] % {"moment": moment}
        if line.decided_by != Decider.POLICY and entitled:
            said = f"{said} {_('The policy means it for them.')}"
    return " ".join([said, *_at_basket(line)])


def _without_a_line(*, entitled: bool | None) -> str:
    if entitled is None:
        return _("No policy names it, and no admin has subscribed them.")
    if entitled:
        return _("The policy means it for them; the worker has not looked at them yet.")
    return _("The policy does not mean it for them, and no admin has subscribed them.")


def _opted_out(line: Subscription) -> str:
    said = _(
        "They turned it off themselves, as was seen on %(moment)s: no policy subscribes them again."
    ) % {"moment": when(line.decided_at)}
    if line.decided_by == Decider.ADMIN and line.wanted:
        said = _("They turned it off themselves.")
    if line.despite_opt_out:
        said = f"{said} {_('An admin has ordered it for them all the same.')}"
    return said


def _at_basket(line: Subscription) -> list[str]:
    """What Basket made of it, where that is not as decided."""
    if line.state == State.REFUSED:
        words = in_plain_words("refused", line.error_code)
        return [f"{words} ({code_of('refused', line.error_code)})"]
    if line.state == State.AWAITING:
        return [_("Basket wrote to them and waits for their confirmation.")]
    if line.missing_at is not None:
        return [
            _("Basket did not have it any more on %(moment)s, which is being looked into.")
            % {"moment": when(line.missing_at)}
        ]
    if not line.wanted and line.state == State.UNSUBSCRIBED and line.verified_at is None:
        return [_("The removal was sent, and is not yet seen to be done.")]
    return []
