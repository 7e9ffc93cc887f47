"""All writes to contacts and subscriptions: touch, evaluate, claim, record, settle."""

from mozillians_basket.ledger.accounts import current_plan, target_of
from mozillians_basket.ledger.batches import advance_batches, work_off_batches
from mozillians_basket.ledger.decisions import move_address, subscribe_member, unsubscribe_address
from mozillians_basket.ledger.evaluation import evaluate_members, make_due
from mozillians_basket.ledger.leases import (
    Lease,
    claim,
    claim_next,
    due,
    most_urgent,
    release,
    renew,
)
from mozillians_basket.ledger.orders import (
    cancel_batch,
    create_batch,
    draft_batch,
    order_batch,
    retry_failed,
)
from mozillians_basket.ledger.records import (
    VERIFICATION,
    leave_behind,
    note_removal,
    note_request,
    open_contact,
    record_lookup,
    record_refusal,
    record_subscribed,
    record_unsubscribed,
)
from mozillians_basket.ledger.repairs import (
    Outcome,
    order_for_member,
    repair,
    sync_member,
    work_off_repairs,
)
from mozillians_basket.ledger.settling import postpone, settle
from mozillians_basket.ledger.touches import drain, touch

__all__ = [
    "VERIFICATION",
    "Lease",
    "Outcome",
    "advance_batches",
    "cancel_batch",
    "claim",
    "claim_next",
    "create_batch",
    "current_plan",
    "draft_batch",
    "drain",
    "due",
    "evaluate_members",
    "leave_behind",
    "make_due",
    "most_urgent",
    "move_address",
    "note_removal",
    "note_request",
    "open_contact",
    "order_batch",
    "order_for_member",
    "postpone",
    "record_lookup",
    "record_refusal",
    "record_subscribed",
    "record_unsubscribed",
    "release",
    "renew",
    "repair",
    "retry_failed",
    "settle",
    "subscribe_member",
    "sync_member",
    "target_of",
    "touch",
    "unsubscribe_address",
    "work_off_batches",
    "work_off_repairs",
]
