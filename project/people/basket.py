"""The description of this site for mozillians_basket."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mozillians_basket.site import BasketSite, Policy, Trigger


class Mozillians(BasketSite):
    """Phone news for vouched members, NDA news for members of the NDA group."""

    email = "user__email"
    policies = (
        Policy("mozilla-phone", Q(is_vouched=True), label=_("vouched members")),
        Policy(
            "mozillians-nda",
            Q(memberships__group__slug="nda", memberships__status="member"),
            label=_("members of the NDA group"),
        ),
    )
    # is_vouched is updated by an UPDATE, which sends no signal.
    triggers = (Trigger("people.Vouch", member="vouchee"),)
