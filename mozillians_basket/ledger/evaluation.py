"""Write into the ledger what the site says about its members now."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from mozillians_basket.addresses import same_address
from mozillians_basket.ledger.accounts import account_of
from mozillians_basket.ledger.leases import Lease, end_of_lease
from mozillians_basket.ledger.writing import values_of, write_back
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.plan import differs
from mozillians_basket.site import Standing, get_site
from mozillians_basket.states import HELD, Decider, State

#: The least difference between two moments.
INSTANT = timedelta(microseconds=1)


def later_than(moment: datetime) -> datetime:
    """Now, but never before or at ``moment``, whatever the clock says."""
    return max(timezone.now(), moment + INSTANT)


def locked_contacts(
    member_ids: Collection[Any], found: Mapping[Any, Contact] | None = None
) -> tuple[list[Contact], set[Any]]:
    """
    The rows of these members, made where there is none, locked in order of their keys.

    Call it in a transaction. The second value names the members whose row is new.

    :param found: what is locked already, by member, where all of them were tried.
    """
    locked = Contact.objects.filter(member__in=member_ids).order_by("pk").select_for_update()
    rows = list(locked) if found is None else [found[pk] for pk in member_ids if pk in found]
    missing = set(member_ids) - {row.member_id for row in rows}
    now = timezone.now()
    if missing:
        Contact.objects.bulk_create(
            # In one order everywhere, so that two workers cannot wait for each other.
            [
                Contact(member_id=pk, created_at=now, touched_at=now, settled_at=now)
                for pk in sorted(missing, key=str)
            ],
            ignore_conflicts=True,
        )
        rows = list(locked.all())
    # Not simply those that were missing: another worker may have been quicker.
    return rows, {row.member_id for row in rows if missing and row.created_at == now}


def evaluate(
    contacts: Collection[Contact],
    *,
    fresh: Collection[Any] = (),
    earlier: Mapping[Any, str] | None = None,
    newborn: Collection[Any] = (),
    leftovers: Collection[Any] = (),
    cause: Mapping[Any, str] | None = None,
    moments: Mapping[Any, datetime] | None = None,
    claim: int = 0,
) -> tuple[list[Contact], list[Lease]]:
    """
    Apply the policies to locked contacts.

    :param fresh: members whose row was just made.
    :param earlier: the address before the change, where an event knew it.
    :param newborn: members who were just created: Basket has nothing of theirs from this site.
    :param leftovers: members who changed, but of whom nothing is known from before:
        what Basket may have of policies that they do not meet is removed.
    :param cause: what to note as the reason.
    :param moments: when the change was that a policy answers; now, where it is not said.
    :param claim: take leases on so many of those that Basket must hear of and that may be
        worked on now.
    :return: the contacts that Basket must hear of, and the leases.
    """
    site = get_site()
    earlier, cause, moments = earlier or {}, cause or {}, moments or {}
    standings = site.standings([row.member_id for row in contacts if row.member_id is not None])
    rows: dict[int, dict[str, Subscription]] = {row.pk: {} for row in contacts}
    for line in Subscription.objects.filter(contact__in=contacts):
        rows[line.contact_id][line.newsletter] = line
    as_read = {row.pk: values_of(row) for row in contacts}
    now, lease_ends = timezone.now(), end_of_lease()
    written: list[Contact] = []
    waiting: list[Contact] = []
    claimed: list[Contact] = []
    new_lines: list[Subscription] = []
    changed_lines: list[Subscription] = []
    pointless: list[int] = []
    for contact in contacts:
        member, lines = contact.member_id, rows[contact.pk]
        if member is None:
            continue
        standing = standings.get(member)
        if member in fresh:
            contact.email = earlier.get(member) or (standing.email if standing else "")
            contact.wanted_email = contact.email
        changed = member in fresh
        if standing is None and changed and (member in newborn or not contact.email):
            pointless.append(contact.pk)  # came and went before Basket heard anything
            contact.member = None
            continue
        if standing is None:
            _depart(contact)
            changed = True
        elif contact.wanted_email != standing.email:
            moved = not same_address(contact.wanted_email, standing.email)
            contact.wanted_email = standing.email
            changed = True
            if moved:
                contact.refused_email = ""
                contact.email = contact.email or standing.email
                changed_lines += _reset_refusals(lines.values())
        policy_lines = _apply_policies(
            lines,
            standing,
            keep_record=member in leftovers,
            moment=moments.get(member) or timezone.now(),
        )
        for line in policy_lines:
            line.contact = contact
            (new_lines if line.pk is None else changed_lines).append(line)
            lines[line.newsletter] = line
        changed = changed or bool(policy_lines)
        if differs(account_of(contact, lines.values())):
            waiting.append(contact)
            settled = contact.settled_at is not None and contact.touched_at <= contact.settled_at
            if changed or settled:
                contact.touched_at = max(now, contact.touched_at + INSTANT)
                contact.priority = _priority(contact, lines.values(), due=not settled)
                end_second_look(contact)
                contact.attempts, contact.parked_at = 0, None
                contact.cause = cause.get(member, contact.cause)
                changed = True
            if len(claimed) < claim and _may_be_claimed(contact, now):
                changed = True
                claimed.append(contact)
                contact.leased_until, contact.claimed_touch = lease_ends, contact.touched_at
                contact.lookup = None
        if changed:
            written.append(contact)
    write_back(written, as_read, new_lines, changed_lines)
    if pointless:
        Contact.objects.filter(pk__in=pointless).delete()
    return waiting, [Lease(row.pk, row.lease) for row in claimed]


def _may_be_claimed(contact: Contact, now: datetime) -> bool:
    """The rule of ``leases.due``, for a locked row that has something to be sent."""
    leased = contact.leased_until is not None and contact.leased_until > now
    waits = contact.not_before is not None and contact.not_before > now
    return not (leased or waits or contact.parked_at)


def evaluate_members(member_ids: Collection[Any], cause: str) -> None:
    """Compare these members with the policies, and make due who differs. Call in a transaction."""
    contacts, fresh = locked_contacts(member_ids)
    evaluate(contacts, fresh=fresh, cause=dict.fromkeys(member_ids, cause))


def make_due(contact_ids: Collection[int], cause: str) -> int:
    """
    Have settled contacts looked up, behind everything else. Call in a transaction.

    :return: how many there were: without those that are due or under way already.
    """
    rows = Contact.objects.filter(
        pk__in=contact_ids, leased_until__isnull=True, touched_at__lte=F("settled_at")
    )
    locked = list(rows.order_by("pk").select_for_update().values_list("pk", "touched_at"))
    if not locked:
        return 0
    return Contact.objects.filter(pk__in=[pk for pk, _touched_at in locked]).update(
        # One moment for all; later than the touch of each, whatever the clock says.
        touched_at=later_than(max(touched_at for _pk, touched_at in locked)),
        verify=True,
        cause=cause,
        priority=Contact.Priority.BULK,
        attempts=0,
        parked_at=None,
        revision=F("revision") + 1,
    )


def end_second_look(contact: Contact) -> None:
    """A change need not wait for a second look at what was sent; after a failure it does."""
    if contact.error in {"", "refused"}:
        contact.not_before = None


def _priority(contact: Contact, lines: Iterable[Subscription], *, due: bool) -> int:
    """How urgent it is; one that is due already loses nothing of its urgency."""
    removal = not contact.wanted_email or any(
        not line.wanted and line.state in HELD | {State.UNKNOWN} for line in lines
    )
    priority = Contact.Priority.REMOVAL if removal else Contact.Priority.CHANGE
    return min(priority, contact.priority) if due else priority


def _depart(contact: Contact) -> None:
    """The member is gone: everything of ours is to go, and then the address."""
    contact.member = None
    contact.departed_at = timezone.now()
    contact.wanted_email = contact.refused_email = ""


def _reset_refusals(lines: Iterable[Subscription]) -> list[Subscription]:
    """A new address: what Basket refused to the old one may be tried again."""
    refused = [line for line in lines if line.state == State.REFUSED]
    for line in refused:
        line.state, line.error_code = State.UNKNOWN, None
    return refused


def _apply_policies(
    lines: Mapping[str, Subscription],
    standing: Standing | None,
    *,
    keep_record: bool,
    moment: datetime,
) -> list[Subscription]:
    """
    The lines that the policies' present answer makes or changes.

    Only a *change* of the answer is a decision: it supersedes an admin's, but
    never a person's own opt-out. Whom no policy ever meant has no line, unless
    ``keep_record`` asks for one so that what Basket may have from earlier is removed.
    """
    result = []
    for policy in get_site().policies:
        entitled = standing is not None and policy.newsletter in standing.entitled
        line = lines.get(policy.newsletter)
        if line is None:
            if not entitled and not keep_record:
                continue
            line = Subscription(newsletter=policy.newsletter, entitled=not entitled)
        if line.entitled == entitled:
            continue
        line.entitled = entitled
        if line.state != State.OPTED_OUT or (line.wanted and not entitled):
            line.wanted = entitled
            line.despite_opt_out = False
            line.decided_by = Decider.POLICY
            line.decided_at = moment
        result.append(line)
    if standing is None:
        for line in lines.values():
            if line.wanted and line not in result:
                line.wanted, line.decided_at = False, moment
                result.append(line)
    return result
