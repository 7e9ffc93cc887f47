"""
Verification of the ledger against Basket, and the control samples that tell losses.

The rules are those of ``rules.sample``. The rows that they judge are found by SQL, so
that a newsletter may have any size.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, Exists, F, Min, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from mozillians_basket.ledger.share import Context, rules_settings, write
from mozillians_basket.models import Contact, Decision, Member, Status, Subscription, alias
from mozillians_basket.rules.rows import State
from mozillians_basket.rules.sample import (
    MOMENTS,
    RECENT,
    Sample,
    Verdict,
    control_sample,
    nearest,
    opt_out_missing,
    verdict,
)
from mozillians_basket.site import get_site
from mozillians_basket.upkeep import approvals
from mozillians_basket.upkeep.approvals import (
    HELD,
    MISSING,
    UNSEEN,
    in_batches,
    missing_since,
    read_contacts,
    subscriptions,
)

#: The most contacts that one verification goes through, to find those that need it.
SCAN = 1000

CONTROL_SAMPLE = Context(cause="control sample")


def verify(limit: int | None) -> int:
    """
    Make contacts due to verify them; return their number.

    Contacts with a subscription that no lookup has shown yet go first, then the
    contacts looked up longest ago.

    :param limit: the largest number; ``None`` for all.
    """
    if limit is None:
        verifiable = _idle().filter(_needs_verification())
        number = sum(_make_due(ids) for ids in in_batches(verifiable, "pk"))
    else:
        idle = Exists(_idle().filter(pk=OuterRef("contact")))
        waiting = Subscription.objects.filter(UNSEEN, idle)
        first = waiting.order_by("confirmed_at").values_list("contact_id", flat=True)[:limit]
        number = _make_due(set(first))
        number += _make_due(_longest_unverified(limit - number))
    Status.note("verified_at")
    return number


def _longest_unverified(limit: int) -> list[int]:
    """
    Choose the contacts looked up longest ago that have something to verify.

    Each call goes on where the last one ended, and starts over at the end. So contacts
    with nothing to verify, which are never looked up again, are not read each time.
    """
    reached = Status.read().verified_to
    contacts = _idle().filter(looked_up_at__isnull=False).order_by("looked_up_at", "pk")
    if reached is not None:
        contacts = contacts.filter(looked_up_at__gte=reached)
    end = contacts.values_list("looked_up_at", flat=True)[SCAN : SCAN + 1].first()
    near = contacts.filter(_needs_verification())
    near = near if end is None else near.filter(looked_up_at__lte=end)
    chosen = list(near.values_list("pk", "looked_up_at")[:limit])
    if len(chosen) == limit:
        reached = chosen[-1][1] if chosen else reached
    else:
        reached = None if end is None else end + timedelta(microseconds=1)
    Status.objects.filter(pk=1).update(verified_to=reached)
    return [pk for pk, _looked_up_at in chosen]


def _idle() -> "QuerySet[Contact]":
    """Contacts that are not due, leased or parked."""
    return Contact.objects.filter(touched_at=None, parked=False, lease="")


def _needs_verification() -> Q:
    """
    Choose the contacts that have something to verify: also what they opted out of or lost.

    People who opted out may come back, and a restored backup of Basket may undo a removal.
    """
    rows = Subscription.objects.filter(contact=OuterRef("pk"))
    known = Q(confirmed_at__isnull=False) | Q(state__in=[State.LOST, State.OPTED_OUT])
    members = Member.objects.filter(contact=OuterRef("pk"))
    decisions = Decision.objects.filter(member__contact=OuterRef("pk"))
    return (
        Q(Exists(rows.filter(known | Q(removed_at__isnull=False))))
        | Q(Exists(members.filter(opted_out_at__isnull=False)))
        | Q(Exists(decisions.filter(opted_out_at__isnull=False)))
    )


def _make_due(contact_ids: Collection[int]) -> int:
    """Touch the contacts that are still idle, for verification; return their number."""
    with transaction.atomic(using=alias()):
        return _locked(_idle(), contact_ids).update(
            touched_at=timezone.now(),
            not_before=None,
            priority=Contact.Priority.VERIFICATION,
            cause="verification",
            actor=None,
        )


def _locked(contacts: "QuerySet[Contact]", contact_ids: Collection[int]) -> "QuerySet[Contact]":
    """Lock some of these contacts in the order of their keys."""
    rows = contacts.filter(pk__in=contact_ids).order_by("pk").select_for_update(no_key=True)
    locked = list(rows.values_list("pk", flat=True))
    return Contact.objects.filter(pk__in=locked)


# Losses: the control sample.


def conclude() -> bool:
    """
    Decide on missing subscriptions, and close questions that are over.

    It costs one indexed query for each newsletter while nothing is missing. Returns
    whether contacts may have become due.
    """
    concluded = False
    questions = approvals.open_questions().filter(kind=approvals.Kind.LOSS)
    asked = {question.newsletter: question for question in questions}
    for name in sorted(get_site().newsletters):
        if name in asked:
            if not asked[name].answer:
                approvals.follow(asked[name])
        elif _undecided(name, timezone.now()).exists():
            _conclude(name)
            concluded = True
    return concluded


def _conclude(newsletter: str) -> None:
    """Conclude from the control sample of a newsletter, or have its contacts looked up first."""
    # The sample says nothing about subscriptions that are found missing after it was read.
    judged = next(in_batches(subscriptions(newsletter).filter(MISSING), "contact_id"), {})
    found = sample(newsletter, timezone.now())
    if found is None:
        return
    match verdict(found, rules_settings()):
        case Verdict.LOOK_UP:
            _look_up_first(found)
        case Verdict.ASK:
            approvals.ask(newsletter, found, CONTROL_SAMPLE)
        case Verdict.OPTED_OUT:
            with transaction.atomic(using=alias()):
                before = read_contacts(judged)
                if before.question(newsletter) is None:
                    write(before, opt_out_missing(before, newsletter, judged), CONTROL_SAMPLE)


def sample(newsletter: str, now: datetime) -> Sample | None:
    """
    Read the control sample of a newsletter; ``None`` while nothing is missing undecided.

    At most ``sample_size`` contacts are read; the others are counted.
    """
    settings, mine = rules_settings(), subscriptions(newsletter)
    undecided = _undecided(newsletter, now)
    since = undecided.aggregate(since=Min("missing_at"))["since"]
    if since is None:
        return None
    first = undecided.order_by("missing_at", "contact_id")
    moments = [at for at in first.values_list("confirmed_at", flat=True)[:MOMENTS] if at]
    others = mine.filter(HELD, missing_at=None)
    usable = others.filter(contact__parked=False).values_list("contact_id", "confirmed_at")
    around: dict[int, datetime] = {}
    for moment in set(moments):
        before = usable.filter(confirmed_at__lte=moment).order_by("-confirmed_at", "contact_id")
        later = usable.filter(confirmed_at__gt=moment).order_by("confirmed_at", "contact_id")
        for side in (before, later):
            around |= {pk: at for pk, at in side[: settings.sample_size] if at}
    chosen = nearest(around.items(), moments, settings.sample_size)
    contacts = Contact.objects.in_bulk(chosen)
    # A subscription seen since then has a contact looked up since then, and that column has
    # an index.
    seen = others.filter(contact__looked_up_at__gte=since, seen_at__gte=since).count()
    gone = missing_since(newsletter, since).count()
    near = [contacts[pk] for pk in chosen if pk in contacts]
    return control_sample(settings, since, near, seen=seen, gone=gone)


def _undecided(newsletter: str, now: datetime) -> "QuerySet[Subscription]":
    """Return the missing subscriptions, and those recently lost with their person."""
    lost = subscriptions(newsletter).filter(state=State.LOST, missing_at__gt=now - RECENT)
    return subscriptions(newsletter).filter(MISSING) | lost


def _look_up_first(found: Sample) -> None:
    """Have the contacts of a sample looked up before contacts that were touched since."""
    waits = Q(touched_at=None) | Q(attempts=0, not_before__isnull=False)
    later = Q(waits | Q(priority__gt=CONTROL_SAMPLE.priority), lease="")
    with transaction.atomic(using=alias()):
        contacts = Contact.objects.filter(later)
        _locked(contacts, found.look_up).update(
            touched_at=Coalesce("touched_at", Value(found.since)),
            not_before=Case(When(attempts=0, then=None), default=F("not_before")),
            priority=CONTROL_SAMPLE.priority,
            cause=CONTROL_SAMPLE.cause,
            actor=None,
        )
