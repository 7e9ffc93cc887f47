"""The sandbox Basket's tables."""

from mozillians_basket.sandbox.models.access import ApiKey, BlockedDomain
from mozillians_basket.sandbox.models.audience import Person, Subscription
from mozillians_basket.sandbox.models.catalogue import Newsletter, NewsletterGroup
from mozillians_basket.sandbox.models.operations import (
    Fault,
    HeldCall,
    RateCount,
    ReceivedRequest,
    SentMessage,
    Snapshot,
)

__all__ = [
    "ApiKey",
    "BlockedDomain",
    "Fault",
    "HeldCall",
    "Newsletter",
    "NewsletterGroup",
    "Person",
    "RateCount",
    "ReceivedRequest",
    "SentMessage",
    "Snapshot",
    "Subscription",
]
