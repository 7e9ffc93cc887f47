"""The signals for a site's own code."""

import logging
from functools import partial

import pytest
from django.db import transaction
from django.test import TestCase

from mozillians_basket import signals, tasks
from mozillians_basket.api import opt_in, opt_out, order
from mozillians_basket.models import Approval, Contact
from mozillians_basket.upkeep import approvals
from project.people.models import UserProfile
from tests.app.steps import held, settle_everything
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory

PHONE, NDA = "mozilla-phone", "mozillians-nda"


@pytest.fixture
def told(basket):
    """The signals sent, in order: name, member, newsletter, decided by, cause, code."""
    found = []

    def receive(name, signal, sender, **named):
        assert sender is UserProfile
        found.append((name, *named.values()))

    connected = {name: partial(receive, name) for name in signals.SIGNALS}
    for name, signal in signals.SIGNALS.items():
        signal.connect(connected[name], weak=False)
    yield found
    for name, signal in signals.SIGNALS.items():
        assert signal.disconnect(connected[name])


def look_up(*profiles):
    """Have members looked up at Basket."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        for profile in profiles:
            tasks.subscribe_user_to_basket(profile.pk, [PHONE])
        settle_everything(strict=False)


def test_confirmed_subscription_names_member_newsletter_policy_and_cause(told, commit):
    profile = UserProfileFactory()

    with commit():
        VouchFactory(vouchee=profile)

    [first] = told
    assert first[:4] == ("subscription_confirmed", str(profile.pk), PHONE, "policy")
    assert "people.Vouch created" in first[4]


def test_subscription_that_basket_had_already_is_confirmed_by_the_lookup(told, basket, commit):
    profile = UserProfileFactory()
    basket.put_person(profile.user.email, newsletters=[PHONE])

    with commit():
        order(profile, [PHONE], subscribe=True)

    assert [each[:4] for each in told] == [
        ("subscription_confirmed", str(profile.pk), PHONE, "admin")
    ]


def test_a_verification_that_finds_nothing_new_tells_nothing(told, vouched):
    told.clear()

    look_up(vouched)

    assert told == []


def test_removal_is_told_by_no_signal(told, vouched, commit):
    told.clear()

    with commit():
        vouched.vouches_received.all().delete()

    assert told == []


def test_both_members_of_one_address_are_told_of(told, commit):
    first, second = UserProfileFactory.create_batch(2, user__email="both@example.com")

    with commit():
        VouchFactory(vouchee=first)
        VouchFactory(vouchee=second)

    assert {each[:3] for each in told} == {
        ("subscription_confirmed", str(profile.pk), PHONE) for profile in (first, second)
    }


def test_refused_subscription_tells_the_code(told, basket, commit):
    basket.fail("subscribe", status=400, code=2)
    profile = UserProfileFactory()

    with commit():
        VouchFactory(vouchee=profile)

    [refused] = told
    assert refused[:4] == ("subscription_refused", str(profile.pk), PHONE, "policy")
    assert refused[-1] == "2"


def test_address_that_the_lookup_refuses_is_told_as_a_refused_subscription(told, basket, commit):
    profile = UserProfileFactory(user__email="nobody@a-name-without-an-end")

    with commit():
        VouchFactory(vouchee=profile)

    [refused] = told
    assert refused[:4] == ("subscription_refused", str(profile.pk), PHONE, "policy")
    assert refused[-1] == "2"
    assert {request.endpoint for request in basket.requests} == {"lookup"}


def test_refused_address_is_told_once_although_a_removal_is_tried_again(
    told, basket, vouched, commit
):
    basket.fail("lookup", status=400, code=2)
    with commit():
        MembershipFactory(profile=vouched, group=GroupFactory(slug="nda"))
    told.clear()

    with commit():
        opt_out(vouched, [PHONE])

    assert [each[:3] for each in told] == [("opted_out", str(vouched.pk), PHONE)]


def test_newsletter_that_basket_does_not_know_tells_no_refusal(told, basket, settings, commit):
    settings.BASKET_MAX_ATTEMPTS = 1
    basket.fail("subscribe", status=400, code=9)
    profile = UserProfileFactory()

    with commit():
        order(profile, [PHONE, NDA], subscribe=True)

    contact = Contact.objects.get()
    assert (contact.parked, contact.problem) == (True, "9")
    assert told == []


def test_opt_out_on_the_site_is_told_with_its_cause(told, vouched, commit):
    told.clear()

    with commit():
        opt_out(vouched, [PHONE])

    assert told == [("opted_out", str(vouched.pk), PHONE, "member", "the member's own choice", "")]


def test_opt_out_that_is_repeated_is_told_once(told, vouched, commit):
    for _ in range(2):
        with commit():
            opt_out(vouched, [PHONE])

    assert [each[0] for each in told] == ["subscription_confirmed", "opted_out"]


def test_opt_in_on_the_site_is_told_and_then_confirmed(told, vouched, commit):
    with commit():
        opt_out(vouched, [PHONE])
    told.clear()

    with commit():
        opt_in(vouched, [PHONE])

    assert [each[0] for each in told] == ["opted_in", "subscription_confirmed"]


def test_opt_out_of_everything_at_basket_is_told_of_each_newsletter(told, basket, vouched):
    basket.opt_out(vouched.user.email)
    told.clear()

    look_up(vouched)

    assert {each[:5] for each in told} == {
        ("opted_out", str(vouched.pk), name, "member", "at Basket") for name in (PHONE, NDA)
    }


def test_opt_out_that_is_inferred_is_told(told, basket, vouched):
    basket.opt_out(vouched.user.email, PHONE)
    told.clear()

    look_up(vouched)

    assert [each[:4] for each in told] == [("opted_out", str(vouched.pk), PHONE, "member")]


def test_return_at_basket_is_told(told, basket, vouched):
    basket.opt_out(vouched.user.email, PHONE)
    look_up(vouched)
    look_up(vouched)
    basket.put_person(vouched.user.email, add=[PHONE])
    told.clear()

    look_up(vouched)

    assert [each[0] for each in told] == ["subscription_confirmed", "opted_in"]
    assert told[1][1:5] == (str(vouched.pk), PHONE, "member", "at Basket")


def test_member_who_comes_to_an_opted_out_mailbox_has_not_opted_out(told, basket, vouched, commit):
    basket.opt_out(vouched.user.email, PHONE)
    look_up(vouched)
    told.clear()

    with commit():
        other = UserProfileFactory(user__email=vouched.user.email)
        VouchFactory(vouchee=other)
    look_up(other)
    with commit():
        other.user.email = "elsewhere@example.com"
        other.user.save()
    look_up(other)

    assert "opted_out" not in [each[0] for each in told]


def test_order_despite_an_opt_out_is_no_choice_of_the_member(told, basket, vouched, commit):
    basket.opt_out(vouched.user.email, PHONE)
    look_up(vouched)
    told.clear()

    with commit():
        order(vouched, [PHONE], subscribe=True, despite_opt_out=True)
        settle_everything()

    assert [each[0] for each in told] == ["subscription_confirmed"]


def test_bare_address_is_told_by_no_signal(told, basket):
    basket.put_person("bare@example.com", newsletters=[PHONE])

    tasks.update_email_in_basket("bare@example.com", "new@example.com")
    settle_everything()

    assert held(basket, "new@example.com") == {"new@example.com": {PHONE}}
    assert told == []


def test_nothing_is_told_before_the_commit(told, vouched, commit):
    told.clear()

    with commit():
        opt_out(vouched, [PHONE])
        assert told == []

    assert told


def test_nothing_is_told_of_what_is_rolled_back(told, vouched, commit):
    told.clear()

    with commit(), transaction.atomic():
        opt_out(vouched, [PHONE])
        transaction.set_rollback(True)

    assert told == []


def test_signal_is_sent_by_a_worker_and_not_by_the_request(broker, switch_on, commit):
    signals.opted_out.connect(fail)
    profile = UserProfileFactory()

    try:
        with commit():
            opt_out(profile, [PHONE])
    finally:
        signals.opted_out.disconnect(fail)

    told = ["opted_out", str(profile.pk), PHONE, "member", "the member's own choice", ""]
    assert ("announce", [told]) in broker.messages


def test_signal_without_receivers_is_no_message(broker, switch_on, commit):
    signals.opted_in.connect(fail)
    profile = UserProfileFactory()

    try:
        with commit():
            opt_out(profile, [PHONE])
    finally:
        signals.opted_in.disconnect(fail)

    assert "announce" not in {name for name, *_arguments in broker.messages}


class Callable:
    """A receiver that Django cannot name in its log."""

    def __call__(self, **named):
        raise ValueError("ada@example.com")


def fail(**named):
    raise ValueError("ada@example.com")


async def fail_later(**named):
    raise ValueError("ada@example.com")


@pytest.mark.parametrize("receiver", [fail, fail_later, Callable()], ids=["sync", "async", "other"])
def test_failing_receiver_harms_nothing_and_is_logged_without_addresses(
    told, basket, caplog, commit, receiver
):
    caplog.set_level(logging.DEBUG)
    signals.subscription_confirmed.connect(receiver)
    first, second = UserProfileFactory.create_batch(2)

    try:
        with commit():
            VouchFactory(vouchee=first)
            VouchFactory(vouchee=second)
    finally:
        signals.subscription_confirmed.disconnect(receiver)

    emails = [profile.user.email for profile in (first, second)]
    assert held(basket, *emails) == {email: {PHONE} for email in emails}
    assert len(told) == 2
    assert "ValueError in tests.app.test_signals." in caplog.text
    assert "ada@example.com" not in caplog.text


def test_admins_answer_that_people_opted_out_is_told(told, basket, vouched, commit, admin_user):
    others = UserProfileFactory.create_batch(4)
    with commit():
        for profile in others:
            VouchFactory(vouchee=profile)
    look_up(*others)
    basket.lose_subscriptions(PHONE)
    look_up(vouched, *others)
    question = Approval.objects.get()
    told.clear()

    with commit():
        approvals.answer(question, "opted out", admin_user)

    assert {each[:4] for each in told} == {
        ("opted_out", str(profile.pk), PHONE, "member") for profile in [vouched, *others]
    }
