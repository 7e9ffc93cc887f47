"""The breaker: an outage stops everybody but single probes, costs nobody, and ends by itself."""

from datetime import timedelta

import django
import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from mozillians_basket import breaker, tasks
from mozillians_basket.models import BatchItem, Contact, Event, Pulse
from tests.factories import UserProfileFactory, VouchFactory


@pytest.fixture
def vouch_many(commit):
    """Vouch for so many new members, each in a transaction of its own."""

    def vouch(count):
        profiles = []
        for _ in range(count):
            with commit():
                profiles.append(VouchFactory().vouchee)
        return profiles

    return vouch


def let_probe():
    """Let the time for the next probe come."""
    Pulse.objects.update(next_probe_at=timezone.now() - timedelta(seconds=1))


def calls(basket, endpoint="lookup"):
    return sum(request.endpoint == endpoint for request in basket.requests)


def test_failures_in_a_row_open_the_breaker_and_stop_all_calls(basket, vouch_many):
    basket.fail("lookup", status=500, code=6)

    vouch_many(8)
    tasks.sweep()

    assert breaker.is_open()
    assert calls(basket) == 5


def test_an_outage_uses_up_nobody_s_attempts(basket, vouch_many):
    basket.fail("lookup", status=500, code=6)
    vouch_many(8)

    for _ in range(12):
        let_probe()
        tasks.sweep()

    assert set(Contact.objects.values_list("attempts", "parked_at")) == {(0, None)}


def test_only_one_probe_at_a_time_is_sent(basket, vouch_many):
    basket.fail("lookup", status=500, code=6)
    vouch_many(8)
    basket.clear_requests()

    for _ in range(3):
        let_probe()
        tasks.sweep()
        tasks.sweep()

    assert calls(basket) == 3


def test_a_probe_that_gets_through_closes_it_and_all_is_carried(basket, vouch_many):
    fault = basket.fail("lookup", status=500, code=6)
    profiles = vouch_many(8)
    basket.heal(fault)

    let_probe()
    tasks.sweep()
    tasks.sweep()

    assert not breaker.is_open()
    held = {email: person.newsletters for email, person in basket.people.items()}
    assert held == {profile.user.email: {"mozilla-phone"} for profile in profiles}


def test_ten_flips_during_an_outage_are_one_subscribe_after_it(basket, vouch_many, commit):
    fault = basket.fail(status=500, code=6)
    vouch_many(5)
    profile = UserProfileFactory()
    for _ in range(5):
        with commit():
            vouch = VouchFactory(vouchee=profile)
        with commit():
            vouch.delete()
    with commit():
        VouchFactory(vouchee=profile)
    basket.heal(fault)
    basket.clear_requests()

    let_probe()
    tasks.sweep()
    tasks.sweep()

    mine = [request.endpoint for request in basket.requests if request.email == profile.user.email]
    assert mine == ["lookup", "subscribe"]


def test_working_lookups_do_not_hide_failing_subscribes(basket, vouch_many):
    basket.fail("subscribe", status=500, code=6)

    vouch_many(8)
    for _ in range(3):
        let_probe()
        tasks.sweep()

    assert breaker.is_open()
    assert calls(basket, "subscribe") == 5 + 3


def test_the_rate_limit_of_one_person_is_no_outage(basket, vouch_many):
    basket.fail("subscribe", status=429, code=5)

    vouch_many(8)

    assert not breaker.is_open()
    waits = Contact.objects.exclude(not_before=None).values_list("not_before", flat=True)
    assert len(waits) == 8
    assert min(waits) > timezone.now() + timedelta(minutes=4, seconds=50)


def test_a_wrong_key_stops_everybody_and_tells_the_admins_once(basket, vouch_many, settings):
    settings.BASKET_MANAGERS = ["newsletters@example.org"]
    key, settings.BASKET_API_KEY = settings.BASKET_API_KEY, "wrong"

    vouch_many(3)
    for _ in range(3):
        let_probe()
        tasks.sweep()

    assert breaker.is_open()
    assert Pulse.now().reason == Pulse.Reason.MISCONFIGURED
    assert [message.to for message in mail.outbox] == [["newsletters@example.org"]]
    assert "code 7" in mail.outbox[0].body
    assert "wrong" not in mail.outbox[0].body.split()
    assert key not in mail.outbox[0].body


