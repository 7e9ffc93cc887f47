"""What a released brake would let go: counted afresh, in a time that a page can wait."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db.models import Max, QuerySet

from mozillians_basket.models import Contact, Pulse, Subscription
from mozillians_basket.reconcile import removals
from mozillians_basket.releases import Numbers
from mozillians_basket.site import Policy, get_site
from mozillians_basket.states import HELD

#: Seconds in which the page counts.
PATIENCE = 1.0

#: Seconds in which it looks for examples of one kind.
PATIENCE_FOR_EXAMPLES = 0.2

#: How many keys one query looks at, so that the time can be watched in between. A database may
#: read the whole of the members' table for each.
SLICE = 250_000

#: How many members of each kind are shown.
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Removals:
    """What would be removed from one newsletter."""

    newsletter: str
    not_entitled: int
    """Members who don't meet the policy any more."""

    gone: int
    """Members who are gone."""

    of: int
    """How many are wanted now."""

    @property
    def number(self) -> int:
        """All that would be removed."""
        return self.not_entitled + self.gone


@dataclass(frozen=True, slots=True)
class HeldBack:
    """All that would be removed."""

    removals: tuple[Removals, ...]
    counted: bool
    """Whether it was counted to the end just now; else it is what the last comparison found."""

    @property
    def numbers(self) -> Numbers:
        """What an admin releases who has seen this."""
        return {row.newsletter: (row.number, row.of) for row in self.removals}


def count_removals(patience: float = PATIENCE) -> HeldBack:
    """
    Count what the reconciler would remove now, by policy.

    :param patience: after so many seconds take the numbers of the last comparison.
    """
    deadline = monotonic() + patience
    found = []
    for policy in get_site().policies:
        row = _count_policy(policy, deadline)
        if row is None:
            return _of_last_comparison()
        if row.number:
            found.append(row)
    return HeldBack(tuple(found), counted=True)


def _count_policy(policy: Policy, deadline: float) -> Removals | None:
    counts = []
    for rows in removals(policy):
        number = 0
        for part in _slices(rows):
            if monotonic() > deadline:
                return None
            number += part.count()
        counts.append(number)
    not_entitled, gone = counts
    of = Subscription.objects.filter(newsletter=policy.newsletter, wanted=True).count()
    return Removals(policy.newsletter, not_entitled, gone, of)


def _of_last_comparison() -> HeldBack:
    return HeldBack(
        tuple(
            Removals(name, numbers["removals"], 0, numbers["of"])
            for name, numbers in sorted(Pulse.now().brakes.items())
        ),
        counted=False,
    )


def _slices(rows: QuerySet[Any]) -> Iterator[QuerySet[Any]]:
    last = Subscription.objects.aggregate(last=Max("pk"))["last"] or 0
    for start in range(0, last, SLICE):
        yield rows.filter(pk__gt=start, pk__lte=start + SLICE)


def examples_of_removals(held_back: HeldBack) -> Iterator[tuple[str, list[Contact], list[Contact]]]:
    """For each newsletter some who don't meet its policy any more, and some who are gone."""
    counted = {row.newsletter: row for row in held_back.removals}
    for policy in get_site().policies:
        row = counted.get(policy.newsletter)
        if row is None:
            continue
        lost, gone = removals(policy)
        yield (
            policy.newsletter,
            _some(lost) if row.not_entitled else [],
            _some(gone) if row.gone else [],
        )


def examples_of_losses(newsletter: str) -> list[Contact]:
    """Some whose subscription was found gone at Basket."""
    return _some(
        Subscription.objects.filter(newsletter=newsletter, missing_at__isnull=False, state__in=HELD)
    )


def _some(rows: QuerySet[Any]) -> list[Contact]:
    """Contacts of the first of these lines, as far as they are found in time."""
    deadline = monotonic() + PATIENCE_FOR_EXAMPLES
    found: list[Contact] = []
    for part in _slices(rows):
        more = part.select_related("contact").order_by("pk")[: EXAMPLES - len(found)]
        found += [line.contact for line in more]
        if len(found) == EXAMPLES or monotonic() > deadline:
            break
    return found
