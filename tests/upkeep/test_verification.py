"""Verification and losses: choices are kept, and a mass loss is never taken for choices."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from mozillians_basket import tasks
from mozillians_basket.ledger.share import empty_rows
from mozillians_basket.models import (
    Approval,
    Contact,
    Decision,
    Event,
    Member,
    Status,
    Subscription,
)
from mozillians_basket.rules import sample
from mozillians_basket.rules.rows import DecidedBy, Rows, State
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import verification
from project.people.models import UserProfile
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory
from tests.rules import losses
from tests.upkeep.crowds import (
    NDA,
    PHONE,
    SWEEPS,
    look_up,
    lose,
    opt_outs,
    question,
    sweep,
    verify,
    vouched,
)

pytestmark = pytest.mark.crowds

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=timezone.get_default_timezone())


# One person.


@pytest.mark.parametrize("size", [1, 5, 50, 150])
def test_own_unsubscribe_of_one_person_is_concluded_as_an_opt_out(
    basket: SandboxServer, size: int
) -> None:
    emails = vouched(size)
    basket.put_person(emails[0], remove=[PHONE])
    basket.clear_requests()

    look_up(emails[0])
    sweep()

    lookups = [request for request in basket.requests if request.endpoint == "lookup"]
    row = Subscription.objects.get(state=State.OPTED_OUT)
    assert (row.contact.key, row.newsletter) == (emails[0], PHONE)
    assert len(lookups) <= 1 + 50 + 1
    assert question() is None


def test_concluded_opt_out_holds_against_the_policy(basket: SandboxServer) -> None:
    emails = vouched(5)
    basket.put_person(emails[0], remove=[PHONE])
    verify()

    members = UserProfile.objects.filter(user__email=emails[0])
    members.update(is_vouched=False)
    tasks.reconcile()
    members.update(is_vouched=True)
    tasks.reconcile()
    sweep()

    person = basket.person(emails[0])
    assert person is not None
    assert person.newsletters == frozenset()


def test_sample_does_not_wait_for_contacts_that_are_due_later(basket: SandboxServer) -> None:
    emails = vouched(5)
    basket.put_person(emails[0], remove=[PHONE])
    later = timezone.now() + timedelta(hours=1)
    Contact.objects.filter(key=emails[1]).update(
        touched_at=timezone.now(), not_before=later, priority=Contact.Priority.CHANGE
    )

    look_up(emails[0])
    sweep()

    assert opt_outs() == 1


def test_nothing_is_concluded_before_the_sample_was_looked_up(basket: SandboxServer) -> None:
    emails = vouched(10)
    basket.put_person(emails[0], remove=[PHONE])
    look_up(emails[0])
    tasks.lookup_users_task.apply()
    basket.fail("lookup", status=500)

    sweep()
    before = opt_outs()
    basket.heal()
    Status.objects.update(opened_at=None, failures=0, failed_contacts=[], probe_contact=None)
    Contact.objects.update(not_before=None, attempts=0)
    sweep()

    assert before == 0
    assert opt_outs() == 1


# Losses.


@pytest.mark.parametrize("size", [50, 150])
@pytest.mark.parametrize("what", ["people", "newsletter"])
def test_total_loss_found_by_verification_records_no_opt_out_and_asks_once(
    basket: SandboxServer, size: int, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    emails = vouched(size)
    lose(basket, what, emails)

    verify()
    verify()

    asked = question()
    assert opt_outs() == 0
    assert asked is not None
    assert (asked.newsletter, asked.number, asked.total) == (PHONE, size, size)
    assert len(asked.examples) == 20
    assert Event.objects.filter(kind=Event.Kind.ASKED).count() == 1
    assert [r.levelname for r in caplog.records if "are missing at Basket" in r.message] == [
        "ERROR"
    ]


@pytest.mark.parametrize("what", ["people", "newsletter"])
def test_total_loss_found_by_ordinary_changes_records_no_opt_out_and_asks(
    basket: SandboxServer, what: str
) -> None:
    emails = vouched(60)
    lose(basket, what, emails)

    group = GroupFactory.create(slug="nda")
    for profile in UserProfile.objects.filter(is_vouched=True)[:40]:
        MembershipFactory.create(profile=profile, group=group)
    sweep()

    got = [person.newsletters for person in basket.people.values()]
    assert opt_outs() == 0
    assert question() is not None
    assert got.count(frozenset({NDA})) == 40
    assert not any(PHONE in names for names in got)


def test_question_about_a_large_loss_does_not_wait_for_everybody_to_be_looked_up(
    basket: SandboxServer,
) -> None:
    emails = vouched(150)
    basket.forget_people()
    basket.clear_requests()

    look_up(emails[0])
    for _ in range(SWEEPS):
        if question() is None:
            tasks.sweep()

    lookups = {request.email for request in basket.requests if request.endpoint == "lookup"}
    assert question() is not None
    assert len(lookups) <= 1 + 50 + 60


@pytest.mark.parametrize("what", ["people", "newsletter"])
def test_question_closes_by_itself_when_lookups_show_them_again(
    basket: SandboxServer, what: str
) -> None:
    emails = vouched(50)
    lose(basket, what, emails)
    verify()
    assert question() is not None

    for email in emails:
        basket.put_person(email, newsletters=[PHONE])
    look_up(*emails)
    sweep()

    asked = Approval.objects.get()
    assert asked.answer == Approval.Answer.ITSELF
    assert asked.closed_at is not None
    assert opt_outs() == 0
    assert all(PHONE in person.newsletters for person in basket.people.values())


def test_question_closes_by_itself_although_many_were_subscribed_at_the_wrong_basket(
    basket: SandboxServer,
) -> None:
    emails = vouched(50)
    basket.forget_people()
    verify()
    assert question() is not None
    new = vouched(12)

    basket.forget_people()
    for email in emails:
        basket.put_person(email, newsletters=[PHONE])
    look_up(*new)
    sweep()
    assert question() is not None
    look_up(*emails)
    sweep()

    assert Approval.objects.get().answer == Approval.Answer.ITSELF
    assert opt_outs() == 0
    assert {e for e, who in basket.people.items() if PHONE in who.newsletters} == {*emails, *new}


def test_opt_outs_inferred_before_a_loss_was_noticed_are_open_again(basket: SandboxServer) -> None:
    emails = vouched(50)
    lose(basket, "newsletter", emails[:2])
    look_up(*emails[:2])
    sweep(4)
    assert opt_outs() == 2

    lose(basket, "newsletter", emails)
    verify()
    verify()

    asked = question()
    assert opt_outs() == 0
    assert not Decision.objects.filter(opted_out_at__isnull=False).exists()
    assert asked is not None
    assert asked.number == 50


def test_other_people_are_verified_while_a_question_is_open(basket: SandboxServer) -> None:
    emails = vouched(50)
    member = MembershipFactory.create(group=GroupFactory.create(slug="nda")).profile.user.email
    sweep(2)
    verify()
    lose(basket, "newsletter", emails)
    verify()
    assert question() is not None

    basket.put_person(member, newsletters=[])
    verify()

    row = Subscription.objects.get(state=State.OPTED_OUT)
    assert (row.contact.key, row.newsletter) == (member, NDA)


# Verification.


def test_unseen_subscriptions_go_first_then_those_looked_up_longest_ago(
    basket: SandboxServer,
) -> None:
    emails = vouched(4)
    for number, email in enumerate(emails):
        long_ago = timezone.now() - timedelta(hours=number)
        Contact.objects.filter(key=email).update(looked_up_at=long_ago)
    newest = VouchFactory.create().vouchee.user.email
    sweep(2)

    number = verification.verify(3)

    due = Contact.objects.filter(touched_at__isnull=False)
    assert number == 3
    assert {contact.key for contact in due} == {newest, emails[3], emails[2]}
    assert {contact.priority for contact in due} == {Contact.Priority.VERIFICATION}


def test_verification_comes_to_everybody_again_and_again(
    basket: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = UserProfileFactory.create_batch(5)  # looked up longest ago, and nothing to verify
    sweep(2)
    look_up(*[profile.user.email for profile in nobody])
    sweep(2)
    emails = vouched(9)
    monkeypatch.setattr(verification, "SCAN", 3)

    for _ in range(2):
        basket.clear_requests()
        for _ in range(20):
            verification.verify(2)
            sweep(1)

        assert {request.email for request in basket.requests} >= set(emails)


def test_verification_begins_again_at_the_end(basket: SandboxServer) -> None:
    emails = vouched(3)
    verification.verify(2)
    verification.verify(2)
    sweep(2)
    long_ago = timezone.now() - timedelta(days=1)
    Contact.objects.filter(key=emails[0]).update(looked_up_at=long_ago)

    verification.verify(1)

    assert Contact.objects.get(touched_at__isnull=False).key == emails[0]


def test_contacts_without_anything_to_verify_are_left_alone(basket: SandboxServer) -> None:
    vouched(1)
    basket.clear_requests()

    verification.verify(10)
    sweep(2)

    assert Contact.objects.count() == 2  # the voucher is no subscriber
    assert len([r for r in basket.requests if r.endpoint == "lookup"]) == 1


@pytest.mark.parametrize("limit", [None, 60])
def test_removal_that_a_restored_backup_undid_is_repeated(
    basket: SandboxServer, limit: int | None
) -> None:
    emails = vouched(5)
    UserProfile.objects.filter(user__email=emails[0]).update(is_vouched=False)
    tasks.reconcile()
    sweep(2)
    look_up(emails[0])
    sweep(2)
    removed = basket.person(emails[0])
    long_ago = timezone.now() - timedelta(days=2)
    Subscription.objects.filter(contact__key=emails[0]).update(removed_at=long_ago)

    basket.put_person(emails[0], newsletters=[PHONE])
    verification.verify(limit)
    sweep(4)

    person = basket.person(emails[0])
    assert removed is not None
    assert person is not None
    assert removed.newsletters == person.newsletters == frozenset()


def test_person_who_came_back_is_noticed(basket: SandboxServer) -> None:
    emails = vouched(5)
    basket.put_person(emails[0], remove=[PHONE])
    verify()
    assert opt_outs() == 1

    basket.put_person(emails[0], newsletters=[PHONE])
    verify()

    row = Subscription.objects.get(contact__key=emails[0], newsletter=PHONE)
    assert row.state == State.SUBSCRIBED
    assert opt_outs() == 0


def test_person_who_came_back_is_noticed_by_members_who_arrived_after_the_opt_out(
    basket: SandboxServer,
) -> None:
    emails = vouched(5)
    leaver = UserProfile.objects.get(user__email=emails[0])
    basket.put_person(emails[0], remove=[PHONE])
    verify()
    arrived = UserProfileFactory.create(user__email=emails[0])
    leaver.user.email = "new@example.com"
    leaver.user.save()
    verify()
    assert not Decision.objects.filter(
        member__contact__key=emails[0], opted_out_at__isnull=False
    ).exists()

    basket.put_person(emails[0], newsletters=[PHONE])
    verify()

    row = Subscription.objects.get(contact__key=emails[0], newsletter=PHONE)
    decision = Decision.objects.get(member__site_member=arrived.pk, newsletter=PHONE)
    assert row.state == State.SUBSCRIBED
    assert (decision.wanted, decision.decided_by) == (True, DecidedBy.MEMBER)


def test_contact_that_is_due_or_parked_is_not_touched_again(basket: SandboxServer) -> None:
    emails = vouched(3)
    Contact.objects.filter(key=emails[0]).update(touched_at=NOW)
    Contact.objects.filter(key=emails[1]).update(parked=True)

    number = verification.verify(None)

    assert number == 1
    assert Contact.objects.get(key=emails[0]).touched_at == NOW


# The rules are written in Python and in SQL; both must agree for any rows.


@pytest.fixture
def noon(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock at noon."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def make_rows(seed: int) -> None:
    """Fill the tables with a newsletter that has missing subscriptions."""
    dice = random.Random(seed)
    gone, size = dice.choice([0.005, 0.02, 0.2, 0.9]), dice.choice([4, 40, 150])
    minutes = [NOW - timedelta(minutes=dice.randint(1, 5000)) for _ in range(size // 3 + 1)]
    found = [NOW - timedelta(minutes=dice.randint(1, 90)) for _ in range(3)]
    looks_done = dice.random()
    contacts, rows, decisions = [], [], []
    for pk in range(1, size + 1):
        at, looked = dice.choice(minutes), dice.random() < looks_done
        row = Subscription(contact_id=pk, newsletter=PHONE, state=State.SUBSCRIBED)
        row.confirmed_at, row.seen_at = at, dice.choice([at, None])
        contact = Contact(pk=pk, key=f"{pk}@example.com", email=f"{pk}@example.com")
        contact.looked_up_at = NOW - timedelta(seconds=5) if looked else at
        contact.parked, contact.attempts = dice.random() < 0.05, int(dice.random() < 0.1)
        if looked:
            row.seen_at = dice.choice([contact.looked_up_at] * 5 + [None])
        if dice.random() < gone:
            row.missing_at, row.seen_at = dice.choice(found), at
            row.state = dice.choice([State.SUBSCRIBED, State.SUBSCRIBED, State.LOST])
            row.opted_out_at = dice.choice([None, None, None, row.missing_at])  # reopened before
        elif dice.random() < 0.1:
            row.state, row.confirmed_at, row.seen_at = State.OPTED_OUT, None, None
            row.opted_out_at = row.missing_at = dice.choice(minutes)
        elif dice.random() < 0.1:
            row.state, row.confirmed_at, row.seen_at = State.UNSUBSCRIBED, None, None
            row.removed_at = dice.choice([None, *minutes])
        contacts.append(contact)
        rows.append(row)
        decision = Decision(member_id=pk, newsletter=PHONE, entitled=True, wanted=True)
        decision.decided_by, decision.decided_at = DecidedBy.POLICY, at
        decision.opted_out_at = row.opted_out_at
        if dice.random() < 0.1:
            decision.decided_by, decision.decided_at = DecidedBy.MEMBER, NOW
        decisions.append(decision)
    Contact.objects.bulk_create(contacts)
    Member.objects.bulk_create(
        [Member(pk=c.pk, site_member_id=c.pk, contact_id=c.pk) for c in contacts]
    )
    Decision.objects.bulk_create(decisions)
    Subscription.objects.bulk_create(rows)
    if dice.random() < 0.4:
        Approval.objects.create(
            newsletter=PHONE, kind=Approval.Kind.LOSS, since=min(found), number=dice.randint(3, 40)
        )


def all_rows() -> Rows:
    rows = empty_rows()
    rows.members = {row.pk: row for row in Member.objects.all()}
    rows.contacts = {row.pk: row for row in Contact.objects.all()}
    rows.decisions = {(row.member_id, row.newsletter): row for row in Decision.objects.all()}
    rows.subscriptions = {(r.contact_id, r.newsletter): r for r in Subscription.objects.all()}
    return Rows(**{name: getattr(rows, name) for name in rows.__dataclass_fields__})


def written(rows: Rows) -> dict[str, Any]:
    """Return the changes that a conclusion made."""
    columns = ("state", "confirmed_at", "seen_at", "missing_at", "opted_out_at")
    return {
        "subscriptions": {
            key: [getattr(row, column) for column in columns]
            for key, row in rows.subscriptions.items()
        },
        "opted out": {key: row.opted_out_at for key, row in rows.decisions.items()},
        "due": {pk for pk, row in rows.contacts.items() if row.touched_at},
        "questions": [(q.since, q.missing, q.closed_at) for q in rows.questions],
    }


@pytest.mark.parametrize("seed", range(40))
def test_sample_and_conclusion_are_the_same_in_sql(noon: None, seed: int) -> None:
    make_rows(seed)
    before = all_rows()
    for asked in before.questions:  # a dead worker may have left a question to open again
        before = sample.reopen(before, asked, before.contacts)
    expected, look_up_first = losses.conclude(before, PHONE)
    for pk in look_up_first:
        expected.contacts[pk].touched_at = NOW

    found = verification.sample(PHONE, NOW)
    verification.conclude()

    assert before.questions or found == losses.sample(before, PHONE)
    assert written(all_rows()) == written(expected)


@pytest.mark.parametrize("seed", range(20))
def test_contacts_to_verify_are_the_same_in_sql(noon: None, seed: int) -> None:
    make_rows(seed)
    rows = all_rows()
    ranks = {row.contact_id: losses.verify_rank(rows, row) for row in rows.subscriptions.values()}
    usable = {pk for pk, contact in rows.contacts.items() if not contact.parked}
    first = {pk for pk, rank in ranks.items() if rank == 0}

    verification.verify(len(first & usable) or None)
    if first & usable:
        assert {row.pk for row in Contact.objects.exclude(touched_at=None)} == first & usable
    verification.verify(None)

    due = {row.pk for row in Contact.objects.exclude(touched_at=None)}
    assert due == {pk for pk, rank in ranks.items() if rank is not None} & usable


def test_examples_of_the_two_forms_reach_every_verdict(noon: None) -> None:
    verdicts = set()
    for seed in range(40):
        for model in (Approval, Subscription, Decision, Member, Contact):
            model._default_manager.all().delete()
        make_rows(seed)
        found = losses.sample(all_rows(), PHONE)
        if found is not None:
            verdicts.add(sample.verdict(found, all_rows().settings))

    assert verdicts == set(sample.Verdict)
