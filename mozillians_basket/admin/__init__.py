"""The app in Django's admin: bulk actions for members, and the ledger to read."""

from mozillians_basket.admin.ledger import BatchAdmin, ContactAdmin, EventAdmin
from mozillians_basket.admin.members import BasketMemberAdmin

__all__ = ["BasketMemberAdmin", "BatchAdmin", "ContactAdmin", "EventAdmin"]
