"""Answers are carried out once, whatever is killed, and cover the number that was shown."""

import pytest
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Approval, Contact, Event, Subscription
from mozillians_basket.upkeep import approvals
from project.people.models import UserProfile
from tests.app.steps import settle_everything
from tests.factories import VouchFactory


@pytest.fixture
def members(basket, commit, settings):
    """Twelve vouched members, as Basket has them; two may be removed within an hour."""
    settings.BASKET_RECHECK_SECONDS = 0.001
    settings.BASKET_BRAKE_FLOOR = 2
    settings.BASKET_LEASE_SECONDS = 0
    with commit():
        vouches = VouchFactory.create_batch(12)
    Contact.objects.update(touched_at=timezone.now())
    settle_everything()
    return [vouch.vouchee for vouch in vouches]


def unvouch(profiles):
    UserProfile.objects.filter(pk__in=[profile.pk for profile in profiles]).update(is_vouched=False)
    tasks.reconcile()
    settle_everything()


def question(kind="brake"):
    return Approval.objects.get(kind=kind, closed_at=None)


def is_closed():
    return not Approval.objects.filter(closed_at=None).exists()


def subscribed(basket):
    return sum(bool(person.newsletters) for person in basket.people.values())


@pytest.fixture
def braked(basket, members):
    """Six should lose the newsletter: two have, and four are held back."""
    unvouch(members[:6])
    assert (subscribed(basket), question().number) == (10, 4)
    return members


def test_approved_removals_are_carried_out_once(basket, braked, admin_user):
    asked = question()
    approvals.answer(asked, "remove", admin_user)

    for _ in range(3):
        tasks.carry_out_answer(asked.pk)
        settle_everything()

    assert subscribed(basket) == 6
    assert is_closed()
    unsubscribed = Event.objects.filter(kind=Event.Kind.UNSUBSCRIBED)
    assert unsubscribed.count() == 6


def test_a_little_more_by_then_is_covered(basket, braked, admin_user):
    asked = question()
    unvouch(braked[6:8])
    approvals.answer(asked, "remove", admin_user)

    tasks.carry_out_answer(asked.pk)
    settle_everything()

    assert subscribed(basket) == 4
    assert is_closed()


def test_many_more_than_shown_are_not_covered_and_admins_are_asked_again(
    basket, braked, admin_user
):
    asked = question()
    unvouch(braked[6:11])
    approvals.answer(asked, "remove", admin_user)

    tasks.carry_out_answer(asked.pk)
    settle_everything()

    assert subscribed(basket) == 6
    assert question().pk != asked.pk
    assert question().answer == ""


def test_a_brake_goes_off_by_itself_when_nothing_is_held_back_any_more(basket, braked):
    UserProfile.objects.filter(vouches_received__isnull=False).update(is_vouched=True)
    tasks.reconcile()
    settle_everything()

    tasks.verify()

    assert is_closed()
    assert subscribed(basket) == 12


def test_next_worker_finishes_the_answer_of_a_killed_one(basket, braked, admin_user, monkeypatch):
    asked = question()
    monkeypatch.setattr(approvals, "BATCH", 2)
    drain, calls = approvals.drained_members, []

    def killed(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return drain(*arguments, **options)

    monkeypatch.setattr(approvals, "drained_members", killed)
    approvals.answer(asked, "remove", admin_user)
    with pytest.raises(KeyboardInterrupt):
        tasks.carry_out_answer(asked.pk)
    settle_everything()
    after_the_kill = subscribed(basket)

    tasks.verify()
    settle_everything()

    assert after_the_kill == 8
    assert subscribed(basket) == 6
    assert is_closed()


def test_with_the_switch_off_nothing_is_sent(basket, braked, admin_user):
    asked = question()
    approvals.answer(asked, "remove", admin_user)

    with override_switch(SWITCH, active=False):
        tasks.carry_out_answer(asked.pk)
        tasks.sweep()
        while_off = subscribed(basket)
    settle_everything()

    assert while_off == 10
    assert subscribed(basket) == 6


def test_open_question_is_not_carried_out(basket, braked):
    tasks.carry_out_answer(question().pk)
    settle_everything()

    assert subscribed(basket) == 10
    assert not is_closed()


@pytest.mark.parametrize(("answer", "left"), [("lost", 12), ("opted out", 4)])
def test_answer_to_a_loss_concludes_all_missing_subscriptions(
    basket, members, admin_user, answer, left
):
    for profile in members[:8]:
        basket.put_person(profile.user.email, newsletters=[])
    Contact.objects.update(touched_at=timezone.now())
    for _ in range(3):
        tasks.sweep()
        Contact.objects.update(not_before=None)
    asked = question("loss")
    before = subscribed(basket)

    approvals.answer(asked, answer, admin_user)
    tasks.carry_out_answer(asked.pk)
    settle_everything()

    assert before == 4
    assert subscribed(basket) == left
    opted_out = Subscription.objects.filter(newsletter="mozilla-phone", state="opted out")
    assert opted_out.count() == 12 - left
    assert is_closed()
