"""
Approvals: questions that only admins can answer, and how their answers are carried out.

A question about a possible loss is about subscriptions that are missing at
Basket; one about a brake is about members whose removals are held back.
"""

import logging
from collections.abc import Collection, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from mozillians_basket.client import breaker
from mozillians_basket.conf import conf
from mozillians_basket.dispatch import send
from mozillians_basket.ledger import history
from mozillians_basket.ledger.share import (
    Context,
    alias,
    locked_members,
    read,
    rules_settings,
    write,
)
from mozillians_basket.ledger.touches import (
    EXAMPLES,
    drained_members,
    held_back,
    locked_touches,
)
from mozillians_basket.models import (
    Approval,
    Contact,
    Event,
    Member,
    Subscription,
)
from mozillians_basket.rules.brake import Brake
from mozillians_basket.rules.rows import Question, Rows, State, touch
from mozillians_basket.rules.sample import Ending, Sample, end_question, is_over, reopen

logger = logging.getLogger("mozillians_basket")

Answer, Kind = Approval.Answer, Approval.Kind

#: The name of the task that carries an answer out.
CARRY_OUT = "mozillians_basket.tasks.carry_out_answer"

#: The answers that an admin may give to each kind of question.
ANSWERS = {Kind.LOSS: (Answer.OPTED_OUT, Answer.LOST), Kind.BRAKE: (Answer.REMOVE,)}

#: How many contacts or members are changed in one transaction.
BATCH = 200


def answer(approval: Approval, answer: str, actor: Any) -> bool:
    """
    Answer a question, as an admin saw it; the worker carries the answer out.

    :param approval: as the admin saw it: its ``number`` is what the answer covers.
    :param actor: the admin, if it is known.
    :return: whether the question was open: the first answer counts.
    :raises ValueError: when it is no answer to this kind of question.
    """
    if answer not in ANSWERS[Kind(approval.kind)]:
        raise ValueError(f"{answer!r} is no answer to a question of the kind {approval.kind!r}.")
    context = Context(cause=str(approval), actor_id=getattr(actor, "pk", None))
    with transaction.atomic(using=alias()):
        answered = (
            _open(Kind(approval.kind))
            .filter(pk=approval.pk)
            .update(
                answer=answer,
                actor=context.actor_id,
                answered_at=timezone.now(),
                covers=approval.number,
            )
        )
        if answered:
            note = partial(history.event, context, newsletters=[approval.newsletter])
            note(Event.Kind.ANSWERED, outcome=answer).save(using=alias())
            transaction.on_commit(lambda: send(CARRY_OUT, approval.pk), using=alias())
    approval.refresh_from_db(using=alias())
    return bool(answered)


def carry_out(approval_id: int) -> None:
    """
    Carry an answer out, in batches, and close the question at the end.

    It may be stopped anywhere and started again: rows that are done no longer belong
    to the question. While it is open nothing else is concluded or removed.
    """
    approval = Approval.objects.using(alias()).filter(pk=approval_id, closed_at=None).first()
    if approval is None or not approval.answer:
        return
    unclosed = Approval.objects.using(alias()).filter(pk=approval_id, closed_at=None)
    if approval.kind == Kind.LOSS:
        _end_question(approval)
        unclosed.update(closed_at=timezone.now())
        return
    not_covered = _remove(approval)
    if unclosed.update(closed_at=timezone.now()):
        for ids in in_batches(not_covered, "pk"):  # some may go, or admins are asked again
            with transaction.atomic(using=alias()):
                members = list(Member.objects.using(alias()).filter(pk__in=ids))
                _evaluate(members, Context(cause=str(approval)))


def notify() -> None:
    """Mail open questions to admins, each once."""
    untold = Approval.objects.using(alias()).filter(closed_at=None, notified_at=None)
    for approval in untold:
        if untold.filter(pk=approval.pk).update(notified_at=timezone.now()):
            subject = f"{approval.newsletter}: {approval.get_kind_display()}"
            breaker.tell_admins(subject, f"{approval.sentence}\n")


def unfinished() -> list[int]:
    """Return the questions whose answers no worker carries out: it may have died."""
    silent = timezone.now() - timedelta(seconds=conf.LEASE_SECONDS)
    rows = Approval.objects.using(alias()).annotate(last=Coalesce("carried_at", "answered_at"))
    return list(rows.filter(closed_at=None, last__lt=silent).values_list("pk", flat=True))


def _open(kind: Approval.Kind) -> "QuerySet[Approval]":
    """Questions that are not answered yet."""
    return Approval.objects.using(alias()).filter(kind=kind, closed_at=None, answer="")


