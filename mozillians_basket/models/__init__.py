"""The app's tables."""

from mozillians_basket.models.history import Batch, BatchItem, Event
from mozillians_basket.models.ledger import Contact, Problem, Subscription, Touch
from mozillians_basket.models.pulse import Pulse
from mozillians_basket.models.repairs import Repair
from mozillians_basket.models.tally import Tally

__all__ = [
    "Batch",
    "BatchItem",
    "Contact",
    "Event",
    "Problem",
    "Pulse",
    "Repair",
    "Subscription",
    "Tally",
    "Touch",
]
