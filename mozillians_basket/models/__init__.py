"""The app's tables."""

from mozillians_basket.models.bulk import BulkItem, BulkRequest
from mozillians_basket.models.contacts import (
    Contact,
    FailingContact,
    Move,
    Problem,
    Subscription,
    Suppression,
    alias,
)
from mozillians_basket.models.history import Event, HourlyCount
from mozillians_basket.models.members import Decision, Member, Touch
from mozillians_basket.models.status import Approval, Status

__all__ = [
    "Approval",
    "BulkItem",
    "BulkRequest",
    "Contact",
    "Decision",
    "Event",
    "FailingContact",
    "HourlyCount",
    "Member",
    "Move",
    "Problem",
    "Status",
    "Subscription",
    "Suppression",
    "Touch",
    "alias",
]
