"""Reconciliation: compare the site's members with the ledger, in both directions."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import chain, groupby
from typing import Any

from celery.utils.functional import chunks
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, TextChoices

from mozillians_basket.conf import conf
from mozillians_basket.ledger.share import Context, empty_rows, read, write
from mozillians_basket.ledger.touches import (
    drain_unnamed,
    drained_members,
    locked_touches,
    read_brakes,
)
from mozillians_basket.models import (
    Approval,
    Contact,
    Decision,
    Member,
    Status,
    Subscription,
    alias,
)
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.rules.plan import plan, stays
from mozillians_basket.rules.rows import Rows, State, held, make_due
from mozillians_basket.site import Standing, by_cursor, get_site
from mozillians_basket.upkeep.approvals import GIVEN, HELD, NO_VETO, in_batches, open_questions

#: The number of members that one query compares.
CHUNK = 2000

CONTEXT = Context(cause="reconcile")


class Kind(TextChoices):
    """The ways in which the ledger can differ from the site."""

    ROWLESS = "rowless", "members without a row in the ledger"
    ADDRESS = "address", "members whose address is another one"
    GAINED = "gained", "members who meet a policy that the ledger says they don't"
    LOST = "lost", "members who don't meet a policy that the ledger says they do"
    DEPARTED = "departed", "rows of members who are gone"
    # Also members that a brake still holds back although nothing is left to remove.
    UNSETTLED = "unsettled", "contacts that differ from what Basket has, and are not due"


@dataclass(slots=True)
class Report:
    """The findings of a run, and the work that it did."""

    found: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    """The number of members or contacts by kind; a member can be of several kinds."""

    by_newsletter: dict[str, dict[str, int]] = field(default_factory=dict)
    """
    The numbers by newsletter: members who gain it, and subscriptions that would be lost.

    Fewer are lost where another member at the same address keeps them.
    """

    applied: int = 0
    """The number of members that were evaluated, and of contacts made due."""

    brakes: list[Approval] = field(default_factory=list)
    """Open questions about removals, and those that the removals of a dry run would raise."""

    @property
    def differences(self) -> int:
        """The number of differences of all kinds."""
        return sum(self.found.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """A member whose row in the ledger differs from the site."""

    key: Any
    kinds: Collection[Kind]
    contact_id: int | None = None
    gained: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    """The newsletters that may leave their contact."""

    held_back: bool = False
    goes: bool = False
    """Whether the member leaves their contact for no other one."""

    def waits(self, braked: Collection[str]) -> bool:
        """Whether the member differs only by removals that an open question holds back."""
        kept = self.lost.intersection(braked)
        if not self.held_back or not kept:
            return False
        return self.goes or not (Kind.ADDRESS in self.kinds or self.gained or self.lost - kept)


def find(newsletters: Collection[str] | None = None) -> Report:
    """
    Count what differs, without changing anything.

    :param newsletters: look at the policies for these only; ``None`` for all.
    """
    return _compare(newsletters, apply=False)


def apply(
    newsletters: Collection[str] | None = None, progress: Callable[[int, int], None] | None = None
) -> Report:
    """
    Evaluate the members who differ; the sweeper carries what changed to Basket.

    Members that a brake holds back already are left alone while the question is open.
    After an interrupted run the next one goes on.

    :param newsletters: as for :func:`find`; a member who differs is evaluated as a whole.
    :param progress: called with the number of members compared so far, and of all members.
    """
    report = _compare(newsletters, apply=True, progress=progress)
    if newsletters is None:
        Status.note("reconciled_at")
    return report


def _compare(
    newsletters: Collection[str] | None,
    *,
    apply: bool,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    names = frozenset(policy.newsletter for policy in get_site().policies)
    names = names if newsletters is None else names.intersection(newsletters)
    report = Report(by_newsletter={name: {"gained": 0, "lost": 0} for name in sorted(names)})
    done, total = 0, get_site().rows().count() if progress else 0
    braked = {row.newsletter for row in open_questions().filter(kind=Approval.Kind.BRAKE)}
    for compared, differences in _differences(names):
        leaving: dict[int, frozenset[str]] = defaultdict(frozenset)
        for difference in differences:
            for kind in difference.kinds:
                report.found[kind] += 1
            for name in difference.gained:
                report.by_newsletter[name]["gained"] += 1
            if difference.lost and difference.contact_id is not None:
                leaving[difference.contact_id] |= difference.lost
        there = Subscription.objects.filter(HELD, contact__in=list(leaving), removal_pending=False)
        for contact_id, name in there.values_list("contact_id", "newsletter"):
            if name in leaving[contact_id]:
                report.by_newsletter.setdefault(name, {"gained": 0, "lost": 0})["lost"] += 1
        differing = (each.key for each in differences if apply and not each.waits(braked))
        for keys in chunks(differing, conf.DRAIN_SIZE):
            drain_unnamed()
            with transaction.atomic(using=alias()):
                drained = drained_members(locked_touches(keys), keys, context=CONTEXT)
                write(drained.before, drained.after, CONTEXT)
            report.applied += len(keys)
        done += compared
        if progress:
            progress(done, max(done, total))
    # A site's first run leaves these to the next one: PostgreSQL's statistics do not know so many
    # new rows at once, and its plan would take quadratic time.
    if report.applied < CHUNK:
        unsettled = _look_for_unsettled(apply=apply)
        report.found[Kind.UNSETTLED] += unsettled
        report.applied += unsettled if apply else 0
    lost = {} if apply else {name: row["lost"] for name, row in report.by_newsletter.items()}
    report.brakes = _brakes(lost)
    return report


def _brakes(removals: Mapping[str, int]) -> list[Approval]:
    """List the open questions of the brake, and those that these removals would raise."""
    found = {each.newsletter: each for each in open_questions().filter(kind=Approval.Kind.BRAKE)}
    more = {name: number for name, number in removals.items() if number and name not in found}
    if more:
        status = Status.read()
        rows = empty_rows(status)
        brakes = read_brakes(status, rows, rows.settings.brake_floor + 1)
        for name, number in more.items():
            if not brakes[name].allows(number, rows.settings):
                total, kind = brakes[name].confirmed, Approval.Kind.BRAKE
                found[name] = Approval(newsletter=name, kind=kind, number=number, total=total)
    return [found[name] for name in sorted(found)]


def _differences(names: frozenset[str]) -> Iterator[tuple[int, list[Difference]]]:
    """Compare the site's members with the ledger, then the ledger's with the site, in chunks."""
    # Only the ends of each chunk: the query for the policies reads all keys.
    keys = get_site().rows().order_by("pk").values_list("pk", flat=True)
    first = keys.first()
    while first is not None:
        rest = keys.filter(pk__gte=first)
        last, *following = rest[CHUNK - 1 : CHUNK + 1] or [rest.last() or first]
        standings = get_site().standings_between(first, last)
        yield len(standings), list(_compared(standings, first, last, names))
        first = following[0] if following else None
    there = get_site().rows().filter(pk=OuterRef("site_member"))
    gone = Member.objects.filter(~Exists(there), site_member__isnull=False)
    columns = ("contact_id", "held_back_at")
    for rows in in_batches(gone, "site_member_id", *columns, size=CHUNK):
        yield 0, [_departed(key, *row) for key, row in rows.items()]


def _departed(key: Any, contact_id: int | None, held_back_at: datetime | None) -> Difference:
    everything, held_back = get_site().newsletters, held_back_at is not None
    return Difference(
        key, {Kind.DEPARTED}, contact_id, lost=everything, held_back=held_back, goes=True
    )


def _compared(
    standings: Mapping[Any, Standing], first: Any, last: Any, names: frozenset[str]
) -> Iterator[Difference]:
    """
    Compare the members from one key to another.

    Addresses that differ only in how they are spelled are one contact: no difference.
    """
    chosen = {"site_member__gte": first, "site_member__lte": last}
    members = Member.objects.filter(**chosen)
    columns = ("pk", "contact_id", "held_back_at")
    known = {key: row for key, *row in by_cursor(members.values_list("site_member_id", *columns))}
    there = Q(**{f"members__{name}": value for name, value in chosen.items()})
    homes = _between("pk", [row[1] for row in known.values() if row[1] is not None])
    emails = dict(by_cursor(Contact.objects.filter(homes, there).values_list("pk", "email")))
    theirs = Q(**{f"member__{name}": value for name, value in chosen.items()})
    theirs &= _between("member", [row[0] for row in known.values()])
    decisions = Decision.objects.filter(newsletter__in=names)
    entitled = defaultdict[int, set[str]](set)
    for given in (
        decisions.filter(theirs, entitled=True),
        # Ends that a brake holds back, of few members: one condition for all takes a fifth longer.
        decisions.filter(GIVEN, member__in=[row[0] for row in known.values() if row[-1]]),
    ):
        for member_id, name in by_cursor(given.values_list("member_id", "newsletter")):
            entitled[member_id].add(name)
    for key, standing in standings.items():
        if key not in known:
            yield Difference(key, {Kind.ROWLESS}, gained=standing.entitled & names)
            continue
        member_id, contact_id, held_back_at = known[key]
        email = emails.get(contact_id)
        meets, has = standing.entitled & names, entitled[member_id]
        if meets == has and email == standing.email and not held_back_at:
            continue
        gained, lost = meets - has, frozenset(has - meets)
        now = contact_key(standing.email)
        same = email == standing.email or contact_key(email or "") == now
        goes = not (same or now)
        applies = {Kind.GAINED: gained, Kind.LOST: lost and not goes, Kind.ADDRESS: not same}
        kinds = {kind for kind, found in applies.items() if found}
        if kinds or held_back_at:
            lost = get_site().newsletters if goes else lost
            found = kinds or {Kind.UNSETTLED}
            yield Difference(key, found, contact_id, gained, lost, bool(held_back_at), goes)


def _between(column: str, keys: Collection[int]) -> Q:
    """
    Choose the rows in a range around all of some keys.

    Joined without such a range, PostgreSQL reads tables of 300,000 rows as a whole (measured).
    """
    if not keys:
        return Q(pk__in=[])
    return Q(**{f"{column}__gte": min(keys), f"{column}__lte": max(keys)})


def _look_for_unsettled(*, apply: bool) -> int:
    """
    Count the settled contacts where Basket differs from what is wanted, or make them due.

    There should be none, as every change of a decision touches the contact. But rows
    can be changed by other means: a restored backup, an UPDATE by hand, or a fault in
    the app. Refused, lost and missing subscriptions are left alone, and so are moves
    that wait.
    """
    number = 0
    for ids in chunks(_candidates(), conf.DRAIN_SIZE):
        with transaction.atomic(using=alias()):
            before = read(ids)
            after = before.copy()
            differing = [pk for pk in ids if pk in before.contacts and _differs(before, pk)]
            for pk in differing:
                make_due(after.contacts[pk], after.now)
            if apply and differing:
                write(before, after, CONTEXT)
        number += len(differing)
    return number


def _candidates() -> Iterator[int]:
    """
    Yield the settled contacts that may differ: all that do, and few others.

    ``_differs`` decides by the rules.
    """
    names = get_site().newsletters - Status.read().unknown
    decisions = Decision.objects.filter(newsletter__in=names)
    subscriptions = Subscription.objects.filter(newsletter__in=names)
    answered = Subscription.objects.filter(
        Q(confirmed_at__isnull=False)
        | Q(missing_at__isnull=False)
        | Q(state__in=[State.REFUSED, State.LOST, State.OPTED_OUT]),
        contact=OuterRef("member__contact"),
        newsletter=OuterRef("newsletter"),
    )
    lacking = decisions.filter(
        wanted=True,
        member__contact__isnull=False,
        member__contact__touched_at__isnull=True,
        member__contact__parked=False,
    )
    there = decisions.filter(member__contact=OuterRef("contact"), newsletter=OuterRef("newsletter"))
    decided = Q(decided=True) | Q(contact__clear=True) | Exists(there.exclude(decided_by=""))
    excess = subscriptions.filter(
        decided,
        ~Exists(there.filter(NO_VETO, wanted=True)),
        HELD,
        missing_at__isnull=True,
        error_code="",
        contact__touched_at__isnull=True,
        contact__parked=False,
    )
    # Two queries, as one condition for both takes twice as long.
    unanswered = lacking.filter(~Exists(answered), NO_VETO, member__contact__renamed_at=None)
    despite = lacking.filter(despite_opt_out=True)
    found = [
        chain.from_iterable(in_batches(rows, column, size=CHUNK))
        for rows, column in (
            (unanswered, "member__contact_id"),
            (despite, "member__contact_id"),
            (excess, "contact_id"),
        )
    ]
    for contact_id, _same in groupby(merge(*found)):
        yield contact_id


def _differs(rows: Rows, contact_id: int) -> bool:
    """Whether a contact is settled though Basket has something else than is wanted there."""
    contact: Contact = rows.contacts[contact_id]
    if contact.touched_at is not None or contact.parked:
        return False
    if any(contact_id in {move.source_id, move.target_id} for move in rows.moves):
        return bool(plan(rows, contact_id))
    for name in rows.settings.newsletters - rows.paused:
        row = rows.subscription(contact, name)
        if row.state in {State.REFUSED, State.LOST} or row.missing_at or row.error_code:
            continue
        if not stays(rows, contact, name) if held(row) else rows.wanted(contact, name):
            return True
    return False
