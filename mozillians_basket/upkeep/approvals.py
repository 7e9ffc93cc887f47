"""
Approvals: questions that only admins can answer, and how their answers are carried out.

A question about a possible loss is about subscriptions that are missing at
Basket; one about a brake is about members whose removals are held back.
"""

import logging
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.text import capfirst

from mozillians_basket.client.breaker import tell_admins
from mozillians_basket.conf import conf
from mozillians_basket.dispatch import send
from mozillians_basket.ledger import history
from mozillians_basket.ledger.share import (
    Context,
    locked_members,
    question_of,
    read,
    rules_settings,
    write,
)
from mozillians_basket.ledger.touches import EXAMPLES, drained_members, held_back, locked_touches
from mozillians_basket.models import (
    Approval,
    Contact,
    Decision,
    Event,
    Member,
    Subscription,
    Suppression,
    alias,
)
from mozillians_basket.rules.rows import DecidedBy, Question, Rows, State, after, make_due
from mozillians_basket.rules.sample import Ending, Sample, end_copies, end_question, is_over, reopen

logger = logging.getLogger("mozillians_basket")

Answer, Kind = Approval.Answer, Approval.Kind

#: The name of the task that carries an answer out.
CARRY_OUT = "mozillians_basket.tasks.carry_out_answer"

#: The answers that an admin may give to each kind of question.
ANSWERS = {Kind.LOSS: (Answer.OPTED_OUT, Answer.LOST), Kind.BRAKE: (Answer.REMOVE,)}

#: The commands that answer a question without the admin's pages.
COMMANDS = {
    Kind.BRAKE: (
        "The page of the question is linked from the overview in the admin. "
        "manage.py basket_reconcile --apply --go approves what is held back."
    ),
    Kind.LOSS: (
        "The page of the question is linked from the overview in the admin. "
        "manage.py basket_reconcile --verify --go answers that they opted out, and --restore that "
        "Basket lost them."
    ),
}

#: The number of contacts or members that are changed in one transaction.
BATCH = 200


def answer(
    approval: Approval, answer: str, actor: Any, *, shown_at: datetime | None = None
) -> bool:
    """
    Answer a question; the worker carries the answer out.

    :param actor: the admin, if it is known.
    :param shown_at: the newest of the removals that the admin saw, from
        :func:`held_back_so_far`; later ones are not approved.
    :return: whether the question was open: the first answer counts.
    :raises ValueError: when it is no answer to this kind of question.
    """
    if answer not in ANSWERS[Kind(approval.kind)]:
        raise ValueError(f"{answer!r} is no answer to a question of the kind {approval.kind!r}.")
    actor_id, shown_at = getattr(actor, "pk", None), shown_at or held_back_so_far(approval)[1]
    with transaction.atomic(using=alias()):
        answered = (
            open_questions()
            .filter(pk=approval.pk, answer="")
            .update(answer=answer, answered_at=timezone.now(), shown_at=shown_at, actor=actor_id)
        )
        if answered:
            context = Context(cause=str(approval), actor_id=actor_id)
            _note(Event.Kind.ANSWERED, approval, answer, context)
            transaction.on_commit(lambda: send(CARRY_OUT, approval.pk), using=alias())
    approval.refresh_from_db(using=alias())
    return bool(answered)


def carry_out(approval_id: int) -> None:
    """
    Carry an answer out, in batches, and close the question at the end.

    It may be stopped anywhere and started again: rows that are done no longer belong
    to the question.
    """
    still_open = open_questions().filter(pk=approval_id)
    approval = still_open.exclude(answer="").first()
    if approval is None:
        return
    if approval.kind == Kind.LOSS:
        _end_question(approval)
        still_open.update(closed_at=timezone.now())
        return
    removals = held_back(approval.newsletter)
    _evaluate(approval, removals.filter(held_back_at__lte=approval.shown_at), _context(approval))
    if still_open.update(closed_at=timezone.now()):  # of others some may go, or admins are asked
        later = removals.filter(held_back_at__gt=approval.shown_at)
        _evaluate(approval, later, Context(cause=str(approval)))


def unfinished() -> list[int]:
    """Return the questions whose answers no worker carries out: it may have died."""
    silent = timezone.now() - timedelta(seconds=conf.LEASE_SECONDS)
    rows = open_questions().annotate(last=Coalesce("carried_at", "answered_at"))
    return list(rows.filter(last__lt=silent).values_list("pk", flat=True))


def open_questions() -> "QuerySet[Approval]":
    """Return the questions that are not closed; the answer of some is being carried out."""
    return Approval.objects.filter(closed_at=None)


def _note(kind: Event.Kind, approval: Approval, outcome: str, context: Context) -> None:
    """Write an event about a question into the history."""
    newsletters = [approval.newsletter]
    history.event(context, kind, newsletters=newsletters, outcome=outcome).save()


def _context(approval: Approval) -> Context:
    priority = Contact.Priority.BULK
    return Context(cause=str(approval), actor_id=approval.actor_id, priority=priority)


