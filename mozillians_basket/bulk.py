"""Admins' bulk requests: a snapshot of members, worked off in batches."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone

from mozillians_basket.client.transport import unexpected
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.ledger import decisions, history, touches
from mozillians_basket.ledger.share import Context, locked_members, read, write
from mozillians_basket.ledger.touches import drained_members, locked_touches
from mozillians_basket.models import BulkItem, BulkRequest, Contact, Event, Member, Problem, alias
from mozillians_basket.rules import evaluate
from mozillians_basket.rules.evaluate import Result
from mozillians_basket.rules.rows import Rows
from mozillians_basket.site import get_site

Action, State = BulkRequest.Action, BulkRequest.State

#: After how long drafts that nobody confirmed are deleted.
DRAFT_AGE = timedelta(days=1)


def draft(
    action: BulkRequest.Action, keys: Iterable[Any], *, actor: Any, selection: str = ""
) -> BulkRequest:
    """
    Store the members that an admin selected, before anything is ordered.

    :param keys: the primary keys of the members; a list's own joins may repeat them.
    :param selection: how they were selected, in words.
    """
    old = BulkRequest.objects.filter(state=State.DRAFT, created_at__lt=timezone.now() - DRAFT_AGE)
    old.delete()
    selected = list(dict.fromkeys(keys))
    return BulkRequest.objects.create(
        action=action,
        keys=selected,
        total=len(selected),
        selection=selection[:300],
        actor_id=getattr(actor, "pk", None),
    )


def confirm(
    request: BulkRequest, newsletters: Iterable[str], *, despite_opt_out: bool = False
) -> bool:
    """
    Have a draft carried out; the sweeper begins it.

    :return: whether it was still a draft. A second confirmation orders nothing.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    names = get_site().chosen(newsletters)
    touches.drain()  # earlier changes must not look newer than the request
    with transaction.atomic(using=alias()):
        confirmed = _change(
            request,
            Q(state=State.DRAFT),
            state=State.RUNNING,
            newsletters=list(names),
            despite_opt_out=despite_opt_out,
            created_at=timezone.now(),
        )
        if confirmed:
            _note(Event.Kind.ORDERED, request, request.actor_id, outcome=request.action)
    return confirmed


def cancel(request: BulkRequest, *, actor: Any, reason: str = "") -> bool:
    """
    Leave out the members whose order was not begun; return whether there were any.

    :param reason: the reason, if no admin cancelled the request.
    """
    with transaction.atomic(using=alias()):
        unfinished = Q(state=State.RUNNING, position__lt=F("total"))
        cancelled = _change(request, unfinished, state=State.CANCELLED)
        if cancelled:
            _note(Event.Kind.CANCELLED, request, getattr(actor, "pk", None), outcome=reason)
    return cancelled


def retry(request: BulkRequest, *, actor: Any) -> int:
    """
    Retry the failed orders of a request; return their number.

    The members' contacts are retried as a whole, as from the list of problems. A cancelled
    request stays cancelled: the members that it left out are not begun.
    """
    with transaction.atomic(using=alias()):
        locked = BulkRequest.objects.defer("keys").select_for_update().get(pk=request.pk)
        items = BulkItem.objects.filter(request=request)
        failed = items.filter(state=BulkItem.State.FAILED)
        if not failed.exists():
            return 0
        state = State.CANCELLED if locked.state == State.CANCELLED else State.RUNNING
        _change(request, Q(), state=state, finished_at=None, counts={})
        contacts = Contact.objects.filter(members__site_member__in=failed.values("member"))
        decisions.retry(contacts, Context(cause=str(request), priority=Contact.Priority.BULK))
        number = failed.update(state=BulkItem.State.PENDING, reason="", finished_at=None)
        _note(Event.Kind.RETRIED, request, getattr(actor, "pk", None))
    return number


def advance() -> bool:
    """
    Begin orders of running requests, oldest first; return whether any order was begun.

    Up to ``BASKET_MAX_IN_FLIGHT`` orders are pending at once.
    """
    unfinished = BulkRequest.objects.filter(
        state__in=[State.RUNNING, State.CANCELLED], finished_at__isnull=True
    )
    requests = list(unfinished.defer("keys").order_by("pk"))
    if not requests:
        return False
    _close_stranded()
    begun = [_begin(request) for request in requests if request.state == State.RUNNING]
    for request in requests:
        _finish(request)
    return any(begun)


