"""A site that sends NDA news to people who are not in the group yet."""

from django.db.models import Q

from mozillians_basket.site import Policy
from project.people.basket import Mozillians


class PendingToo(Mozillians):
    policies = (
        Policy("mozilla-phone", Q(is_vouched=True)),
        Policy("mozillians-nda", Q(memberships__group__slug="nda")),
    )
