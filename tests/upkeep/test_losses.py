"""Losses at Basket of any size, at default settings: none is ever taken for opt-outs."""

from datetime import timedelta
from math import comb
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mozillians_basket import bulk, tasks
from mozillians_basket.client import calls
from mozillians_basket.ledger import decisions
from mozillians_basket.models import Approval, BulkItem, BulkRequest, Contact, Subscription
from mozillians_basket.rules.rows import Settings, State
from mozillians_basket.rules.sample import Sample, Verdict, verdict
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import verification
from project.people.models import UserProfile
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory
from tests.upkeep.crowds import (
    NDA,
    PHONE,
    at_basket,
    holders,
    in_ledger,
    look_up,
    lose,
    multiplied,
    opt_outs,
    question,
    subscribed,
    sweep,
    verify,
    vouched,
)

pytestmark = pytest.mark.crowds

State_ = BulkItem.State


@pytest.mark.parametrize("size", [1, 5, 50, 1500, 100_000])
def test_opt_out_is_concluded_within_two_minutes_of_the_lookup_that_missed_it(
    basket: SandboxServer, size: int
) -> None:
    emails = in_ledger(range(1, min(size, 300) + 1), PHONE)
    multiplied(size)
    middle = len(emails) // 2
    near = emails[max(middle - 60, 0) : middle + 60]
    at_basket(basket, near, PHONE)
    basket.put_person(emails[middle], newsletters=[])
    look_up(emails[middle])
    basket.clear_requests()

    sweep(24)

    row = Subscription.objects.get(state=State.OPTED_OUT)
    lookups = [request for request in basket.requests if request.endpoint == "lookup"]
    assert row.contact.key == emails[middle]
    assert len(lookups) <= 1 + 50 + 1
    assert question() is None
    assert Contact.objects.count() >= size


