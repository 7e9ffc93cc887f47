"""What admins order for a member or for problems: subscribe, sync now, try again, put aside."""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from mozillians_basket.ledger.decisions import decide
from mozillians_basket.ledger.evaluation import evaluate, later_than, locked_contacts
from mozillians_basket.models import Contact, Event, Repair, Subscription
from mozillians_basket.redaction import redacted
from mozillians_basket.site import get_site
from mozillians_basket.states import State

#: Causes, as the history names them.
ORDER = "ordered on the member's page"
SYNC = "sync asked for by an admin"
RETRY = "retry asked for by an admin"

#: How many contacts are worked on in one transaction; more at once are left to the worker.
CHUNK = 500


class Outcome(StrEnum):
    """What came of an order for one member."""

    ORDERED = "ordered"
    NO_MEMBER = "no such member"
    NO_ADDRESS = "no address"
    OPTED_OUT = "opted out"


def order_for_member(
    member_id: Any,
    newsletters: str | Iterable[str],
    *,
    subscribe: bool,
    despite_opt_out: bool = False,
    actor: Any,
) -> tuple[Outcome, list[int]]:
    """
    Decide for an admin that a member is to get these or not, whatever the policies say.

    :param despite_opt_out: the admin says explicitly that an opt-out does not count.
    :return: what came of it, and the keys of the contacts that Basket must hear of.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    slugs = get_site().chosen(newsletters)
    with transaction.atomic():
        contact = _evaluated(member_id)
        if contact is None:
            return Outcome.NO_MEMBER, []
        if not contact.wanted_email:
            return Outcome.NO_ADDRESS, []
        taken = decide(
            contact,
            slugs,
            subscribe=subscribe,
            despite_opt_out=despite_opt_out,
            cause=ORDER,
            actor=actor,
        )
        return (Outcome.ORDERED, [contact.pk]) if taken else (Outcome.OPTED_OUT, [])


def sync_member(member_id: Any, *, actor: Any) -> tuple[Outcome, list[int]]:
    """
    Compare a member with the policies now and have Basket asked, also about what it refused.

    :return: as :func:`order_for_member`.
    """
    with transaction.atomic():
        contact = _evaluated(member_id)
        if contact is None:
            return Outcome.NO_MEMBER, []
        if not contact.wanted_email and not contact.email:
            return Outcome.NO_ADDRESS, []
        _try_again([contact.pk], cause=SYNC, actor=actor, priority=Contact.Priority.CHANGE)
        return Outcome.ORDERED, [contact.pk]


def _evaluated(member_id: Any) -> Contact | None:
    contacts, fresh = locked_contacts({member_id})
    evaluate(contacts, fresh=fresh)
    return next((contact for contact in contacts if contact.member_id is not None), None)


def repair(
    action: Repair.Action, contact_ids: Sequence[int], *, actor: Any, remark: str = ""
) -> bool:
    """
    Try problems again, or put them aside: a few now, more than a chunk by the worker.

    :param remark: why; addresses in it are left out.
    :return: whether it is done already.
    """
    order = Repair(action=action, remark=redacted(remark)[:200], actor=actor)
    with transaction.atomic():
        if len(contact_ids) <= CHUNK:
            order.contacts = list(contact_ids)
            _carry_out(order)
            return True
        Repair.objects.bulk_create(
            Repair(
                action=order.action,
                remark=order.remark,
                actor=actor,
                contacts=list(contact_ids[start : start + CHUNK]),
            )
            for start in range(0, len(contact_ids), CHUNK)
        )
    return False


def work_off_repairs() -> None:
    """Carry out what was left to the worker, a chunk in each transaction. Sends nothing itself."""
    while Repair.objects.exists() and _work_off_one():
        pass


def _work_off_one() -> bool:
    with transaction.atomic():
        order = Repair.objects.order_by("pk").select_for_update(skip_locked=True).first()
        if order is None:
            return False
        users = get_user_model()._base_manager
        order.actor = users.filter(pk__in=[order.actor_id]).first()  # they may be deleted by now
        _carry_out(order)
        order.delete()
        return True


def _carry_out(order: Repair) -> None:
    if order.action == Repair.Action.RETRY:
        failing = Contact.objects.filter(pk__in=order.contacts, failing_since__isnull=False)
        keys = list(failing.values_list("pk", flat=True))
        _try_again(keys, cause=RETRY, actor=order.actor, priority=Contact.Priority.BULK)
    else:
        _put_aside(order)


def _try_again(
    contact_ids: Collection[int], *, cause: str, actor: Any, priority: Contact.Priority
) -> None:
    """
    Make contacts due, as if they had never failed; what Basket refused is asked for anew.

    The problem is shown until it is over. Nobody's opt-out is touched.
    """
    rows = Contact.objects.filter(pk__in=contact_ids).order_by("pk").select_for_update()
    touched = dict(rows.values_list("pk", "touched_at"))
    is_due = Q(settled_at__isnull=True) | Q(touched_at__gt=F("settled_at"))
    urgency = Case(
        When(is_due & Q(priority__lt=priority), then=F("priority")), default=Value(priority)
    )
    if not touched:
        return
    Contact.objects.filter(pk__in=touched).update(
        # One moment for all; later than the touch of each, whatever the clock says.
        touched_at=later_than(max(touched.values())),
        priority=urgency,
        verify=True,
        cause=cause,
        attempts=0,
        parked_at=None,
        not_before=None,
        dismissed_at=None,
        refused_email="",
        revision=F("revision") + 1,
    )
    refused = Subscription.objects.filter(contact__in=touched, state=State.REFUSED)
    refused.update(state=State.UNKNOWN, error_code=None)
    Event.objects.bulk_create(
        Event(contact_id=key, kind=Event.Kind.RETRIED, cause=cause, actor=actor) for key in touched
    )


def _put_aside(order: Repair) -> None:
    rows = Contact.objects.filter(
        pk__in=order.contacts, failing_since__isnull=False, dismissed_at__isnull=True
    )
    contacts = list(rows.order_by("pk").select_for_update())
    Contact.objects.filter(pk__in=[row.pk for row in contacts]).update(
        dismissed_at=timezone.now(), revision=F("revision") + 1
    )
    Event.objects.bulk_create(
        Event(
            contact=contact,
            kind=Event.Kind.DISMISSED,
            outcome=contact.error,
            error_code=contact.error_code,
            remark=order.remark,
            actor=order.actor,
        )
        for contact in contacts
    )