def _progress(approval: Approval, number: int) -> None:
    Approval.objects.filter(pk=approval.pk).update(
        progress=F("progress") + number, carried_at=timezone.now()
    )


def concerned(approval: Approval) -> "QuerySet[Any, tuple[Any, datetime | None]]":
    """List the members that a question is about, each with the time when it was found."""
    if approval.kind == Kind.BRAKE:
        removals = held_back(approval.newsletter).order_by("held_back_at", "pk")
        return removals.values_list("member__site_member", "held_back_at")
    missing = about(question_of(approval)).filter(contact__members__site_member__isnull=False)
    rows = missing.order_by("missing_at", "pk")
    return rows.values_list("contact__members__site_member", "missing_at")


def tell_admins_of_questions() -> None:
    """Mail the admins about each open question, once."""
    untold = open_questions().filter(told_at=None)
    for approval in list(untold):
        if not untold.filter(pk=approval.pk).update(told_at=timezone.now()):
            continue  # another worker tells them, or it was closed
        logger.error("%s", approval.sentence)
        tell_admins(
            f"{capfirst(approval.get_kind_display())}: {approval.newsletter}",
            f"{approval.sentence}\n\n{COMMANDS[Kind(approval.kind)]}\n",
        )


# Possible losses.


def ask(newsletter: str, found: Sample, context: Context) -> None:
    """Ask admins about a possible loss, and reopen the opt-outs inferred in the day before."""
    missing = about(Question(newsletter, found.since, found.missing))
    confirmed = subscriptions(newsletter).filter(confirmed_at__isnull=False)
    with transaction.atomic(using=alias()):
        approval, made = Approval.objects.get_or_create(
            newsletter=newsletter,
            kind=Kind.LOSS,
            closed_at=None,
            defaults={"since": found.since, "number": found.missing, "total": confirmed.count()},
        )
        if made:
            approval.examples = [key for key, _at in concerned(approval)[:EXAMPLES]]
            approval.save(update_fields=["examples"])
            _note(Event.Kind.ASKED, approval, approval.kind, context)
    _reopen(approval)
    # Subscriptions lost with their person were settled. Their contacts are looked up again.
    again = Context(cause=context.cause, priority=Contact.Priority.VERIFICATION)
    for ids in in_batches(missing.filter(contact__touched_at=None), "contact_id"):
        with transaction.atomic(using=alias()):
            before = read_contacts(ids)
            rows = before.copy()
            for pk in rows.contacts.keys() & ids:
                make_due(rows.contacts[pk], rows.now)
            write(before, rows, again)


def follow(approval: Approval) -> None:
    """Count the missing of an open question; close it when lookups show most of them again."""
    _reopen(approval)  # an erased mailbox may have come back since, or a worker may have died
    question = question_of(approval)
    number = about(question).count()
    missing = found_missing(question).count()
    unanswered = open_questions().filter(pk=approval.pk, answer="")
    if number > approval.number:
        confirmed = subscriptions(approval.newsletter).filter(confirmed_at__isnull=False)
        # Also those that were reopened or lost with their person since the question was asked.
        unanswered.update(number=number, total=(confirmed | about(question)).count())
    elif is_over(number, missing, question, rules_settings()):
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
    _reopen(approval)
    found = [about(question)]
    if ending == Ending.LOST:
        # Subscriptions that no lookup has shown since it began: ``rules.sample._never_seen``.
        looked_up = Q(contact__looked_up_at__gte=F("confirmed_at"))
        never_seen = subscriptions(question.newsletter).filter(UNSEEN, looked_up)
        found.append(never_seen.filter(contact__looked_up_at__gte=question.since))
    for rows in found:
        for ids in in_batches(rows, "contact_id"):
            with transaction.atomic(using=alias()):
                before = read_contacts(ids)
                write(before, end_question(before, question, ending, ids), _context(approval))
                _progress(approval, len(ids))
    if ending != Ending.ITSELF:
        _end_copies(approval, question, ending)


def _end_copies(approval: Approval, question: Question, ending: Ending) -> None:
    """Apply the answer to copies of inferred opt-outs: of members who moved, and of hashes."""
    name, since = question.newsletter, question.since - rules_settings().reopened
    copies = Decision.objects.filter(newsletter=name, inferred=True, opted_out_at__gte=since)
    for ids in in_batches(copies, "member_id"):
        with transaction.atomic(using=alias()):
            before = read((), locked_members(Q(pk__in=ids)))
            write(before, end_copies(before, question, ending, ids), _context(approval))
    erased = Suppression.objects.filter(newsletters__has_key=name, erased_at__gte=since)
    for ids in in_batches(erased, "pk"):
        with transaction.atomic(using=alias()):
            for row in erased.filter(pk__in=ids).order_by("erased_at").select_for_update():
                if after(row.opt_outs()[name].missing_at, since):
                    row.newsletters[name]["missing_at"] = None
                    if ending == Ending.LOST:
                        del row.newsletters[name]
                    if row.newsletters:
                        row.save()
                    else:
                        row.delete()


