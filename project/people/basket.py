"""What Basket's app has to know of this site."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mozillians_basket.site import BasketSite, Policy, Trigger


class Mozillians(BasketSite):
    """News by phone for the vouched, NDA news for members of the NDA group."""

    email = "user__email"
    policies = (
        Policy("mozilla-phone", Q(is_vouched=True), label=_("vouched members")),
        Policy(
            "mozillians-nda",
            Q(memberships__group__slug="nda", memberships__status="member"),
            label=_("members of the NDA group"),
        ),
    )
    # is_vouched is brought up to date by an UPDATE, which sends no signal.
    triggers = (Trigger("people.Vouch", member="vouchee"),)
