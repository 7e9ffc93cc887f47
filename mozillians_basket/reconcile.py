"""Find what no signal saw: the policies against the ledger, in SQL and in both directions."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Trim
from django.utils import timezone

from mozillians_basket import ledger
from mozillians_basket.conf import conf
from mozillians_basket.models import Contact, Pulse, Subscription
from mozillians_basket.site import Policy, get_site
from mozillians_basket.states import HELD, State

logger = logging.getLogger("mozillians_basket")

#: How many members are compared in one transaction.
CHUNK = 500


class Kind(StrEnum):
    """How the ledger can differ from the site, in the order in which it is mended."""

    ROWLESS = "rowless"
    """Members without a row."""

    ADDRESS = "address"
    """Members whose address is another one."""

    GAINED = "gained"
    """Members who meet a policy that the ledger says they don't."""

    UNSETTLED = "unsettled"
    """Contacts that differ from what Basket confirmed, and are not due."""

    LOST = "lost"
    """Members who don't meet a policy that the ledger says they do."""

    DEPARTED = "departed"
    """Contacts whose member is gone."""


#: Kinds that take newsletters away.
REMOVING = (Kind.LOST, Kind.DEPARTED)


@dataclass(slots=True)
class Brake:
    """More would be removed from a newsletter at once than an admin has allowed."""

    newsletter: str
    removals: int
    subscriptions: int


@dataclass(slots=True)
class Report:
    """What a run found and did."""

    found: dict[Kind, int] = field(default_factory=dict)
    """Differences by kind: members or contacts."""

    by_newsletter: dict[str, dict[str, int]] = field(default_factory=dict)
    """For each newsletter how many would gain it and how many would lose it."""

    applied: dict[Kind, int] = field(default_factory=dict)
    """How many of them were made due, or settled."""

    brakes: list[Brake] = field(default_factory=list)
    """Why nothing was removed, if it was not."""

    @property
    def differences(self) -> int:
        """How many there are in all."""
        return sum(self.found.values())


Progress = Callable[[Kind, int, int], None]
"""Told the kind, how many are mended, and how many there are."""


def find(newsletters: frozenset[str] | None = None) -> Report:
    """
    Count what differs, without changing anything.

    :param newsletters: look at the policies for these only; ``None`` for all.
    """
    report = Report()
    policies = _policies(newsletters)
    for kind in (Kind.ROWLESS, Kind.ADDRESS, Kind.UNSETTLED, Kind.DEPARTED):
        report.found[kind] = sum(rows.count() for rows, _key in _differing(kind, newsletters))
    gained = {policy.newsletter: _gained(policy).count() for policy in policies}
    lost = {policy.newsletter: _lost(policy).count() for policy in policies}
    report.found[Kind.GAINED], report.found[Kind.LOST] = sum(gained.values()), sum(lost.values())
    for policy in policies:
        name = policy.newsletter
        if report.found[Kind.ROWLESS]:
            gained[name] += _members().filter(_meets(policy), ~_has_row()).count()
        if report.found[Kind.DEPARTED]:
            lost[name] += _of_departed(name).count()
        report.by_newsletter[name] = {"gained": gained[name], "lost": lost[name]}
    report.brakes = _brakes(report)
    return report


def apply(
    newsletters: frozenset[str] | None = None,
    *,
    go: bool = False,
    released: Mapping[str, int] | None = None,
    found: Report | None = None,
    around: Callable[[Kind, list[Any]], AbstractContextManager[None]] | None = None,
    progress: Progress | None = None,
) -> Report:
    """
    Write what differs into the ledger and make it due; the sweeper carries it to Basket.

    Nothing is removed when it would be too much at once, unless ``go`` says so.

    :param released: for each newsletter how many removals an admin has seen and
        released: too much is what goes beyond them.
    :param found: what :func:`find` has just returned.
    :param around: entered around the mending of each chunk, with its keys.
    """
    report = find(newsletters) if found is None else found
    if released:
        report.brakes = _brakes(report, released)
    for kind in Kind:
        if kind in REMOVING and report.brakes and not go:
            continue
        done = 0
        for rows, key in _differing(kind, newsletters) if report.found[kind] else ():
            for chunk in _keyset(rows, key):
                with around(kind, chunk) if around else nullcontext():
                    done += _apply_chunk(kind, chunk)
                if progress is not None:
                    progress(kind, done, report.found[kind])
        report.applied[kind] = done
    _remember(report, go=go)
    return report


def _apply_chunk(kind: Kind, keys: list[Any]) -> int:
    with transaction.atomic():
        if kind is Kind.UNSETTLED:
            return ledger.make_due(keys, "reconcile")
        ledger.evaluate_members(keys, "reconcile")
        return len(keys)


