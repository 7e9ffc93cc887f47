"""Answers of admins are carried out once, completely, and only for what the question named."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import decisions
from mozillians_basket.models import Approval, Contact, Event, Member, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import approvals
from project.groups.models import Group, Membership
from project.people.models import UserProfile
from tests.brokers import Commit
from tests.factories import GroupFactory, MembershipFactory, VouchFactory
from tests.upkeep.crowds import (
    NDA,
    PHONE,
    holders,
    look_up,
    lose,
    opt_outs,
    question,
    sweep,
    verify,
    vouched,
)

pytestmark = pytest.mark.crowds

Answer = Approval.Answer


class Killed(Exception):
    """The worker is killed."""


@contextmanager
def killed_after(statements: int) -> Iterator[None]:
    """Kill the worker in the block after this number of writes."""
    count = 0

    def count_writes(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal count
        count += sql.startswith(("INSERT", "UPDATE", "DELETE"))
        if count > statements:
            raise Killed
        return execute(sql, *rest)

    with connection.execute_wrapper(count_writes), pytest.raises(Killed):
        yield
    connection.set_rollback(False)  # the test's own transaction; a worker has none around it


def answered(answer: Answer, actor: User | None = None) -> Approval:
    """Answer the open question."""
    approval = Approval.objects.get(closed_at=None)
    assert approvals.answer(approval, answer, actor)
    return approval


def carried_out(answer: Answer) -> Approval:
    approval = answered(answer)
    tasks.carry_out_answer.apply((approval.pk,))
    sweep(4)
    approval.refresh_from_db()
    return approval


# Possible losses.


@pytest.mark.parametrize("what", ["people", "newsletter"])
def test_lost_subscription_is_subscribed_again_where_it_is_wanted(
    basket: SandboxServer, what: str
) -> None:
    emails = vouched(50)
    lose(basket, what, emails)
    verify()
    UserProfile.objects.filter(user__email=emails[0]).update(is_vouched=False)
    tasks.reconcile()

    approval = carried_out(Answer.LOST)

    assert holders(basket) == set(emails[1:])
    assert opt_outs() == 0
    assert approval.closed_at is not None
    assert approval.progress == 50


def test_lost_subscription_that_is_found_missing_after_the_answer_is_subscribed_again(
    basket: SandboxServer,
) -> None:
    emails = vouched(53)
    lose(basket, "newsletter", emails)
    look_up(emails[0])
    sweep(4)
    not_asked_for = Subscription.objects.filter(missing_at=None, newsletter=PHONE).count()

    carried_out(Answer.LOST)
    verify()

    assert 0 < not_asked_for < 3
    assert holders(basket) == set(emails)
    assert opt_outs() == 0


def test_opt_outs_that_basket_had_shown_are_not_restored(basket: SandboxServer) -> None:
    emails = vouched(50)
    basket.put_person(emails[0], newsletters=[], optout=True)
    verify()
    lose(basket, "newsletter", emails[1:])
    verify()

    carried_out(Answer.LOST)

    assert holders(basket) == set(emails[1:])


def test_opt_outs_inferred_before_the_loss_was_noticed_are_restored(basket: SandboxServer) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails[:2])
    look_up(*emails[:2])
    sweep(4)
    assert opt_outs() == 2
    lose(basket, "newsletter", emails)
    verify()

    carried_out(Answer.LOST)

    assert holders(basket) == set(emails)


@pytest.mark.parametrize("answer", [Answer.LOST, Answer.OPTED_OUT])
def test_opt_outs_inferred_before_the_loss_are_answered_for_those_who_moved_or_left_since(
    basket: SandboxServer, answer: Answer
) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails[:2])
    look_up(*emails[:2])
    sweep(4)
    mover, leaver = User.objects.filter(email__in=emails[:2]).order_by("email")
    old, left, mover.email = mover.email, leaver.email, "moved@example.com"
    mover.save()
    leaver.delete()
    sweep(4)
    assert not Contact.objects.filter(key__in=[old, left]).exists()

    lose(basket, "newsletter", emails)
    verify()
    carried_out(answer)
    VouchFactory.create(vouchee__user__email=left)
    sweep(4)

    restored = {*emails[2:], mover.email, left}
    assert holders(basket) == (restored if answer == Answer.LOST else set())


def test_mailbox_that_comes_back_while_the_question_is_open_waits_for_the_answer(
    basket: SandboxServer,
) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails[:1])
    look_up(emails[0])
    sweep(4)
    User.objects.get(email=emails[0]).delete()
    sweep(4)
    lose(basket, "newsletter", emails)
    verify()

    VouchFactory.create(vouchee__user__email=emails[0])
    sweep(4)
    assert holders(basket) == set()
    carried_out(Answer.LOST)

    assert holders(basket) == set(emails)


def test_subscription_that_no_lookup_had_shown_before_the_loss_is_restored(
    basket: SandboxServer,
) -> None:
    emails = vouched(50)
    newest = VouchFactory.create().vouchee.user.email
    sweep(2)
    lose(basket, "people", [])
    verify()

    carried_out(Answer.LOST)

    assert holders(basket) == {*emails, newest}


def test_answer_that_they_opted_out_stands_against_the_policy(basket: SandboxServer) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails)
    verify()

    approval = carried_out(Answer.OPTED_OUT)
    UserProfile.objects.filter(user__email=emails[0]).update(is_vouched=False)
    tasks.reconcile()
    UserProfile.objects.filter(user__email=emails[0]).update(is_vouched=True)
    tasks.reconcile()
    sweep(4)

    assert holders(basket) == set()
    assert opt_outs() == 50
    assert approval.closed_at is not None


def test_member_who_opted_in_since_is_subscribed_although_they_opted_out(
    basket: SandboxServer,
) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails)
    verify()
    member = UserProfile.objects.get(user__email=emails[0])
    decisions.choose(member.pk, [PHONE], subscribe=True)
    sweep(4)
    assert holders(basket) == set()

    carried_out(Answer.OPTED_OUT)

    assert holders(basket) == {emails[0]}
    assert opt_outs() == 49


@pytest.mark.parametrize("answer", [Answer.LOST, Answer.OPTED_OUT])
@pytest.mark.parametrize("writes", [0, 7, 23])
def test_answer_whose_worker_was_killed_is_carried_out_completely(
    basket: SandboxServer, monkeypatch: pytest.MonkeyPatch, answer: Answer, writes: int
) -> None:
    monkeypatch.setattr(approvals, "BATCH", 7)
    emails = vouched(50)
    lose(basket, "newsletter", emails)
    verify()
    approval = answered(answer)
    with killed_after(writes):
        approvals.carry_out(approval.pk)
    sweep(4)
    assert question() is not None

    approvals.carry_out(approval.pk)
    sweep(4)

    assert holders(basket) == (set(emails) if answer == Answer.LOST else set())
    assert opt_outs() == (0 if answer == Answer.LOST else 50)
    assert question() is None


def test_answer_that_nobody_carries_out_is_taken_up_again(basket: SandboxServer) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails)
    verify()
    approval = answered(Answer.LOST)

    tasks.verify()
    assert question() is not None
    long_ago = timezone.now() - timedelta(minutes=10)
    Approval.objects.update(answered_at=long_ago)
    tasks.verify()
    sweep(4)

    approval.refresh_from_db()
    assert approval.closed_at is not None
    assert holders(basket) == set(emails)


def test_worker_is_told_of_an_answer(
    basket: SandboxServer, commit: Commit, admin_user: User
) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails)
    verify()

    with commit():
        approval = answered(Answer.LOST, admin_user)
    sweep(4)

    event = Event.objects.get(kind=Event.Kind.ANSWERED)
    assert (event.actor, event.newsletters, event.outcome) == (admin_user, [PHONE], "lost")
    assert approval.actor == admin_user
    assert holders(basket) == set(emails)


def test_only_the_first_answer_counts(basket: SandboxServer) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails)
    verify()
    approval = answered(Answer.LOST)

    assert not approvals.answer(approval, Answer.OPTED_OUT, None)

    assert approval.answer == Answer.LOST


def test_answer_must_fit_the_question(basket: SandboxServer) -> None:
    lose(basket, "newsletter", vouched(50))
    verify()

    with pytest.raises(ValueError, match="no answer"):
        answered(Answer.REMOVE)


# Brakes.


def in_group(size: int) -> list[str]:
    """Create members of the group who have their newsletter; return their addresses."""
    memberships = MembershipFactory.create_batch(size, group=GroupFactory.create(slug="nda"))
    sweep(2)
    assert Subscription.objects.filter(newsletter=NDA, confirmed_at__isnull=False).count() == size
    return [membership.profile.user.email for membership in memberships]


def leave(emails: list[str]) -> None:
    """Take members out of the group without a signal."""
    Membership.objects.filter(profile__user__email__in=emails).delete()
    tasks.reconcile()


def brake() -> Approval | None:
    return Approval.objects.filter(kind=Approval.Kind.BRAKE, closed_at=None).first()


def test_deleted_group_of_five_is_removed(basket: SandboxServer) -> None:
    in_group(5)

    Group.objects.get(slug="nda").delete()
    sweep(4)

    assert holders(basket, NDA) == set()
    assert brake() is None


@pytest.mark.parametrize("how", ["deleted group", "emptied addresses"])
def test_mass_removal_waits_for_an_admin_while_additions_go_on(
    basket: SandboxServer, how: str
) -> None:
    emails = in_group(120)

    if how == "deleted group":
        Group.objects.get(slug="nda").delete()
    else:
        User.objects.filter(email__in=emails).update(email="")
        tasks.reconcile()
    sweep(4)
    joined = MembershipFactory.create(group=GroupFactory.create(slug="nda")).profile.user.email
    sweep(4)

    assert brake() is not None
    assert len(holders(basket, NDA) - {joined}) == 70
    assert joined in holders(basket, NDA)

    approval = carried_out(Answer.REMOVE)

    assert holders(basket, NDA) == {joined}
    assert approval.closed_at is not None
    assert not Member.objects.filter(held_back_at__isnull=False).exists()


@pytest.fixture
def small_brake(basket: SandboxServer, settings: Any) -> list[str]:
    """Twelve members of the group: two may be removed within an hour, and four have left."""
    settings.BASKET_BRAKE_FLOOR = 2
    emails = in_group(12)
    leave(emails[:4])
    sweep(4)
    assert len(holders(basket, NDA)) == 10
    return emails


def test_brake_closes_by_itself_when_nobody_is_held_back_any_more(
    basket: SandboxServer, small_brake: list[str]
) -> None:
    group = Group.objects.get(slug="nda")
    for profile in UserProfile.objects.filter(user__email__in=small_brake[:4]):
        MembershipFactory.create(profile=profile, group=group)
    sweep(4)
    assert brake() is not None

    tasks.verify()

    assert Approval.objects.get().answer == Answer.ITSELF
    assert brake() is None
    assert holders(basket, NDA) == set(small_brake)


def test_brake_stays_while_somebody_is_held_back(
    basket: SandboxServer, small_brake: list[str]
) -> None:
    tasks.verify()

    assert brake() is not None


def test_member_who_came_back_before_the_answer_keeps_the_newsletter(
    basket: SandboxServer, small_brake: list[str]
) -> None:
    back = min(set(small_brake[:4]) & holders(basket, NDA))
    profile = UserProfile.objects.get(user__email=back)
    Membership.objects.bulk_create(
        [Membership(profile=profile, group=Group.objects.get(slug="nda"), status="member")]
    )

    carried_out(Answer.REMOVE)

    assert holders(basket, NDA) == {back, *small_brake[4:]}


@pytest.mark.parametrize("more", [1, 5])
def test_removals_held_back_after_the_admin_looked_are_asked_about_again(
    basket: SandboxServer, small_brake: list[str], more: int
) -> None:
    approval = answered(Answer.REMOVE)
    leave(small_brake[4 : 4 + more])

    approvals.carry_out(approval.pk)
    sweep(4)

    again = brake()
    assert holders(basket, NDA) == set(small_brake[4:])
    assert again is not None
    assert again.pk != approval.pk
    assert again.number == more

    approvals.answer(again, Answer.REMOVE, None)
    approvals.carry_out(again.pk)
    sweep(4)

    assert holders(basket, NDA) == set(small_brake[4 + more :])
    assert brake() is None


def test_member_who_came_back_and_left_again_after_the_admin_looked_is_not_covered(
    basket: SandboxServer, small_brake: list[str]
) -> None:
    back = min(set(small_brake[:4]) & holders(basket, NDA))
    profile = UserProfile.objects.get(user__email=back)
    seen_at = timezone.now()
    MembershipFactory.create(profile=profile, group=Group.objects.get(slug="nda"))
    sweep(4)
    leave([back])
    approval = brake()
    assert approval is not None

    approvals.answer(approval, Answer.REMOVE, None, shown_at=seen_at)
    approvals.carry_out(approval.pk)
    sweep(4)

    assert holders(basket, NDA) == {back, *small_brake[4:]}


def test_approval_of_one_newsletter_does_not_cover_another(
    basket: SandboxServer, small_brake: list[str]
) -> None:
    both = UserProfile.objects.filter(user__email__in=small_brake)
    for profile in both:
        VouchFactory.create(vouchee=profile)
    sweep(4)
    UserProfile.objects.filter(pk__in=both).update(is_vouched=False)
    tasks.reconcile()
    sweep(4)
    assert len(holders(basket, PHONE)) == 10
    approval = Approval.objects.get(newsletter=NDA)

    approvals.answer(approval, Answer.REMOVE, None)
    approvals.carry_out(approval.pk)
    sweep(4)

    assert holders(basket, NDA) == set(small_brake[4:])
    assert len(holders(basket, PHONE)) == 10
    assert Approval.objects.get(closed_at=None).newsletter == PHONE


def test_open_question_is_not_carried_out(basket: SandboxServer, small_brake: list[str]) -> None:
    tasks.carry_out_answer.apply((Approval.objects.get().pk,))
    sweep(4)

    assert len(holders(basket, NDA)) == 10
    assert brake() is not None


def test_approved_removals_are_sent_once_the_switch_is_on(
    basket: SandboxServer, small_brake: list[str]
) -> None:
    approval = answered(Answer.REMOVE)

    with override_switch(SWITCH, active=False):
        approvals.carry_out(approval.pk)
        sweep(4)
        while_off = holders(basket, NDA)
    for _ in range(3):
        approvals.carry_out(approval.pk)
        sweep(4)

    assert len(while_off) == 10
    assert holders(basket, NDA) == set(small_brake[4:])
    assert Event.objects.filter(kind=Event.Kind.UNSUBSCRIBED).count() == 4


def test_admins_are_mailed_once_about_each_brake(
    basket: SandboxServer, small_brake: list[str], mailoutbox: list[Any], settings: Any
) -> None:
    settings.BASKET_MANAGERS = ["newsletters@example.com"]
    mailoutbox.clear()
    Approval.objects.update(told_at=None)
    leave(small_brake[4:6])
    sweep(4)
    tasks.verify()
    sweep(4)

    [mail] = mailoutbox
    assert mail.to == ["newsletters@example.com"]
    assert mail.subject.endswith("Removals held back: mozillians-nda")
    assert "would remove 4 of 12 subscriptions to mozillians-nda" in mail.body
    assert "approve them, or correct their cause" in mail.body
    assert "@example.com" not in mail.body


def test_brake_names_what_caused_it(basket: SandboxServer, settings: Any) -> None:
    settings.BASKET_BRAKE_FLOOR = 2
    in_group(12)

    Group.objects.get(slug="nda").delete()
    sweep(4)

    causes = Approval.objects.get().causes
    assert sum(number for _cause, _actor, number in causes) == 10
    assert all("groups." in cause and "deleted" in cause for cause, _actor, _number in causes)


@pytest.mark.parametrize("writes", [0, 4, 12, 20])
def test_approved_removal_whose_worker_was_killed_is_carried_out_completely(
    basket: SandboxServer,
    small_brake: list[str],
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
) -> None:
    monkeypatch.setattr(approvals, "BATCH", 1)
    leave(small_brake[4:8])
    approval = answered(Answer.REMOVE)
    with killed_after(writes):
        approvals.carry_out(approval.pk)

    approvals.carry_out(approval.pk)
    sweep(4)

    assert holders(basket, NDA) == set(small_brake[8:])
    assert brake() is None


def test_deleted_member_under_two_brakes_goes_once_both_are_answered(
    basket: SandboxServer, settings: Any
) -> None:
    emails = vouched(6)
    group = GroupFactory.create(slug="nda")
    for profile in UserProfile.objects.filter(user__email__in=emails):
        MembershipFactory.create(profile=profile, group=group)
    sweep(4)
    settings.BASKET_BRAKE_FLOOR = 2
    UserProfile.objects.filter(user__email__in=emails).delete()
    tasks.reconcile()
    sweep(4)
    first, second = Approval.objects.order_by("newsletter")

    for approval in (first, second):
        approvals.answer(approval, Answer.REMOVE, None)
        approvals.carry_out(approval.pk)
        sweep(4)

    assert holders(basket, PHONE) | holders(basket, NDA) == set()
    assert not Approval.objects.filter(closed_at=None).exists()


def test_contacts_of_an_answer_give_way_to_changes(basket: SandboxServer) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails)
    verify()
    approval = answered(Answer.LOST)

    approvals.carry_out(approval.pk)

    due = Contact.objects.filter(touched_at__isnull=False)
    assert due.count() == 50
    assert {contact.priority for contact in due} == {Contact.Priority.BULK}
    assert Subscription.objects.filter(state=State.UNKNOWN, newsletter=PHONE).count() == 50
