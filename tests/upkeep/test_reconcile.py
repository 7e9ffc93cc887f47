"""Changes without a signal reach Basket; mass removals wait for an admin."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger.share import read
from mozillians_basket.models import (
    Approval,
    Contact,
    Decision,
    Member,
    Status,
    Subscription,
    Touch,
)
from mozillians_basket.rules.plan import stays
from mozillians_basket.rules.rows import State
from mozillians_basket.rules.rows import held as row_held
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import approvals, reconcile
from mozillians_basket.upkeep.reconcile import Kind
from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch
from tests.brokers import Commit
from tests.factories import GroupFactory, UserProfileFactory, VouchFactory
from tests.upkeep.crowds import analyze

pytestmark = pytest.mark.django_db


def settle() -> None:
    """Let the workers do all work that is due, now or later."""
    for _ in range(10):
        Contact.objects.update(not_before=None)
        tasks.sweep()
        if not Contact.objects.filter(touched_at__isnull=False, parked=False).exists():
            return


def command(*options: str) -> tuple[Any, str]:
    """Run the command; return its exit code and its output."""
    out = StringIO()
    try:
        call_command("basket_reconcile", *options, stdout=out, stderr=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def held(basket: SandboxServer) -> dict[str, set[str]]:
    """Return Basket's newsletters by address."""
    return {
        email: set(person.newsletters)
        for email, person in basket.people.items()
        if person.newsletters
    }


@contextmanager
def unseen() -> Iterator[None]:
    """Change the site unnoticed: the touches are deleted."""
    yield
    Touch.objects.all().delete()


@pytest.fixture(autouse=True)
def _no_grace(settings: Any) -> None:
    settings.BASKET_REMOVAL_GRACE_SECONDS = 0.001
    settings.BASKET_RECHECK_SECONDS = 0.001


@pytest.fixture
def vouched(basket: SandboxServer, commit: Commit) -> UserProfile:
    """A vouched member, as Basket has them."""
    with commit():
        vouch = VouchFactory.create()
    settle()
    return vouch.vouchee


def update_policy_field() -> None:
    UserProfile.objects.filter(vouches_received__isnull=True).update(is_vouched=True)


def create_in_bulk() -> None:
    user = User.objects.bulk_create([User(username="bulk", email="bulk@example.com")])[0]
    profile = UserProfile.objects.bulk_create([UserProfile(user=user, is_vouched=True)])[0]
    Membership.objects.bulk_create(
        [Membership(profile=profile, group=GroupFactory.create(slug="nda"), status="member")]
    )


def update_by_raw_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE people_userprofile SET is_vouched = %s", [True])


def update_address() -> None:
    User.objects.filter(profile__is_vouched=True).update(email="moved@example.com")


def update_address_to_nothing() -> None:
    User.objects.filter(profile__is_vouched=True).update(email=" ")


def end_entitlement() -> None:
    UserProfile.objects.update(is_vouched=False)


def delete_by_raw_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_vouch")
        cursor.execute("DELETE FROM people_userprofile WHERE is_vouched = %s", [True])


def lose_touches() -> None:
    VouchFactory.create()
    Touch.objects.all().delete()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (update_policy_field, Kind.GAINED),
        (create_in_bulk, Kind.ROWLESS),
        (update_by_raw_sql, Kind.GAINED),
        (update_address, Kind.ADDRESS),
        (update_address_to_nothing, Kind.ADDRESS),
        (end_entitlement, Kind.LOST),
        (delete_by_raw_sql, Kind.DEPARTED),
        (lose_touches, Kind.ROWLESS),
    ],
)
def test_change_that_no_signal_saw_reaches_basket(
    basket: SandboxServer,
    vouched: UserProfile,
    commit: Commit,
    change: Callable[[], None],
    kind: Kind,
) -> None:
    with commit():
        UserProfileFactory.create()
    change()
    entitled = UserProfile.objects.filter(is_vouched=True).exclude(user__email=" ")
    expected = {
        email: {"mozilla-phone"} | ({"mozillians-nda"} if nda else set())
        for email, nda in entitled.values_list("user__email", "memberships__status")
    }

    before, summary = command("--json")
    applied, _summary = command("--apply")
    settle()
    after, _summary = command()

    assert (before, applied, after) == (1, 0, 0)
    assert json.loads(summary)["found"][kind] >= 1
    assert held(basket) == expected