# The rules about rows, in SQL. Each names its other form.

#: Subscriptions that Basket has: ``rules.rows.held``.
HELD = Q(confirmed_at__isnull=False) & ~Q(state=State.LOST)

#: Subscriptions that are missing without a conclusion: ``rules.rows.missing``.
MISSING = HELD & Q(missing_at__isnull=False)

#: Subscriptions that no lookup has shown yet: ``rules.rows.unseen``.
UNSEEN = HELD & Q(seen_at=None)

#: Decisions of members who did not opt out: ``Rows.veto``.
NO_VETO = Q(opted_out_at=None, member__opted_out_at=None)

#: Decisions on newsletters that a policy gave: ``rules.brake.gives``.
GIVEN = Q(entitled=True) | Q(wanted=True, decided_by=DecidedBy.POLICY)


def subscriptions(newsletter: str) -> "QuerySet[Subscription]":
    """The subscriptions of a newsletter: ``Rows.of``."""
    return Subscription.objects.filter(newsletter=newsletter)


def about(question: Question) -> "QuerySet[Subscription]":
    """Return the subscriptions of a question: ``rules.sample.about``."""
    since = subscriptions(question.newsletter).filter(missing_at__gte=question.since)
    return subscriptions(question.newsletter).filter(MISSING) | since.exclude(state=State.OPTED_OUT)


def found_missing(question: Question) -> "QuerySet[Subscription]":
    """Return what lookups missed since a question began, not what was confirmed since."""
    found = missing_since(question.newsletter, question.since)
    return found.exclude(confirmed_at__gte=question.since)


def missing_since(newsletter: str, moment: datetime) -> "QuerySet[Subscription]":
    """Return what lookups missed since then, if it was not taken for an opt-out before."""
    since = subscriptions(newsletter).filter(missing_at__gte=moment, opted_out_at=None)
    return since.exclude(state=State.OPTED_OUT)


# Brakes.


def held_back_so_far(approval: Approval) -> tuple[int, datetime]:
    """
    Count what a brake holds back, and say when the newest of it was held back.

    No removal is held back with an earlier time after that, as workers that hold
    removals back wait for each other.
    """
    found = held_back(approval.newsletter).aggregate(number=Count("pk"), at=Max("held_back_at"))
    return found["number"], found["at"] or approval.since


def count_held_back() -> None:
    """Count what each open brake holds back, and close the brakes that hold nothing back."""
    unanswered = open_questions().filter(kind=Kind.BRAKE, answer="")
    for approval in unanswered:
        this = unanswered.filter(pk=approval.pk)
        number, now = held_back(approval.newsletter).count(), timezone.now()
        if not number:
            this.update(answer=Answer.ITSELF, answered_at=now, closed_at=now)
        elif number != approval.number:
            this.update(number=number)


def _evaluate(approval: Approval, removals: "QuerySet[Decision]", context: Context) -> None:
    """Evaluate members who are held back; approved removals are carried out."""
    for ids in in_batches(removals, "member_id"):
        with transaction.atomic(using=alias()):
            members = Member.objects.filter(pk__in=ids)
            keys = list(members.values_list("site_member", flat=True))
            touches = locked_touches(keys)
            locked_members(Q(pk__in=ids))
            waiting = held_back(approval.newsletter).filter(member__in=ids)
            number = waiting.count()
            # A deleted member leaves all newsletters at once, so an approval counts until each
            # other brake that holds the member back is answered too.
            answered = Approval.objects.filter(
                kind=Kind.BRAKE,
                answer=Answer.REMOVE,
                newsletter=OuterRef("newsletter"),
                shown_at__gte=OuterRef("held_back_at"),
            )
            decided = Decision.objects.filter(Exists(answered), member__in=ids)
            approved = set(decided.values_list("member__site_member", "newsletter"))
            drained = drained_members(touches, keys, approved=approved, context=context)
            write(drained.before, drained.after, context)
            _progress(approval, number - waiting.count())


# Rows in batches.


def read_contacts(contact_ids: Collection[int]) -> Rows:
    """Lock the members at some contacts and the contacts, and read all that bears on them."""
    locked_members(Q(contact__in=contact_ids))
    return read(contact_ids)


def in_batches(
    rows: "QuerySet[Any]", key: str, *columns: str, size: int | None = None
) -> Iterator[dict[Any, list[Any]]]:
    """
    Read columns of rows by a key, in its order, each batch by a query of its own.

    So memory is bounded, and rows that the caller has changed since may be left out.
    """
    last = None
    while True:
        rest = rows if last is None else rows.filter(**{f"{key}__gt": last})
        found = rest.order_by(key).values_list(key, *columns)[: size or BATCH]
        batch = {value: others for value, *others in found}
        if not batch:
            return
        yield batch
        last = next(reversed(batch))