def test_after_the_key_is_mended_nothing_is_lost(basket, vouch_many, settings):
    key, settings.BASKET_API_KEY = settings.BASKET_API_KEY, "wrong"
    profiles = vouch_many(3)
    settings.BASKET_API_KEY = key

    let_probe()
    tasks.sweep()
    tasks.sweep()

    assert set(basket.people) == {profile.user.email for profile in profiles}


def test_without_managers_the_site_s_admins_are_told(basket, vouch_many, settings):
    address = "admin@example.org"
    settings.ADMINS = [address if django.VERSION >= (6, 0) else ("", address)]
    settings.BASKET_API_KEY = "wrong"

    vouch_many(1)

    assert [message.to for message in mail.outbox] == [["admin@example.org"]]


def test_a_newsletter_that_basket_does_not_know_keeps_the_breaker_open(basket, vouch_many):
    fault = basket.fail("subscribe", status=400, code=9)
    vouch_many(3)

    for _ in range(2):
        let_probe()
        tasks.sweep()
    open_meanwhile = breaker.is_open()
    basket.heal(fault)
    let_probe()
    tasks.sweep()
    tasks.sweep()

    assert open_meanwhile
    assert len(basket.people) == 3


def test_who_fails_alone_is_parked_after_some_attempts(basket, vouch_many, settings, commit):
    settings.BASKET_MAX_ATTEMPTS = 3
    [profile] = vouch_many(1)
    contact = Contact.objects.get(member=profile)
    basket.fail("subscribe", email=profile.user.email, status=500, code=6)
    basket.fail("unsubscribe", email=profile.user.email, status=500, code=6)
    with commit():
        profile.vouches_received.all().delete()

    for _ in range(4):
        Contact.objects.update(not_before=None)
        Pulse.objects.update(failures=0)  # others got through meanwhile
        tasks.sweep()

    contact.refresh_from_db()
    assert contact.parked_at is not None
    assert contact.error == "unavailable"
    assert contact.events.filter(kind=Event.Kind.PARKED).count() == 1
    assert calls(basket, "unsubscribe") == 3


def test_a_new_change_takes_a_parked_contact_up_again(basket, vouch_many, commit):
    [profile] = vouch_many(1)
    Contact.objects.filter(member=profile).update(parked_at=timezone.now(), attempts=10)

    with commit():
        profile.vouches_received.all().delete()

    assert basket.person(profile.user.email).newsletters == frozenset()


def test_a_bulk_request_shows_whom_it_failed_for(basket, settings, admin_user):
    from mozillians_basket.ledger import create_batch

    settings.BASKET_MAX_ATTEMPTS = 1
    profile = UserProfileFactory()
    basket.fail("subscribe", status=500, code=6, times=1)
    create_batch("subscribe", ["mozilla-phone"], [profile.pk], actor=admin_user)

    tasks.sweep()

    item = BatchItem.objects.get()
    assert (item.state, item.reason) == (BatchItem.State.FAILED, "unavailable")


def test_removals_go_before_changes_and_changes_before_bulk_requests(basket, commit, admin_user):
    from waffle.testutils import override_switch

    from mozillians_basket.conf import SWITCH
    from mozillians_basket.ledger import create_batch, drain, most_urgent, work_off_batches

    with commit():
        leaver = VouchFactory().vouchee
    bulk, joiner = UserProfileFactory(), UserProfileFactory()
    with override_switch(SWITCH, active=False):
        create_batch("subscribe", ["mozilla-phone"], [bulk.pk], actor=admin_user)
        work_off_batches()
        VouchFactory(vouchee=joiner)
        leaver.vouches_received.all().delete()
        drain()

    order = [Contact.objects.get(pk=pk).member_id for pk in most_urgent()]

    assert order == [leaver.pk, joiner.pk, bulk.pk]


def test_the_sweeper_keeps_to_the_pace(basket, settings):
    settings.BASKET_MAX_PER_SECOND = 1
    VouchFactory.create_batch(12)

    with time_machine.travel(timezone.now(), tick=False):
        tasks.sweep()
        tasks.sweep()

    assert len(basket.people) == 5
