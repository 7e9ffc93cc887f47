"""The brake holds on every path by which policies remove subscriptions, at default settings."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from mozillians_basket import bulk, tasks
from mozillians_basket.ledger import decisions, touches
from mozillians_basket.models import (
    Approval,
    BulkRequest,
    Contact,
    Decision,
    Member,
    Move,
    Status,
)
from mozillians_basket.rules.brake import gives
from mozillians_basket.rules.rows import DecidedBy
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import approvals
from project.groups.models import Group, Membership
from project.people.models import UserProfile
from tests.brokers import Commit
from tests.factories import MembershipFactory, UserProfileFactory
from tests.upkeep.crowds import NDA, PHONE, at_basket, holders, subscribed, sweep

pytestmark = pytest.mark.crowds

#: More members than one transaction reads, and so many that a tenth is more than the floor.
CROWD, LARGE = 210, 600

#: The numbers of their subscriptions that may go in an hour at the default settings.
FLOOR, TENTH = 50, 60


def group_is_deleted() -> None:
    Group.objects.get(slug="nda").delete()


def memberships_are_deleted_by_signals() -> None:
    for membership in Membership.objects.all():
        membership.delete()


def memberships_are_emptied() -> None:
    Membership.objects.all().delete()


def memberships_are_updated_unseen() -> None:
    Membership.objects.update(status=Membership.Status.PENDING)
    tasks.reconcile()


def group_is_renamed_unseen() -> None:
    Group.objects.update(slug="nda-2019")
    tasks.reconcile()


def addresses_are_emptied_unseen() -> None:
    User.objects.update(email="")
    tasks.reconcile()


def addresses_are_emptied_by_signals() -> None:
    for user in User.objects.all():
        user.email = ""
        user.save()


def addresses_are_invalid_unseen() -> None:
    User.objects.update(email="no address")
    tasks.reconcile()


def addresses_are_invalid_by_signals() -> None:
    for user in User.objects.all():
        user.email = "no address"
        user.save()


def members_are_deleted() -> None:
    User.objects.all().delete()


def members_are_deleted_unseen() -> None:
    for rows in (Membership.objects.all(), UserProfile.objects.all()):
        rows._raw_delete("default")
    tasks.reconcile()


def removals_are_applied_by_command() -> None:
    Membership.objects.update(status=Membership.Status.PENDING)
    with pytest.raises(SystemExit) as ended:
        call_command("basket_reconcile", apply=True, json=True)
    assert ended.value.code == 2


PATHS: tuple[Callable[[], None], ...] = (
    group_is_deleted,
    memberships_are_deleted_by_signals,
    memberships_are_emptied,
    memberships_are_updated_unseen,
    group_is_renamed_unseen,
    addresses_are_emptied_unseen,
    addresses_are_emptied_by_signals,
    addresses_are_invalid_unseen,
    addresses_are_invalid_by_signals,
    members_are_deleted,
    members_are_deleted_unseen,
    removals_are_applied_by_command,
)


@pytest.fixture
def members(basket: SandboxServer, mailoutbox: list[Any], settings: Any) -> list[str]:
    """Members of the group, as Basket has them."""
    settings.BASKET_MANAGERS = ["newsletters@example.com"]
    emails = subscribed(CROWD, NDA)
    at_basket(basket, emails, NDA)
    return emails


@pytest.mark.parametrize("path", PATHS)
def test_brake_holds_on_every_path(
    basket: SandboxServer,
    members: list[str],
    path: Callable[[], None],
    mailoutbox: list[Any],
) -> None:
    path()
    sweep(12)

    kept = holders(basket, NDA)
    held_back = Decision.objects.filter(held_back_at__isnull=False)
    assert len(kept) == CROWD - FLOOR
    assert set(held_back.values_list("member__contact__key", flat=True)) == kept
    assert {(row.newsletter, row.wanted, gives(row)) for row in held_back} == {(NDA, True, True)}
    assert Member.objects.filter(held_back_at__isnull=False).count() == len(kept)
    asked = Approval.objects.get()
    assert (asked.newsletter, asked.kind, asked.number) == (NDA, Approval.Kind.BRAKE, len(kept))
    assert sum(number for _cause, _actor, number in asked.causes) == len(kept)
    assert [mail.to for mail in mailoutbox] == [["newsletters@example.com"]]

    group = Group.objects.filter(slug="nda").first() or Group.objects.create(slug="nda")
    joined = MembershipFactory.create(group=group).profile.user.email
    sweep(4)
    assert joined in holders(basket, NDA)

    approvals.answer(asked, Approval.Answer.REMOVE, None)
    tasks.carry_out_answer.apply((asked.pk,))
    sweep(16)

    assert holders(basket, NDA) == {joined}
    assert not Decision.objects.filter(held_back_at__isnull=False).exists()
    assert not Member.objects.filter(held_back_at__isnull=False).exists()
    assert not Approval.objects.filter(closed_at=None).exists()
    assert len(mailoutbox) == 1


def order(keys: list[int]) -> None:
    decisions.order(keys, [PHONE], subscribe=True)


def opt_in(keys: list[int]) -> None:
    for key in keys:
        decisions.choose(key, [PHONE], subscribe=True)


def bulk_request(keys: list[int]) -> None:
    request = bulk.draft(BulkRequest.Action.SUBSCRIBE, keys, actor=None)
    bulk.confirm(request, [PHONE])
    for _ in range(4):
        bulk.advance()


def unsubscribed_addresses(keys: list[int]) -> None:
    for key in keys:
        email = User.objects.get(profile=key).email
        tasks.unsubscribe_from_basket_task.apply((email, [PHONE]))


@pytest.mark.parametrize("path", [memberships_are_deleted_by_signals, group_is_deleted])
@pytest.mark.parametrize("orders", [order, opt_in, bulk_request, unsubscribed_addresses])
def test_brake_holds_where_an_order_drains_the_change(
    basket: SandboxServer,
    members: list[str],
    orders: Callable[[list[int]], None],
    path: Callable[[], None],
) -> None:
    keys = list(UserProfile.objects.values_list("pk", flat=True))
    path()

    orders(keys[:60])
    touches.drain_all()

    assert (
        Decision.objects.filter(newsletter=NDA, held_back_at__isnull=False).count() == CROWD - FLOOR
    )
    assert Approval.objects.get().number == CROWD - FLOOR


@pytest.mark.parametrize("path", PATHS)
def test_a_tenth_of_600_may_go_within_an_hour_on_every_path(
    basket: SandboxServer, path: Callable[[], None]
) -> None:
    subscribed(LARGE, NDA)

    path()
    touches.drain_all()

    assert Decision.objects.filter(held_back_at__isnull=False).count() == LARGE - TENTH
    assert sum(Status.read().removals[NDA].values()) == TENTH


def test_held_back_change_leaves_rows_as_they_were(
    basket: SandboxServer, members: list[str]
) -> None:
    columns = ("pk", "member", "entitled", "wanted", "decided_by", "decided_at", "opted_out_at")
    before = set(Decision.objects.values_list(*columns))
    homes = dict(Member.objects.values_list("pk", "contact"))

    User.objects.update(email="")
    tasks.reconcile()
    sweep(4)

    held_back = Decision.objects.filter(held_back_at__isnull=False)
    waiting = Member.objects.filter(held_back_at__isnull=False)
    assert set(held_back.values_list(*columns)) <= before
    assert set(waiting.values_list("pk", "contact")) <= set(homes.items())
    assert not Move.objects.filter(member__in=waiting).exists()
    assert not Contact.objects.filter(members__in=waiting, clear=True).exists()


def test_cause_that_is_corrected_ends_the_brake_and_nothing_was_lost(
    basket: SandboxServer, members: list[str]
) -> None:
    Membership.objects.update(status=Membership.Status.PENDING)
    tasks.reconcile()
    sweep(4)

    Membership.objects.update(status=Membership.Status.MEMBER)
    tasks.reconcile()
    sweep(4)
    tasks.verify()
    sweep(4)

    assert Approval.objects.get().answer == Approval.Answer.ITSELF
    assert not Member.objects.filter(held_back_at__isnull=False).exists()
    assert holders(basket, NDA) == set(members)


def test_moves_orders_and_choices_are_no_removals(
    basket: SandboxServer, members: list[str]
) -> None:
    keys = list(UserProfile.objects.order_by("pk").values_list("pk", flat=True))

    decisions.order(keys[:80], [NDA], subscribe=False)
    for key in keys[80:140]:
        decisions.choose(key, [NDA], subscribe=False)
    for number, user in enumerate(User.objects.order_by("pk")[140:200]):
        user.email = f"moved{number}@example.com"
        user.save()
    sweep(24)

    moved = {f"moved{number}@example.com" for number in range(60)}
    assert holders(basket, NDA) == moved | set(members[200:])
    assert not Approval.objects.exists()
    assert Status.read().removals == {}


def test_removals_add_up_over_paths_within_the_hour(
    basket: SandboxServer, members: list[str]
) -> None:
    Membership.objects.filter(profile__user__email__in=members[:30]).delete()
    touches.drain_all()
    User.objects.filter(email__in=members[30:60]).update(email="")
    tasks.reconcile()
    touches.drain_all()

    assert Decision.objects.filter(held_back_at__isnull=False).count() == 10
    assert Approval.objects.get().number == 10


def test_order_for_other_members_is_carried_out_while_a_brake_is_on(
    basket: SandboxServer, members: list[str], commit: Commit
) -> None:
    Group.objects.get(slug="nda").delete()
    sweep(4)
    waiting = Member.objects.filter(held_back_at__isnull=False).values_list(
        "site_member", flat=True
    )
    other = UserProfileFactory.create()

    decisions.order([other.pk], [NDA], subscribe=True)
    decisions.order([waiting[0]], [NDA], subscribe=False)
    gone = Contact.objects.get(members__site_member=waiting[0]).key
    sweep(8)

    assert other.user.email in holders(basket, NDA)
    assert gone not in holders(basket, NDA)


def test_order_made_since_stands_against_the_approval(
    basket: SandboxServer, members: list[str]
) -> None:
    Group.objects.get(slug="nda").delete()
    sweep(4)
    member = Member.objects.filter(held_back_at__isnull=False)[0]

    decisions.order([member.site_member_id], [NDA], subscribe=True)
    asked = Approval.objects.get()
    approvals.answer(asked, Approval.Answer.REMOVE, None)
    tasks.carry_out_answer.apply((asked.pk,))
    sweep(16)

    assert holders(basket, NDA) == {Contact.objects.get(members=member).key}


def test_newsletters_that_a_policy_gave_are_the_same_in_sql(db: None) -> None:
    kinds = itertools.product([True, False], [True, False], ["", *DecidedBy])
    for entitled, wanted, decided_by in kinds:
        Decision.objects.create(
            member=Member.objects.create(),
            newsletter=NDA,
            entitled=entitled,
            wanted=wanted,
            decided_by=decided_by,
        )

    found = set(Decision.objects.filter(approvals.GIVEN))

    assert found == {row for row in Decision.objects.all() if gives(row)}