def test_people_who_are_back_between_the_two_calls_of_a_lookup_have_not_moved(
    basket: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails = vouched(5)
    look_up_token = calls.look_up_token

    def after_the_backup(token: str) -> Any:
        basket.restore()
        return look_up_token(token)

    monkeypatch.setattr(calls, "look_up_token", after_the_backup)
    basket.lose_people()
    verify()
    sweep(4)

    assert opt_outs() == 0
    assert holders(basket, PHONE) == set(emails)
    assert not Contact.objects.filter(renamed_at__isnull=False).exists()


def join_nda(size: int) -> None:
    group = GroupFactory.create(slug="nda")
    for profile in UserProfile.objects.order_by("pk")[:size]:
        MembershipFactory.create(profile=profile, group=group)


def order_nda(size: int) -> BulkRequest:
    keys = UserProfile.objects.order_by("pk").values_list("pk", flat=True)[:size]
    request = bulk.draft(BulkRequest.Action.SUBSCRIBE, keys, actor=None)
    assert bulk.confirm(request, [NDA])
    return request


@pytest.mark.parametrize("found_by", ["verification", "40 who join the group", "a bulk request"])
def test_total_loss_of_1500_records_no_opt_out(basket: SandboxServer, found_by: str) -> None:
    subscribed(1500)  # Basket was emptied: it knows none of them

    if found_by == "verification":
        for _minute in range(3):
            tasks.verify()
            sweep(2)
    elif found_by == "a bulk request":
        request = order_nda(300)
        sweep(12)
        request.refresh_from_db()
        assert request.state == BulkRequest.State.FINISHED
        assert len(holders(basket, NDA)) == 300
    else:
        join_nda(40)
        sweep(4)
        assert len(holders(basket, NDA)) == 40

    assert opt_outs() == 0
    asked = question()
    assert asked is not None
    assert (asked.newsletter, asked.total) == (PHONE, 1500)
    assert holders(basket, PHONE) == set()


@pytest.mark.parametrize("what", ["people", "newsletter"])
def test_changes_during_a_loss_of_newsletters_conclude_nothing(
    basket: SandboxServer, what: str
) -> None:
    emails = subscribed(150)
    if what == "newsletter":
        for email in emails:
            basket.put_person(email, newsletters=[])

    join_nda(40)
    sweep(6)
    Subscription.objects.filter(missing_at__isnull=False).update(
        missing_at=timezone.now() - timedelta(hours=2)
    )
    for _ in range(3):  # long after our calls created those people again
        verify()

    assert opt_outs() == 0
    assert question() is not None
    assert holders(basket, PHONE) == set()


@pytest.mark.parametrize("size", [50, 300, 1500, 100_000])
def test_loss_of_30_percent_raises_the_question_with_999_of_1000(size: int) -> None:
    settings = Settings(newsletters=frozenset({PHONE}))
    lost, looked_up = round(size * 0.3), min(settings.sample_size, size - 1)
    others = size - 1  # one lost subscription has been found: the sample is taken of the others
    missed = 0.0
    for gone in range(looked_up + 1):
        found = Sample(timezone.now(), (), looked_up + 1, gone + 1)
        if verdict(found, settings) is not Verdict.ASK:
            ways = comb(lost - 1, gone) * comb(others - lost + 1, looked_up - gone)
            missed += ways / comb(others, looked_up)

    assert missed < 0.001


@pytest.mark.parametrize("size", [1, 2, 5, 49])
def test_fewer_than_50_people_who_are_gone_altogether_are_no_opt_outs(
    basket: SandboxServer, size: int
) -> None:
    subscribed(size)

    verify()
    join_nda(size)
    sweep(4)
    verify()

    assert opt_outs() == 0
    assert holders(basket, PHONE) == set()
    assert len(holders(basket, NDA)) == size


def test_basket_that_is_emptied_and_read_only_makes_no_opt_out(basket: SandboxServer) -> None:
    emails = vouched(60)
    lose(basket, "people", [])
    basket.read_only_maintenance = True

    join_nda(40)
    sweep(4)
    verify()
    basket.read_only_maintenance = False
    Contact.objects.update(not_before=None)
    verify()

    assert opt_outs() == 0
    asked = question()
    assert asked is not None
    assert holders(basket, PHONE) == set()
    assert len(holders(basket, NDA)) == 40

    call_command("basket_reconcile", verify=0, restore=True, json=True)
    tasks.carry_out_answer.apply((asked.pk,))
    sweep(4)

    assert holders(basket, PHONE) == set(emails)


@pytest.mark.parametrize("what", ["people", "newsletter"])
def test_restoring_by_command_leaves_shown_opt_outs_and_takes_inferred_ones_back(
    basket: SandboxServer, what: str
) -> None:
    emails = vouched(60)
    basket.put_person(emails[0], newsletters=[], optout=True)
    basket.put_person(emails[1], remove=[PHONE])
    look_up(*emails[:2])
    sweep(4)
    assert opt_outs() >= 2
    lose(basket, what, emails[2:])
    verify()

    call_command("basket_reconcile", verify=0, restore=True, json=True)
    tasks.carry_out_answer.apply((Approval.objects.get(answer="lost").pk,))
    sweep(4)

    assert holders(basket, PHONE) == set(emails[1:])
    shown = Subscription.objects.get(contact__key=emails[0], newsletter=PHONE)
    assert shown.state == State.OPTED_OUT


@pytest.mark.parametrize("what", ["people", "newsletter"])
def test_question_counts_reopened_opt_outs_among_all_that_may_be_lost(
    basket: SandboxServer, what: str
) -> None:
    emails = vouched(60)
    for email in emails[:2]:
        basket.put_person(email, remove=[PHONE])
    look_up(*emails[:2])
    sweep(4)
    lose(basket, what, emails[2:])

    verify()
    sweep(2)
    verify()

    asked = Approval.objects.get()
    assert (asked.number, asked.total) == (60, 60)


def test_opt_out_inferred_more_than_a_day_before_a_loss_stands(basket: SandboxServer) -> None:
    emails = vouched(60)
    basket.put_person(emails[0], remove=[PHONE])
    look_up(emails[0])
    sweep(4)
    long_ago = timezone.now() - timedelta(hours=25)
    Subscription.objects.filter(state=State.OPTED_OUT).update(missing_at=long_ago)
    lose(basket, "newsletter", emails[1:])
    verify()

    call_command("basket_reconcile", verify=0, restore=True, json=True)
    tasks.carry_out_answer.apply((Approval.objects.get().pk,))
    sweep(4)

    assert holders(basket, PHONE) == set(emails[1:])


@pytest.mark.parametrize(("what", "action"), [("people", "subscribe"), ("newsletter", "subscribe"),
                                              ("newsletter", "unsubscribe")])  # fmt: skip
def test_bulk_request_waits_for_the_answer_and_says_who_does(
    basket: SandboxServer, admin_client: Client, what: str, action: str
) -> None:
    emails = vouched(60)
    lose(basket, what, emails)
    verify()
    asked = question()
    assert asked is not None
    keys = UserProfile.objects.filter(user__email__in=emails).values_list("pk", flat=True)

    request = bulk.draft(BulkRequest.Action(action), keys, actor=None)
    bulk.confirm(request, [PHONE])
    sweep(6)

    request.refresh_from_db()
    items = BulkItem.objects.filter(request=request)
    assert request.finished_at is None
    assert items.filter(state=State_.PENDING, reason=BulkItem.Reason.ASKED).count() == 60
    page = admin_client.get(
        reverse("admin:mozillians_basket_bulkrequest_change", args=[request.pk])
    )
    assert (
        "until an admin says whether Basket lost their subscription. (60)" in page.content.decode()
    )

    assert asked.answer == ""
    call_command("basket_reconcile", verify=0, restore=True, json=True)
    tasks.carry_out_answer.apply((asked.pk,))
    Contact.objects.update(not_before=None)
    sweep(6)

    request.refresh_from_db()
    assert request.state == BulkRequest.State.FINISHED
    assert items.filter(state=State_.DONE).count() == 60
    assert holders(basket, PHONE) == (set(emails) if action == "subscribe" else set())


def test_members_who_wait_for_an_answer_hold_no_other_bulk_order_up(
    basket: SandboxServer, settings: Any
) -> None:
    settings.BASKET_MAX_IN_FLIGHT = 20
    settings.BASKET_DRAIN_SIZE = 20
    emails = vouched(60)
    lose(basket, "newsletter", emails)
    verify()
    join_nda(0)
    keys = list(UserProfile.objects.values_list("pk", flat=True))
    waits = bulk.draft(BulkRequest.Action.SUBSCRIBE, keys, actor=None)
    bulk.confirm(waits, [PHONE])
    sweep(6)
    goes = bulk.draft(BulkRequest.Action.SUBSCRIBE, keys, actor=None)
    bulk.confirm(goes, [NDA])

    sweep(12)

    goes.refresh_from_db()
    assert goes.state == BulkRequest.State.FINISHED
    assert len(holders(basket, NDA)) == len(keys)


def test_members_who_wait_for_an_answer_do_not_hide_an_order_whose_member_was_deleted(
    basket: SandboxServer, settings: Any
) -> None:
    settings.BASKET_DRAIN_SIZE = 20
    emails = vouched(60)
    lose(basket, "newsletter", emails)
    verify()
    keys = list(UserProfile.objects.values_list("pk", flat=True))
    bulk.confirm(bulk.draft(BulkRequest.Action.SUBSCRIBE, keys, actor=None), [PHONE])
    sweep(6)
    deleted = UserProfileFactory.create()
    request = bulk.draft(BulkRequest.Action.SUBSCRIBE, [deleted.pk], actor=None)
    bulk.confirm(request, [NDA])
    assert bulk.advance()

    deleted.delete()
    sweep(6)

    item = BulkItem.objects.get(request=request)
    assert (item.state, item.reason) == (State_.SKIPPED, BulkItem.Reason.NO_MEMBER)


@pytest.mark.parametrize("despite", [True, False])
def test_order_made_during_a_loss_overrides_the_answer_that_they_opted_out_if_it_says_so(
    basket: SandboxServer, admin_user: User, *, despite: bool
) -> None:
    emails = vouched(60)
    lose(basket, "newsletter", emails)
    verify()
    member = UserProfile.objects.get(user__email=emails[0])
    decisions.order([member.pk], [PHONE], subscribe=True, despite_opt_out=despite)
    sweep(4)

    call_command("basket_reconcile", verify=0, go=True, json=True)
    tasks.carry_out_answer.apply((Approval.objects.get().pk,))
    sweep(4)

    assert holders(basket, PHONE) == ({emails[0]} if despite else set())
    assert opt_outs() == (59 if despite else 60)


def test_members_who_opted_out_are_verified_and_noticed_when_they_are_back(
    basket: SandboxServer,
) -> None:
    emails = vouched(5)
    basket.put_person(emails[0], remove=[PHONE])
    verify()
    basket.put_person(emails[0], add=[PHONE])

    number = verification.verify(60)
    sweep(4)

    assert number == 5
    assert opt_outs() == 0
    UserProfile.objects.filter(user__email=emails[0]).update(is_vouched=False)
    tasks.reconcile()
    sweep(4)
    assert emails[0] not in holders(basket, PHONE)