def _begin(request: BulkRequest) -> bool:
    """Begin the next orders of a request, ``BASKET_DRAIN_SIZE`` in each transaction."""
    # Members who wait for a paused newsletter or an answer hold no other request up.
    under_way = Member.objects.filter(
        Q(contact__not_before=None) | Q(contact__not_before__lte=timezone.now()),
        site_member=OuterRef("member"),
        contact__touched_at__isnull=False,
    )
    pending = BulkItem.objects.filter(Exists(under_way), state=BulkItem.State.PENDING)
    room = conf.MAX_IN_FLIGHT - pending[: conf.MAX_IN_FLIGHT].count()
    if room <= 0 or request.position >= request.total:
        return False
    try:
        get_site().chosen(request.newsletters)
    except UnknownNewsletter:
        cancel(request, actor=None, reason="unknown newsletter")
        return False
    # The keys of 100,000 members are a megabyte: they are read once for all transactions.
    keys = BulkRequest.objects.values_list("keys", flat=True).get(pk=request.pk)
    start, end = request.position, min(request.position + room, request.total)
    alone_until = 0  # after an error, its members are tried one by one
    while (position := request.position) < end:
        size = 1 if position < alone_until else conf.DRAIN_SIZE
        some = keys[position : min(position + size, end)]
        try:
            if not _begin_some(request, some):
                break
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - it is logged by its class and place
            unexpected(error)
            alone_until = max(alone_until, position + len(some))
            if len(some) == 1 and not _begin_some(request, some, failed=True):
                break
    return request.position > start


def _begin_some(request: BulkRequest, keys: list[Any], *, failed: bool = False) -> bool:
    """
    Order for the next members of a request in one transaction, or store their failure.

    Returns false if the request was cancelled, or another worker has begun these members.
    """
    with transaction.atomic(using=alias()):
        rows = BulkRequest.objects.defer("keys").select_for_update()
        now = rows.get(pk=request.pk)
        if now.state != State.RUNNING or now.position != request.position:
            return False
        BulkRequest.objects.filter(pk=request.pk).update(position=request.position + len(keys))
        keys = decisions.site_keys(keys)
        reasons = dict.fromkeys(keys, str(Problem.UNEXPECTED)) if failed else _order(request, keys)
        over = BulkItem.State.FAILED if failed else BulkItem.State.SKIPPED
        at = timezone.now()
        items = [
            BulkItem(
                request=request,
                member_id=key,
                state=over if reason else BulkItem.State.PENDING,
                reason=reason,
                ordered_at=at,
                finished_at=at if reason else None,
            )
            for key, reason in reasons.items()
        ]
        BulkItem.objects.bulk_create(items, ignore_conflicts=True)
    request.position += len(keys)
    return True


def _order(request: BulkRequest, keys: list[Any]) -> dict[Any, str]:
    """
    Decide for members as of when the request was confirmed.

    A newsletter with a newer decision is left as it is. Returns by member why nothing is
    ordered for them; empty if something is.
    """
    context = Context(
        cause=str(request),
        actor_id=request.actor_id,
        bulk_request=request,
        priority=Contact.Priority.BULK,
    )
    confirmed_at = request.created_at
    waiting = locked_touches(keys)
    drained = drained_members(waiting, keys, context=context)
    later = {touch.member_id for touch in waiting if touch.created_at > confirmed_at}
    members = {key: drained.after.members.get(drained.ids.get(key, 0)) for key in keys}
    alike: dict[tuple[frozenset[str], bool], list[int]] = defaultdict(list)
    for key, member in members.items():
        if member is None:
            continue
        # If a touch is younger than the request, so is what the drain decided.
        rows = drained.before if later.isdisjoint({key, None}) else drained.after
        decided = {name: rows.decision(member, name).decided_at for name in request.newsletters}
        names = {name for name, at in decided.items() if not at or at <= confirmed_at}
        left = names & _opted_out_since(request, drained.after, member)
        alike[frozenset(names - left), request.despite_opt_out].append(member.pk)
        alike[frozenset(left), False].append(member.pk)
    after, results = drained.after, defaultdict(set)
    for (chosen, despite), ids in alike.items():
        if not chosen:
            continue
        after, outcomes = evaluate.order(
            after,
            ids,
            chosen,
            subscribe=request.action == Action.SUBSCRIBE,
            despite_opt_out=despite,
        )
        for (pk, name), result in outcomes.items():
            results[pk].add(result)
            if result == Result.DECIDED:
                after.decisions[pk, name].decided_at = confirmed_at
    write(drained.before, after, context)
    reasons: dict[Any, str] = dict.fromkeys(keys, "")
    for key, member in members.items():
        if member is None:
            reasons[key] = BulkItem.Reason.NO_MEMBER
        elif member.contact_id is None:
            reasons[key] = BulkItem.Reason.NO_ADDRESS
        elif member.pk not in results:
            reasons[key] = BulkItem.Reason.SUPERSEDED
        elif results[member.pk] == {Result.REFUSED}:
            reasons[key] = BulkItem.Reason.OPTED_OUT
    return reasons