def _context(approval: Approval) -> Context:
    priority = Contact.Priority.BULK
    return Context(cause=str(approval), actor_id=approval.actor_id, priority=priority)


def _progress(approval: Approval, number: int) -> None:
    rows = Approval.objects.using(alias()).filter(pk=approval.pk)
    rows.update(progress=F("progress") + number, carried_at=timezone.now())


# Possible losses.


def ask(newsletter: str, found: Sample, context: Context) -> None:
    """Ask admins about a possible loss, and reopen the opt-outs inferred in the day before."""
    missing = about(Question(newsletter, found.since, found.missing))
    members = missing.filter(contact__members__site_member__isnull=False).order_by("missing_at")
    keys = members.values_list("contact__members__site_member", flat=True)
    confirmed = subscriptions(newsletter).filter(confirmed_at__isnull=False)
    with transaction.atomic(using=alias()):
        approval, made = Approval.objects.using(alias()).get_or_create(
            newsletter=newsletter,
            kind=Kind.LOSS,
            closed_at=None,
            defaults={
                "since": found.since,
                "number": found.missing,
                "total": confirmed.count(),
                "examples": [str(key) for key in keys[:EXAMPLES]],
            },
        )
        if made:
            note = partial(history.event, context, newsletters=[newsletter])
            note(Event.Kind.ASKED, outcome=approval.kind).save(using=alias())
    if made:
        logger.error(
            "%d of %d subscriptions to %s that were looked up are missing at Basket. Nothing is "
            "concluded from that, and they are left alone until an admin answers: they opted "
            "out, or Basket lost them.",
            found.missing,
            found.looked_up,
            newsletter,
        )
    _reopen(approval)
    # Subscriptions lost with their person were settled. Their contacts are looked up again.
    again = Context(cause=context.cause, priority=Contact.Priority.VERIFICATION)
    for ids in in_batches(missing.filter(contact__touched_at=None), "contact_id"):
        with transaction.atomic(using=alias()):
            before = read_contacts(ids)
            rows = before.copy()
            for pk in rows.contacts.keys() & ids:
                touch(rows.contacts[pk], rows.now)
            write(before, rows, again)


def follow(approval: Approval) -> None:
    """Count the missing of an open question; close it when lookups show most of them again."""
    _reopen(approval)  # a worker may have died before it finished this
    question = question_of(approval)
    number, found_missing = about(question).count(), _found_missing(question).count()
    unanswered = _open(Kind.LOSS).filter(pk=approval.pk)
    if number > approval.number:
        unanswered.update(number=number)
    elif is_over(number, found_missing, question, rules_settings()):
        now = timezone.now()
        if unanswered.update(answer=Answer.ITSELF, answered_at=now, carried_at=now):
            carry_out(approval.pk)


def _reopen(approval: Approval) -> None:
    """Reopen the opt-outs that were inferred in the day before a question."""
    question = question_of(approval)
    inferred = subscriptions(approval.newsletter).filter(
        state=State.OPTED_OUT, missing_at__gte=question.since - rules_settings().reopened
    )
    for ids in in_batches(inferred, "contact_id"):
        with transaction.atomic(using=alias()):
            before = read_contacts(ids)
            write(before, reopen(before, question, ids), _context(approval))


def _end_question(approval: Approval) -> None:
    """Apply the answer to all subscriptions that a question is about."""
    question, ending = question_of(approval), Ending(approval.answer)
    found = [about(question)]
    if ending == Ending.LOST:
        found.append(_never_seen(question))
    for rows in found:
        for ids in in_batches(rows, "contact_id"):
            with transaction.atomic(using=alias()):
                before = read_contacts(ids)
                write(before, end_question(before, question, ending, ids), _context(approval))
                _progress(approval, len(ids))


def question_of(approval: Approval) -> Question:
    """Return a question as the rules know it."""
    return Question(approval.newsletter, approval.since, approval.number, approval.closed_at)


def open_questions() -> dict[str, Approval]:
    """The questions about a possible loss that are not closed, by newsletter."""
    rows = Approval.objects.using(alias()).filter(kind=Kind.LOSS, closed_at=None)
    return {row.newsletter: row for row in rows}


# The rules about rows, in SQL. Each names its other form.


def subscriptions(newsletter: str) -> "QuerySet[Subscription]":
    """The subscriptions of a newsletter: ``Rows.of``."""
    return Subscription.objects.using(alias()).filter(newsletter=newsletter)


def missing_undecided(newsletter: str) -> "QuerySet[Subscription]":
    """Return the missing subscriptions without a conclusion: ``rules.rows.missing``."""
    rows = subscriptions(newsletter).filter(missing_at__isnull=False, confirmed_at__isnull=False)
    return rows.exclude(state=State.LOST)


