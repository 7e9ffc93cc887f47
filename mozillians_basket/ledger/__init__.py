"""All writes to contacts and subscriptions: touch, evaluate, claim, record, settle."""

from mozillians_basket.ledger.accounts import target_of
from mozillians_basket.ledger.batches import advance_batches, work_off_batches
from mozillians_basket.ledger.claims import claim, claim_next
from mozillians_basket.ledger.decisions import move_address, subscribe_member, unsubscribe_address
from mozillians_basket.ledger.evaluation import evaluate_members, make_due
from mozillians_basket.ledger.leases import Lease, due, most_urgent, release
from mozillians_basket.ledger.leftovers import leave_behind
from mozillians_basket.ledger.orders import (
    cancel_batch,
    create_batch,
    draft_batch,
    order_batch,
    retry_failed,
)
from mozillians_basket.ledger.records import (
    note_removal,
    note_request,
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
from mozillians_basket.ledger.settling import close, postpone, settle
from mozillians_basket.ledger.sheets import Sheet
from mozillians_basket.ledger.showing import VERIFICATION
from mozillians_basket.ledger.touches import drain, touch
from mozillians_basket.ledger.undoing import take_back

__all__ = [
    "VERIFICATION",
    "Lease",
    "Outcome",
    "Sheet",
    "advance_batches",
    "cancel_batch",
    "claim",
    "claim_next",
    "close",
    "create_batch",
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
    "order_batch",
    "order_for_member",
    "postpone",
    "record_lookup",
    "record_refusal",
    "record_subscribed",
    "record_unsubscribed",
    "release",
    "repair",
    "retry_failed",
    "settle",
    "subscribe_member",
    "sync_member",
    "take_back",
    "target_of",
    "touch",
    "unsubscribe_address",
    "work_off_batches",
    "work_off_repairs",
]