def _remember(report: Report, *, go: bool) -> None:
    """Let admins see that a brake is on, loudly, until it is released or no longer needed."""
    brakes = (
        {}
        if go
        else {
            brake.newsletter: {"removals": brake.removals, "of": brake.subscriptions}
            for brake in report.brakes
        }
    )
    Pulse.now()
    Pulse.objects.filter(pk=1).update(brakes=brakes, reconciled_at=timezone.now())
    for name, numbers in brakes.items():
        logger.error(
            "Reconciliation would remove %d of %d subscriptions to %s: nothing was removed. "
            "If that is right, run: manage.py basket_reconcile --apply --go",
            numbers["removals"],
            numbers["of"],
            name,
        )


def _brakes(report: Report, released: Mapping[str, int] | None = None) -> list[Brake]:
    found = []
    released = released or {}
    for name, numbers in report.by_newsletter.items():
        total = Subscription.objects.filter(newsletter=name, wanted=True).count()
        if too_many(numbers["lost"] - released.get(name, 0), total):
            found.append(Brake(name, numbers["lost"], total))
    return found


def too_many(removals: int, subscriptions: int) -> bool:
    """Whether so many at once need an admin's word."""
    return removals > max(conf.BRAKE_FLOOR, conf.BRAKE_SHARE * subscriptions)


def removals(policy: Policy) -> tuple[QuerySet[Subscription], QuerySet[Subscription]]:
    """What would be removed: of members who don't meet the policy now, and of members gone."""
    return _lost(policy), _of_departed(policy.newsletter)


def _policies(newsletters: frozenset[str] | None) -> list[Policy]:
    return [
        policy
        for policy in get_site().policies
        if newsletters is None or policy.newsletter in newsletters
    ]


def _members() -> QuerySet[Model]:
    return get_site().member_model._base_manager.all()


def _has_row() -> Exists:
    return Exists(Contact.objects.filter(member_id=OuterRef("pk")))


def _meets(policy: Policy, outer: str = "pk") -> Exists:
    return Exists(_members().filter(policy.entitled, pk=OuterRef(outer)))


def _gained(policy: Policy) -> QuerySet[Any]:
    entitled = Subscription.objects.filter(
        contact__member_id=OuterRef("pk"), newsletter=policy.newsletter, entitled=True
    )
    return _members().filter(_meets(policy), _has_row(), ~Exists(entitled))


def _lost(policy: Policy) -> QuerySet[Any]:
    lines = Subscription.objects.filter(newsletter=policy.newsletter, entitled=True)
    member = _members().filter(pk=OuterRef("contact__member_id"))
    return lines.filter(
        Exists(member), ~_meets(policy, "contact__member_id"), contact__member__isnull=False
    )


def _departed() -> QuerySet[Contact]:
    member = _members().filter(pk=OuterRef("member_id"))
    return Contact.objects.filter(~Exists(member), member__isnull=False)


def _of_departed(newsletter: str) -> QuerySet[Subscription]:
    member = _members().filter(pk=OuterRef("contact__member_id"))
    return Subscription.objects.filter(
        ~Exists(member), newsletter=newsletter, wanted=True, contact__member__isnull=False
    )


def _other_address() -> QuerySet[Contact]:
    address = Coalesce(Trim(f"member__{get_site().email}"), Value(""))
    return (
        Contact.objects.filter(~Exists(_departed().filter(pk=OuterRef("pk"))), member__isnull=False)
        .annotate(_address=address)
        .exclude(wanted_email=F("_address"))
    )


def _unsettled() -> QuerySet[Contact]:
    """The rule of ``plan.differs``, in SQL; what differs by case only is no difference there."""
    lines = Subscription.objects.filter(
        Q(wanted=True, state__in=[State.UNKNOWN, State.UNSUBSCRIBED])
        | Q(wanted=False, state__in=[State.UNKNOWN, *HELD]),
        contact=OuterRef("pk"),
        newsletter__in=get_site().newsletters,
    )
    return Contact.objects.filter(
        Exists(lines) | Q(wanted_email=""),
        parked_at__isnull=True,
        leased_until__isnull=True,
        touched_at__lte=F("settled_at"),
    ).exclude(email="")


def _differing(
    kind: Kind, newsletters: frozenset[str] | None
) -> Iterator[tuple[QuerySet[Any], str]]:
    """Querysets of what differs, and the column with the key to mend it by."""
    match kind:
        case Kind.ROWLESS:
            yield _members().filter(~_has_row()), "pk"
        case Kind.ADDRESS:
            yield _other_address(), "member_id"
        case Kind.GAINED:
            for policy in _policies(newsletters):
                yield _gained(policy), "pk"
        case Kind.LOST:
            for policy in _policies(newsletters):
                yield _lost(policy), "contact__member_id"
        case Kind.DEPARTED:
            yield _departed(), "member_id"
        case Kind.UNSETTLED:
            yield _unsettled(), "pk"


def _keyset(rows: QuerySet[Any], key: str) -> Iterator[list[Any]]:
    """The keys in chunks, each by a query of its own, so that memory is bounded."""
    last: Any = None
    while True:
        part = rows if last is None else rows.filter(**{f"{key}__gt": last})
        keys = list(part.order_by(key).values_list(key, flat=True)[:CHUNK])
        if not keys:
            return
        yield keys
        last = keys[-1]
