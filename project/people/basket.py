"""What Basket's app has to know of this site."""

from django.db.models import Q

from mozillians_basket.site import BasketSite, Policy, Trigger


class Mozillians(BasketSite):
    """News by phone for the vouched, NDA news for members of the NDA group."""

    email = "user__email"
    policies = (
        Policy("mozilla-phone", Q(is_vouched=True)),
        Policy(
            "mozillians-nda",
            Q(memberships__group__slug="nda", memberships__status="member"),
        ),
    )
    triggers = (
        Trigger("people.Vouch", member="vouchee"),
        Trigger("groups.Membership", member="profile"),
        Trigger("auth.User", member="profile", fields={"email"}),
    )