def unseen() -> "QuerySet[Subscription]":
    """Return the subscriptions that no lookup has shown yet: ``rules.rows.unseen``."""
    rows = Subscription.objects.using(alias()).filter(confirmed_at__isnull=False, seen_at=None)
    return rows.exclude(state=State.LOST)


def about(question: Question) -> "QuerySet[Subscription]":
    """Return the subscriptions of a question: ``rules.sample._missing_since``."""
    return missing_undecided(question.newsletter) | _found_missing(question)


def _found_missing(question: Question) -> "QuerySet[Subscription]":
    """Return what lookups missed since a question began: ``rules.sample._found_missing``."""
    since = subscriptions(question.newsletter).filter(missing_at__gte=question.since)
    return since.exclude(state=State.OPTED_OUT)


def _never_seen(question: Question) -> "QuerySet[Subscription]":
    """Return those that no lookup has shown since it began: ``rules.sample._never_seen``."""
    rows = unseen().filter(newsletter=question.newsletter)
    rows = rows.filter(contact__looked_up_at__gte=question.since)
    return rows.filter(contact__looked_up_at__gte=F("confirmed_at"))


# Brakes.


def close_brakes() -> None:
    """Close the open brakes of newsletters that no member is held back from any more."""
    now = timezone.now()
    over = _open(Kind.BRAKE).filter(~Exists(held_back(OuterRef("newsletter"))))
    over.update(answer=Answer.ITSELF, answered_at=now, closed_at=now)


def _remove(approval: Approval) -> "QuerySet[Member]":
    """
    Apply the removals that an admin approved: those held back longest, as many as were shown.

    The others are covered too if they are no more than policies may remove in an hour.
    Returns the held back members who are not covered.
    """
    context, rest = _context(approval), Q()
    while True:
        waiting = Member.objects.using(alias()).filter(held_back_at__isnull=False)
        approval.refresh_from_db(using=alias())
        left = approval.covers - approval.progress
        if Brake(confirmed=approval.total).allows(waiting.count() - left, rules_settings()):
            left = BATCH
        page = waiting.filter(rest).order_by("held_back_at", "pk")
        found = list(page[: max(min(left, BATCH), 0)])
        if not found:
            return waiting.filter(rest)
        at, last = found[-1].held_back_at, found[-1].pk
        rest = Q(held_back_at__gt=at) | Q(held_back_at=at, pk__gt=last)
        with transaction.atomic(using=alias()):
            released = _evaluate(found, context, approved=_approved(approval, found))
            _progress(approval, released)


def _approved(approval: Approval, members: Collection[Member]) -> set[tuple[Any, str]]:
    """
    Pair members with the newsletters that they may be removed from.

    A deleted member leaves all newsletters at once. So an earlier approval still
    counts for the members it covered, unless a brake is on for its newsletter again.
    """
    pairs = {(member.site_member_id, approval.newsletter) for member in members}
    brakes = Approval.objects.using(alias()).filter(kind=Kind.BRAKE)
    on = brakes.filter(closed_at=None).values_list("newsletter", flat=True)
    held_back = {m.site_member_id: m.held_back_at for m in members if m.held_back_at}
    earlier = brakes.filter(answer=Answer.REMOVE, answered_at__gte=min(held_back.values()))
    for row in earlier.exclude(newsletter__in=list(on)):
        until = row.answered_at or row.since
        pairs |= {(k, row.newsletter) for k, at in held_back.items() if row.since <= at <= until}
    return pairs


def _evaluate(
    members: Collection[Member], context: Context, *, approved: Collection[tuple[Any, str]] = ()
) -> int:
    """Evaluate members in an open transaction; return how many are not held back any more."""
    keys = [member.site_member_id for member in members]
    drained = drained_members(locked_touches(keys), keys, approved=approved, context=context)
    write(drained.before, drained.after, context)
    held_back = {pk for pk, row in drained.before.members.items() if row.held_back_at}
    still = {pk for pk, row in drained.after.members.items() if row.held_back_at}
    return len(held_back - still)


# Rows in batches.


def read_contacts(contact_ids: Collection[int]) -> Rows:
    """Lock the members at some contacts and the contacts, and read all that bears on them."""
    locked_members(Q(contact__in=contact_ids))
    return read(contact_ids)


def in_batches(rows: "QuerySet[Any]", column: str) -> Iterator[list[int]]:
    """Yield the distinct values of a column with keys, in order, a batch at a time."""
    last = 0
    while True:
        found = rows.filter(**{f"{column}__gt": last}).order_by(column)
        ids = list(dict.fromkeys(found.values_list(column, flat=True)[:BATCH]))
        if not ids:
            return
        yield ids
        last = ids[-1]