def test_renamed_group_ends_its_members_subscriptions(
    basket: SandboxServer, commit: Commit
) -> None:
    profile = UserProfileFactory.create()
    with commit():
        Membership.objects.create(
            profile=profile, group=GroupFactory.create(slug="nda"), status="member"
        )
    settle()
    assert held(basket) == {profile.user.email: {"mozillians-nda"}}
    with unseen():
        Group.objects.filter(slug="nda").update(slug="former-nda")

    command("--apply")
    settle()

    assert held(basket) == {}


def test_address_that_changes_only_in_case_is_no_difference(
    basket: SandboxServer, vouched: UserProfile
) -> None:
    User.objects.filter(profile=vouched).update(email=vouched.user.email.upper())

    report = reconcile.find()

    assert report.differences == 0


def test_site_with_members_is_adopted(basket: SandboxServer) -> None:
    with unseen():
        lacking, having, opted_out = (VouchFactory.create().vouchee for _ in range(3))
        entitled_to_nothing = UserProfileFactory.create()
    basket.put_person(having.user.email, newsletters=["mozilla-phone", "about-mozilla"])
    basket.put_person(opted_out.user.email, newsletters=[], optout=True)
    basket.put_person(entitled_to_nothing.user.email, newsletters=["mozilla-phone"])

    command("--apply")
    settle()

    assert held(basket) == {
        lacking.user.email: {"mozilla-phone"},
        having.user.email: {"mozilla-phone", "about-mozilla"},
        entitled_to_nothing.user.email: {"mozilla-phone"},
    }
    assert Member.objects.count() == UserProfile.objects.count()
    looked_up = [request.email for request in basket.requests if request.endpoint == "lookup"]
    assert lacking.user.email in looked_up
    assert entitled_to_nothing.user.email not in looked_up


