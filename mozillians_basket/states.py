"""The words for where a subscription stands and whose decision it is."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Decider(models.TextChoices):
    """Whose decision stands."""

    POLICY = "policy", _("policy")
    ADMIN = "admin", _("admin")
    MEMBER = "member", _("member")


class State(models.TextChoices):
    """What Basket last said of a subscription, or did with it."""

    UNKNOWN = "unknown", _("unknown")
    SUBSCRIBED = "subscribed", _("subscribed")
    AWAITING = "awaiting", _("awaiting confirmation")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
    OPTED_OUT = "opted_out", _("opted out")
    REFUSED = "refused", _("refused")


#: States in which Basket has the newsletter for this person.
HELD = frozenset({State.SUBSCRIBED, State.AWAITING})