def _opted_out_since(request: BulkRequest, rows: Rows, member: Member) -> set[str]:
    """Name the newsletters that the member or the mailbox opted out of since the request."""
    found = set()
    for name in request.newsletters:
        moments = [rows.veto(member, name)]
        if contact := rows.home(member):
            moments += [rows.subscription(contact, name).opted_out_at, contact.renamed_at]
        if any(moment and moment > request.created_at for moment in moments):
            found.add(name)
    return found


def _close_stranded() -> None:
    """
    End pending items that no sync will end.

    Their members were deleted or have no address any more, or their contact was parked
    outside of a sync.
    """
    under_way = Member.objects.filter(
        site_member=OuterRef("member"), contact__touched_at__isnull=False, contact__parked=False
    )
    pending = BulkItem.objects.filter(state=BulkItem.State.PENDING)
    stranded = pending.filter(~Exists(under_way)).values_list("member", flat=True)
    keys = set(stranded[: conf.DRAIN_SIZE])
    if not keys:
        return
    with transaction.atomic(using=alias()):
        members = {row.site_member_id: row for row in locked_members(Q(site_member__in=keys))}
        homes = {row.contact_id for row in members.values() if row.contact_id is not None}
        if homes:
            decisions.close_items(read([], [*members.values()]), homes)
        homeless = {key for key, row in members.items() if row.contact_id is None}
        for reason, some in (
            (BulkItem.Reason.NO_ADDRESS, homeless),
            (BulkItem.Reason.NO_MEMBER, keys - members.keys()),
        ):
            pending.filter(member__in=some).update(
                state=BulkItem.State.SKIPPED, reason=reason, finished_at=timezone.now()
            )


def _finish(request: BulkRequest) -> None:
    """Finish a request if all its orders were begun and none is pending."""
    if request.state == State.RUNNING and request.position < request.total:
        return
    counts = progress(request)
    if counts[BulkItem.State.PENDING]:
        return
    over: dict[str, Any] = {"finished_at": timezone.now(), "counts": dict(counts)}
    if request.state == State.RUNNING:
        # A cancelled request keeps its keys: they name the members left out.
        over |= {"state": State.FINISHED, "keys": []}
    BulkRequest.objects.filter(pk=request.pk, state=request.state).update(**over)


def progress(request: BulkRequest) -> Counter[str]:
    """Count the items of a request by state; members not begun have none."""
    return progress_of_all([request])[request.pk]


def progress_of_all(requests: Collection[BulkRequest]) -> dict[int, Counter[str]]:
    """Count the items of requests by state, in one query, or none if all are finished."""
    found = {request.pk: Counter(request.counts) for request in requests}
    running = [request.pk for request in requests if request.finished_at is None]
    if running:
        items = BulkItem.objects.filter(request__in=running).order_by()
        for pk, state, number in items.values_list("request", "state").annotate(n=Count("pk")):
            found[pk][state] = number
    return found


def _change(request: BulkRequest, condition: Q, **values: Any) -> bool:
    """Change a request if it meets a condition, and reload all its columns except the keys."""
    changed = BulkRequest.objects.filter(condition, pk=request.pk).update(**values)
    columns = [field.attname for field in BulkRequest._meta.concrete_fields]
    request.refresh_from_db(using=alias(), fields=[c for c in columns if c not in {"id", "keys"}])
    return bool(changed)


def _note(kind: Event.Kind, request: BulkRequest, actor_id: Any, *, outcome: str = "") -> None:
    context = Context(cause=str(request), actor_id=actor_id, bulk_request=request)
    history.event(context, kind, newsletters=request.newsletters, outcome=outcome).save()