def test_members_are_compared_across_chunks(
    basket: SandboxServer, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(reconcile, "CHUNK", 2)
    settings.BASKET_DRAIN_SIZE = 1
    with unseen():
        profiles = [VouchFactory.create().vouchee for _ in range(5)]
    reconcile.apply()
    with unseen():
        for profile in profiles:
            UserProfile.objects.filter(pk=profile.pk).delete()
        last = VouchFactory.create().vouchee

    report = reconcile.apply()
    settle()

    assert report.found[Kind.DEPARTED] == 5
    assert held(basket) == {last.user.email: {"mozilla-phone"}}
    assert set(Member.objects.values_list("site_member", flat=True)) == set(
        UserProfile.objects.values_list("pk", flat=True)
    )


def test_dry_run_changes_nothing(basket: SandboxServer) -> None:
    with unseen():
        VouchFactory.create()

    code, summary = command("--dry-run")

    assert code == 1
    assert "2 members without a row" in summary
    assert "mozilla-phone: 1 to gain, 0 to lose" in summary
    assert not Contact.objects.exists()
    assert not Member.objects.exists()
    assert basket.requests == []


def test_nothing_is_asked_where_nothing_differs(
    basket: SandboxServer, vouched: UserProfile
) -> None:
    basket.clear_requests()

    code, _summary = command("--apply")
    settle()

    assert code == 0
    assert basket.requests == []
    assert Status.read().reconciled_at is not None


def test_comparing_takes_few_queries_however_many_members_there_are(
    basket: SandboxServer, django_assert_max_num_queries: Any
) -> None:
    with unseen():
        VouchFactory.create_batch(20)
    reconcile.apply()
    settle()

    with django_assert_max_num_queries(17):
        report = reconcile.apply()

    assert report.differences == 0


@pytest.fixture
def many_vouched(basket: SandboxServer, commit: Commit, settings: Any) -> list[str]:
    """More vouched members than the brake allows to be removed within an hour."""
    settings.BASKET_BRAKE_FLOOR = 2
    with commit():
        vouches = VouchFactory.create_batch(4)
    settle()
    return [vouch.vouchee.user.email for vouch in vouches]


def carry_out_answers() -> None:
    for approval in Approval.objects.filter(closed_at=None).exclude(answer=""):
        approvals.carry_out(approval.pk)


def test_mass_removal_waits_for_an_admin(basket: SandboxServer, many_vouched: list[str]) -> None:
    with unseen():
        UserProfile.objects.update(is_vouched=False)

    foreseen, forecast = command()
    stopped, summary = command("--apply")
    settle()
    still_there = held(basket)
    again, repetition = command("--apply")
    settle()
    same = held(basket)
    answered, _summary = command("--apply", "--go")
    carry_out_answers()
    settle()

    assert foreseen == 2
    assert "would remove 4 of 4 subscriptions to mozilla-phone at once" in forecast
    assert stopped == again == 2
    assert "4 evaluated" in summary
    assert "0 evaluated" in repetition
    assert len(still_there) == 2
    assert same == still_there
    assert answered == 0
    assert held(basket) == {}


def test_deleted_members_count_for_the_brake(
    basket: SandboxServer, many_vouched: list[str]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_vouch")
        cursor.execute("DELETE FROM people_userprofile WHERE is_vouched = %s", [True])

    tasks.reconcile()
    tasks.reconcile()
    settle()

    assert len(held(basket)) == 2
    assert Approval.objects.get().number == 2


def test_emptied_addresses_count_for_the_brake(
    basket: SandboxServer, many_vouched: list[str]
) -> None:
    User.objects.filter(email__in=many_vouched).update(email="")

    foreseen, forecast = command()
    command("--apply")
    settle()
    still_there = held(basket)
    again = reconcile.apply()
    command("--apply", "--go")
    carry_out_answers()
    settle()

    assert foreseen == 2
    assert "would remove 4 of 4 subscriptions to mozilla-phone at once" in forecast
    assert len(still_there) == 2
    assert again.found[Kind.ADDRESS] == 2
    assert again.applied == 0
    assert held(basket) == {}


def test_brake_does_not_hold_back_additions(basket: SandboxServer, many_vouched: list[str]) -> None:
    UserProfile.objects.update(is_vouched=False)
    joiner = UserProfileFactory.create()
    with unseen():
        Membership.objects.bulk_create(
            [Membership(profile=joiner, group=GroupFactory.create(slug="nda"), status="member")]
        )

    tasks.reconcile()
    settle()

    assert held(basket)[joiner.user.email] == {"mozillians-nda"}
    assert len(held(basket)) == 3


def test_addition_to_a_member_who_is_held_back_goes_on(
    basket: SandboxServer, many_vouched: list[str]
) -> None:
    UserProfile.objects.update(is_vouched=False)
    tasks.reconcile()
    waiting = UserProfile.objects.filter(basket_member__held_back_at__isnull=False)[0]
    with unseen():
        Membership.objects.bulk_create(
            [
                Membership(
                    profile=waiting,
                    group=GroupFactory.create(slug="nda"),
                    status="member",
                )
            ]
        )

    tasks.reconcile()
    settle()

    email = waiting.user.email
    assert held(basket)[email] == {"mozilla-phone", "mozillians-nda"}


def test_members_who_are_entitled_again_are_held_back_no_more(
    basket: SandboxServer, many_vouched: list[str]
) -> None:
    UserProfile.objects.update(is_vouched=False)
    tasks.reconcile()
    with unseen():
        UserProfile.objects.filter(user__email__in=many_vouched).update(is_vouched=True)

    code, _summary = command()
    tasks.reconcile()
    settle()

    assert code != 0
    assert not Member.objects.filter(held_back_at__isnull=False).exists()
    assert held(basket) == {email: {"mozilla-phone"} for email in many_vouched}
    assert reconcile.find().differences == 0


def test_one_newsletter_can_be_reconciled_alone(basket: SandboxServer, commit: Commit) -> None:
    with commit():
        profile = UserProfileFactory.create()
    with unseen():
        Vouch.objects.bulk_create([Vouch(vouchee=profile)])
        UserProfile.objects.filter(pk=profile.pk).update(is_vouched=True)
        other = UserProfileFactory.create()
        Membership.objects.bulk_create(
            [Membership(profile=other, group=GroupFactory.create(slug="nda"), status="member")]
        )

    code, summary = command("--newsletter", "mozillians-nda", "--json")
    command("--newsletter", "mozillians-nda", "--apply")
    settle()

    assert code == 1
    assert json.loads(summary)["by_newsletter"] == {"mozillians-nda": {"gained": 1, "lost": 0}}
    assert held(basket) == {other.user.email: {"mozillians-nda"}}


def test_unknown_newsletter_is_a_clear_error() -> None:
    with pytest.raises(CommandError, match="no policy names this"):
        call_command("basket_reconcile", "--newsletter", "nonsense")


@pytest.mark.parametrize(
    "options", [["--go"], ["--restore"], ["--dry-run", "--verify", "--go"], ["--go", "--restore"]]
)
def test_answers_without_a_question_are_a_clear_error(options: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("basket_reconcile", *options)


def test_nothing_is_applied_while_the_switch_is_off(basket: SandboxServer) -> None:
    with override_switch(SWITCH, active=False), pytest.raises(CommandError) as caught:
        call_command("basket_reconcile", "--apply")

    assert caught.value.returncode == 3


def test_exit_codes_tell_cron_what_was_found(
    basket: SandboxServer, many_vouched: list[str]
) -> None:
    nothing = command()[0], command("--apply")[0]
    with unseen():
        VouchFactory.create()
    difference = command()[0], command("--apply")[0], command("--apply")[0]
    settle()
    UserProfile.objects.update(is_vouched=False)
    too_much = command()[0], command("--apply")[0], command("--apply")[0]
    approved = command("--apply", "--go")[0]
    with pytest.raises(CommandError) as misfit:
        command("--restore")

    assert nothing == (0, 0)
    assert difference == (1, 0, 0)
    assert too_much == (2, 2, 2)
    assert approved == 0
    assert misfit.value.returncode == 1


def test_periodic_run_does_nothing_while_the_switch_is_off(basket: SandboxServer) -> None:
    with unseen():
        VouchFactory.create()

    with override_switch(SWITCH, active=False):
        tasks.reconcile()

    assert not Contact.objects.exists()
    assert basket.requests == []


def lack(subscription: Subscription) -> None:
    subscription.state, subscription.confirmed_at, subscription.seen_at = "unknown", None, None
    subscription.save()


def end_wish(subscription: Subscription) -> None:
    Decision.objects.update(wanted=False, decided_by="admin")


@pytest.mark.parametrize(
    ("harm", "expected"), [(lack, {"mozilla-phone"}), (end_wish, set())], ids=["lacks", "exceeds"]
)
def test_settled_contact_that_differs_is_synced(
    basket: SandboxServer,
    vouched: UserProfile,
    harm: Callable[[Subscription], None],
    expected: set[str],
) -> None:
    phone = {"contact__members__site_member": vouched, "newsletter": "mozilla-phone"}
    harm(Subscription.objects.get(**phone))
    if harm is lack:
        basket.put_person(vouched.user.email, newsletters=[])

    found = reconcile.find()
    untouched = not Contact.objects.filter(touched_at__isnull=False).exists()
    code, _summary = command("--apply")
    settle()

    assert found.found[Kind.UNSETTLED] == 1
    assert untouched
    assert code == 0
    assert held(basket).get(vouched.user.email, set()) == expected
    assert reconcile.find().differences == 0


def test_contact_that_lacks_one_newsletter_and_exceeds_another_counts_once(
    vouched: UserProfile,
) -> None:
    phone = Subscription.objects.get(
        contact__members__site_member=vouched, newsletter="mozilla-phone"
    )
    lack(phone)
    Subscription.objects.create(
        contact=phone.contact,
        newsletter="mozillians-nda",
        state="subscribed",
        confirmed_at=timezone.now(),
        decided=True,
    )

    report = reconcile.find()

    assert report.found[Kind.UNSETTLED] == 1


@pytest.mark.parametrize(
    "values",
    [
        {"state": "refused", "error_code": "2", "confirmed_at": None},
        {"state": "missing at Basket"},
        {"state": "opted out", "confirmed_at": None},
        {"missing_at": timezone.now()},
    ],
    ids=["refused", "lost", "opted out", "missing"],
)
def test_contact_that_is_settled_for_a_reason_is_left_alone(
    basket: SandboxServer, vouched: UserProfile, values: dict[str, Any]
) -> None:
    Subscription.objects.filter(contact__members__site_member=vouched).update(**values)

    report = reconcile.apply()

    assert report.found[Kind.UNSETTLED] == 0
    assert not Contact.objects.filter(touched_at__isnull=False).exists()


def test_run_that_evaluates_many_members_leaves_settled_contacts_to_the_next_one(
    vouched: UserProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack(
        Subscription.objects.get(contact__members__site_member=vouched, newsletter="mozilla-phone")
    )
    monkeypatch.setattr(reconcile, "CHUNK", 3)
    with unseen():
        VouchFactory.create_batch(3)

    first, second = reconcile.apply(), reconcile.apply()

    assert first.applied >= 3
    assert first.found[Kind.UNSETTLED] == 0
    assert (second.applied, second.found[Kind.UNSETTLED]) == (1, 1)


def test_newsletter_that_nobody_decided_on_is_left_alone(
    basket: SandboxServer, vouched: UserProfile
) -> None:
    basket.put_person(vouched.user.email, newsletters=["mozilla-phone", "mozillians-nda"])
    Contact.objects.update(touched_at=timezone.now())
    settle()

    report = reconcile.apply()
    settle()

    assert report.found[Kind.UNSETTLED] == 0
    assert held(basket)[vouched.user.email] == {"mozilla-phone", "mozillians-nda"}


def ask_about_loss(vouched: UserProfile) -> Approval:
    """Let a lookup miss a subscription, and ask admins about it."""
    now = timezone.now()
    rows = Subscription.objects.filter(newsletter="mozilla-phone", confirmed_at__isnull=False)
    rows.filter(contact__members__site_member=vouched).update(missing_at=now)
    return Approval.objects.create(
        newsletter="mozilla-phone",
        kind=Approval.Kind.LOSS,
        since=now,
        number=1,
        total=1,
    )


@pytest.mark.parametrize(
    ("option", "expected"), [("--go", set()), ("--restore", {"mozilla-phone"})]
)
def test_answer_about_a_possible_loss_is_carried_out(
    basket: SandboxServer, vouched: UserProfile, option: str, expected: set[str]
) -> None:
    basket.put_person(vouched.user.email, newsletters=[])
    ask_about_loss(vouched)

    unanswered, summary = command("--dry-run")
    answered, _summary = command("--verify", option)
    carry_out_answers()
    settle()

    assert unanswered == 2
    assert "1 of 1 subscriptions to mozilla-phone are missing at Basket" in summary
    assert answered == 0
    assert held(basket).get(vouched.user.email, set()) == expected


def test_answer_of_one_kind_leaves_the_other_questions_open(
    basket: SandboxServer, vouched: UserProfile
) -> None:
    loss = ask_about_loss(vouched)

    code, _summary = command("--apply", "--go")

    loss.refresh_from_db()
    assert code == 2
    assert loss.answer == ""


def test_verify_has_settled_contacts_looked_up(basket: SandboxServer, vouched: UserProfile) -> None:
    basket.clear_requests()

    command("--verify", "--dry-run")
    tasks.sweep()
    untouched = not basket.requests
    code, summary = command("--verify", "--json")
    tasks.sweep()

    assert untouched
    assert code == 0
    assert json.loads(summary)["looked_up"] >= 1
    assert [request.endpoint for request in basket.requests].count("lookup") >= 1


def contacts_in_all_states() -> list[int]:
    """Create settled contacts with one member each, in all combinations that matter."""
    now, newsletter = timezone.now(), "mozilla-phone"
    wishes = [
        None,
        *product([True], ["policy", ""], [None, now], [True, False]),
        *product([False], ["policy", ""], [None, now], [False]),
    ]
    states = [
        None,
        *product([s for s in State if s != State.OPTED_OUT], [None, now], [None], [True, False]),
        *product([State.OPTED_OUT], [None], [None, now], [True, False]),
        (State.SUBSCRIBED, now, now, True),
    ]
    cases = product(wishes, states, [None, now], [None, now], [True, False])
    contacts, members, decisions, subscriptions = [], [], [], []
    for number, (wish, state, member_opted_out, renamed, clear) in enumerate(cases, start=1):
        email = f"{number}@example.com"
        contacts.append(Contact(pk=number, email=email, key=email, clear=clear, renamed_at=renamed))
        members.append(Member(pk=number, contact_id=number, opted_out_at=member_opted_out))
        if wish:
            wanted, by, opted_out, despite = wish
            values = {"wanted": wanted, "decided_by": by, "despite_opt_out": despite}
            decisions.append(
                Decision(member_id=number, newsletter=newsletter, opted_out_at=opted_out, **values)
            )
        if state:
            name, confirmed, missing, decided = state
            values = {"confirmed_at": confirmed, "missing_at": missing, "decided": decided}
            subscriptions.append(
                Subscription(contact_id=number, newsletter=newsletter, state=name, **values)
            )
    Contact.objects.bulk_create(contacts)
    Member.objects.bulk_create(members)
    Decision.objects.bulk_create(decisions)
    Subscription.objects.bulk_create(subscriptions)
    return [contact.pk for contact in contacts]


def test_contacts_are_touched_exactly_where_the_rules_say_so(settings: Any) -> None:
    settings.BASKET_DRAIN_SIZE = 1000
    ids = contacts_in_all_states()
    analyze()
    with transaction.atomic():
        rows = read(ids)
    expected = set()
    for pk in ids:
        contact, row = rows.contacts[pk], rows.subscription(rows.contacts[pk], "mozilla-phone")
        surplus = row_held(row) and not stays(rows, contact, "mozilla-phone")
        lack = rows.wanted(contact, "mozilla-phone") and not row_held(row)
        waits = row.state in {State.REFUSED, State.LOST} or row.missing_at
        if (surplus or lack) and not waits:
            expected.add(pk)

    reconcile.apply()

    touched = Contact.objects.filter(touched_at__isnull=False).values_list("pk", flat=True)
    assert set(touched) == expected
    assert len(ids) > len(expected) > 100


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_shows_a_progress_bar(basket: SandboxServer) -> None:
    with unseen():
        VouchFactory.create_batch(2)
    screen = Terminal()

    call_command("basket_reconcile", "--apply", stdout=StringIO(), stderr=screen)

    assert f"[{'#' * 30}] 4 of 4 members compared" in screen.getvalue()
