"""What no signal saw is found and mended, and too much at once is not done unasked."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact, Pulse, Subscription, Touch
from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch
from tests.factories import GroupFactory, UserProfileFactory, VouchFactory


def settle():
    for _ in range(3):
        Contact.objects.update(not_before=None)
        tasks.sweep()


def reconcile(*options):
    """Run the command; return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command("basket_reconcile", *options, stdout=out, stderr=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def held(basket):
    return {
        email: set(person.newsletters)
        for email, person in basket.people.items()
        if person.newsletters
    }


@pytest.fixture
def vouched(basket, commit):
    with commit():
        vouch = VouchFactory()
    return vouch.vouchee


def bypass_update():
    UserProfile.objects.filter(vouches_received__isnull=True).update(is_vouched=True)


def bypass_bulk_create():
    user = User.objects.bulk_create([User(username="bulk", email="bulk@example.com")])[0]
    profile = UserProfile.objects.bulk_create([UserProfile(user=user, is_vouched=True)])[0]
    Membership.objects.bulk_create(
        [Membership(profile=profile, group=GroupFactory(slug="nda"), status="member")]
    )


def bypass_raw_sql():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE people_userprofile SET is_vouched = %s", [True])


def bypass_address():
    User.objects.filter(profile__is_vouched=True).update(email="moved@example.com")


def bypass_unvouch():
    UserProfile.objects.update(is_vouched=False)


def bypass_delete():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_vouch")
        cursor.execute("DELETE FROM people_userprofile WHERE is_vouched = %s", [True])


def bypass_lost_touches():
    VouchFactory()
    Touch.objects.all().delete()


@pytest.mark.parametrize(
    ("bypass", "kind"),
    [
        (bypass_update, "gained"),
        (bypass_bulk_create, "rowless"),
        (bypass_raw_sql, "gained"),
        (bypass_address, "address"),
        (bypass_unvouch, "lost"),
        (bypass_delete, "departed"),
        (bypass_lost_touches, "rowless"),
    ],
)
def test_what_no_signal_saw_is_carried_to_basket(basket, vouched, commit, settings, bypass, kind):
    settings.BASKET_RECHECK_SECONDS = 0.001
    with commit():
        UserProfileFactory()
    bypass()
    expected = {
        email: {"mozilla-phone"} | ({"mozillians-nda"} if nda else set())
        for email, nda in UserProfile.objects.filter(is_vouched=True).values_list(
            "user__email", "memberships__status"
        )
    }

    before, summary = reconcile("--json")
    applied, _summary = reconcile("--apply")
    settle()
    after, _summary = reconcile()

    assert (before, applied, after) == (1, 0, 0)
    assert json.loads(summary)["found"][kind] >= 1
    assert held(basket) == expected


def test_a_group_that_is_renamed_counts(basket, commit):
    profile = UserProfileFactory()
    with commit():
        Membership.objects.create(profile=profile, group=GroupFactory(slug="nda"), status="member")
    Group.objects.filter(slug="nda").update(slug="former-nda")

    reconcile("--apply")
    settle()

    assert held(basket) == {}


def test_a_site_with_members_is_adopted(basket, commit):
    lacking, having, opted_out = (VouchFactory().vouchee for _ in range(3))
    nobody = UserProfileFactory()
    Touch.objects.all().delete()
    basket.put_person(having.user.email, newsletters=["mozilla-phone", "about-mozilla"])
    basket.put_person(opted_out.user.email, newsletters=[], optout=True)
    basket.put_person(nobody.user.email, newsletters=["mozilla-phone"])

    reconcile("--apply")
    settle()

    assert held(basket) == {
        lacking.user.email: {"mozilla-phone"},
        having.user.email: {"mozilla-phone", "about-mozilla"},
        nobody.user.email: {"mozilla-phone"},
    }
    assert Contact.objects.count() == UserProfile.objects.count()
    looked_up = [request.email for request in basket.requests if request.endpoint == "lookup"]
    assert nobody.user.email not in looked_up


def test_a_dry_run_changes_nothing(basket, commit):
    VouchFactory()
    Touch.objects.all().delete()

    code, summary = reconcile("--dry-run")

    assert code == 1
    assert "2 members without a row" in summary
    assert "mozilla-phone: 1 to gain, 0 to lose" in summary
    assert not Contact.objects.exists()
    assert basket.requests == []


def test_where_nothing_differs_nothing_is_asked(basket, vouched):
    basket.clear_requests()

    code, _summary = reconcile("--apply")
    settle()

    assert code == 0
    assert basket.requests == []


def test_too_many_removals_stop_before_the_first(basket, commit, settings):
    settings.BASKET_BRAKE_FLOOR = 2
    with commit():
        VouchFactory.create_batch(4)
    everybody = held(basket)
    UserProfile.objects.update(is_vouched=False)
    settings.BASKET_RECHECK_SECONDS = 0.001

    stopped, summary = reconcile("--apply")
    settle()
    after_stop = held(basket)
    brakes = Pulse.now().brakes
    released, _summary = reconcile("--apply", "--go")
    settle()

    assert stopped == 2
    assert "BRAKE: 4 of 4 subscriptions to mozilla-phone" in summary
    assert after_stop == everybody
    assert brakes == {"mozilla-phone": {"removals": 4, "of": 4}}
    assert released == 0
    assert held(basket) == {}
    assert Pulse.now().brakes == {}


def test_deleted_members_count_for_the_brake(basket, commit, settings):
    settings.BASKET_BRAKE_FLOOR = 2
    with commit():
        VouchFactory.create_batch(4)
    everybody = held(basket)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_vouch")
        cursor.execute("DELETE FROM people_userprofile WHERE is_vouched = %s", [True])

    tasks.reconcile()
    settle()

    assert held(basket) == everybody


def test_a_braked_run_still_adds(basket, commit, settings):
    settings.BASKET_BRAKE_FLOOR = 1
    with commit():
        VouchFactory.create_batch(2)
    UserProfile.objects.update(is_vouched=False)
    joiner = UserProfileFactory()
    Membership.objects.bulk_create(
        [Membership(profile=joiner, group=GroupFactory(slug="nda"), status="member")]
    )

    tasks.reconcile()
    settle()

    assert held(basket)[joiner.user.email] == {"mozillians-nda"}
    assert len(held(basket)) == 3


def test_one_newsletter_can_be_reconciled_alone(basket, commit):
    profile = UserProfileFactory()
    with commit():
        pass
    tasks.sweep()
    Vouch.objects.bulk_create([Vouch(vouchee=profile)])
    UserProfile.objects.filter(pk=profile.pk).update(is_vouched=True)
    Membership.objects.bulk_create(
        [Membership(profile=profile, group=GroupFactory(slug="nda"), status="member")]
    )

    reconcile("--newsletter", "mozillians-nda", "--json")
    code, summary = reconcile("--newsletter", "mozillians-nda", "--json")

    assert code == 1
    assert json.loads(summary)["by_newsletter"] == {"mozillians-nda": {"gained": 1, "lost": 0}}


def test_an_unknown_newsletter_is_a_clear_error(db):
    with pytest.raises(CommandError, match="no policy names this"):
        call_command("basket_reconcile", "--newsletter", "nonsense")


def test_with_the_switch_off_nothing_is_applied(basket):
    with override_switch(SWITCH, active=False), pytest.raises(CommandError) as caught:
        call_command("basket_reconcile", "--apply")

    assert caught.value.returncode == 3


def test_with_the_switch_off_the_periodic_run_does_nothing(basket):
    VouchFactory()
    Touch.objects.all().delete()

    with override_switch(SWITCH, active=False):
        tasks.reconcile()
        tasks.verify()

    assert not Contact.objects.exists()
    assert basket.requests == []


def test_a_settled_contact_that_differs_is_made_due(basket, vouched):
    Subscription.objects.update(state="unknown")

    code, _summary = reconcile("--apply")
    settle()

    assert code == 0
    assert Subscription.objects.get().state == "subscribed"


class Terminal(StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_progress_bar(basket):
    VouchFactory.create_batch(2)
    Touch.objects.all().delete()
    screen = Terminal()

    call_command("basket_reconcile", "--apply", stdout=StringIO(), stderr=screen)

    assert f"[{'#' * 30}] 4 of 4 members without a row" in screen.getvalue()
