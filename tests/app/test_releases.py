"""A released brake is carried out once, whatever dies meanwhile, and no further than was seen."""

import logging
from datetime import timedelta

import pytest
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import letting_go, reconcile, releases, tasks, verification
from mozillians_basket.models import Event, Pulse, Subscription
from mozillians_basket.releases import Answer, Brake
from project.people.models import UserProfile
from tests.factories import VouchFactory


@pytest.fixture
def members(basket, commit, settings):
    """Twelve vouched members, as Basket has them, and a brake that two at once put on."""
    settings.BASKET_RECHECK_SECONDS = 0.001
    settings.BASKET_BRAKE_FLOOR = 2
    with commit():
        vouches = VouchFactory.create_batch(12)
    return [vouch.vouchee for vouch in vouches]


def unvouch(profiles):
    UserProfile.objects.filter(pk__in=[profile.pk for profile in profiles]).update(is_vouched=False)


def release(admin_user, number=4, of=12):
    releases.order(Brake.REMOVALS, Answer.REMOVE, {"mozilla-phone": (number, of)}, admin_user)


def subscribed(basket):
    return sum(bool(person.newsletters) for person in basket.people.values())


@pytest.fixture
def braked(members):
    unvouch(members[:4])
    tasks.reconcile()
    return members


def test_what_was_shown_is_removed_and_once_is_enough(basket, braked, admin_user):
    release(admin_user)

    for _ in range(3):
        tasks.sweep()
        tasks.carry_out_release("removals")

    assert subscribed(basket) == 8
    assert Pulse.now().releases == {}
    unsubscribed = Event.objects.filter(kind=Event.Kind.UNSUBSCRIBED)
    assert unsubscribed.count() == 4


def test_a_little_more_by_then_is_covered(basket, braked, admin_user):
    release(admin_user)
    unvouch(braked[4:6])

    tasks.sweep()
    tasks.sweep()

    assert subscribed(basket) == 6


def test_much_more_by_then_stops_it_and_asks_again(
    basket, braked, admin_user, admin_client, caplog
):
    release(admin_user)
    unvouch(braked[4:9])

    tasks.sweep()
    tasks.sweep()

    assert subscribed(basket) == 12
    assert Pulse.now().brakes == {"mozilla-phone": {"removals": 9, "of": 12}}
    word = releases.read(Pulse.now(), Brake.REMOVALS)
    assert (word.stopped, word.found) == ("more", {"mozilla-phone": [9, 12]})
    page = admin_client.get("/admin/mozillians_basket/pulse/removals/").content.decode()
    assert "by then much more would have gone than was shown" in page
    assert [record.levelno for record in caplog.records if "More would go" in record.message] == [
        logging.ERROR
    ]


def test_after_a_stop_a_newer_word_counts(basket, braked, admin_user):
    release(admin_user)
    unvouch(braked[4:9])
    tasks.sweep()

    release(admin_user, 9)
    tasks.sweep()
    tasks.sweep()

    assert subscribed(basket) == 3
    assert Pulse.now().releases == {}


def test_a_stopped_word_is_forgotten_when_the_brake_is_off_again(basket, braked, admin_user):
    release(admin_user)
    unvouch(braked[4:9])
    tasks.sweep()
    UserProfile.objects.filter(vouches_received__isnull=False).update(is_vouched=True)

    tasks.reconcile()
    tasks.sweep()

    assert Pulse.now().releases == {}
    assert subscribed(basket) == 12


def test_a_newsletter_that_was_not_shown_is_not_covered(basket, braked, admin_user):
    releases.order(Brake.REMOVALS, Answer.REMOVE, {"mozillians-nda": (4, 12)}, admin_user)

    tasks.sweep()
    tasks.sweep()

    assert subscribed(basket) == 12


def kill_after(monkeypatch, chunks):
    """Let a worker die after so many chunks of two members each; then its lease runs out."""
    monkeypatch.setattr(reconcile, "CHUNK", 2)
    apply_chunk, calls = reconcile._apply_chunk, []

    def killed(kind, keys):
        calls.append(keys)
        if len(calls) > chunks:
            raise KeyboardInterrupt
        return apply_chunk(kind, keys)

    monkeypatch.setattr(reconcile, "_apply_chunk", killed)
    with pytest.raises(KeyboardInterrupt):
        letting_go.carry_out(Brake.REMOVALS)
    monkeypatch.setattr(reconcile, "_apply_chunk", apply_chunk)
    assert releases.waiting() == []
    stored = Pulse.now().releases
    stored["removals"]["leased_until"] = (timezone.now() - timedelta(seconds=1)).isoformat()
    Pulse.objects.update(releases=stored)
    assert releases.waiting() == [Brake.REMOVALS]


def test_what_a_killed_worker_left_is_done_by_the_next(basket, braked, admin_user, monkeypatch):
    release(admin_user)
    kill_after(monkeypatch, chunks=1)

    tasks.sweep()
    tasks.sweep()

    assert subscribed(basket) == 8
    assert Pulse.now().releases == {}


def test_what_was_done_before_a_crash_does_not_cover_others_after_it(
    basket, braked, admin_user, monkeypatch
):
    release(admin_user)
    kill_after(monkeypatch, chunks=1)
    unvouch(braked[4:7])

    tasks.sweep()
    tasks.sweep()

    assert Pulse.now().brakes == {"mozilla-phone": {"removals": 5, "of": 10}}
    assert subscribed(basket) == 10


def test_a_word_counts_for_a_day(basket, braked, admin_user, time_machine):
    release(admin_user)
    time_machine.move_to(timezone.now() + timedelta(days=2))

    tasks.sweep()
    tasks.sweep()

    assert subscribed(basket) == 12
    assert releases.read(Pulse.now(), Brake.REMOVALS).stopped == "late"


def test_with_the_switch_off_it_waits(basket, braked, admin_user, settings):
    release(admin_user)

    with override_switch("BASKET_SWITCH_ENABLED", active=False):
        tasks.sweep()
        tasks.carry_out_release("removals")
        waiting = releases.waiting()
    tasks.sweep()
    tasks.sweep()

    assert waiting == [Brake.REMOVALS]
    assert subscribed(basket) == 8


@pytest.fixture
def losing(basket, members):
    """Basket has lost eight of twelve."""
    for profile in members[:8]:
        basket.put_person(profile.user.email, newsletters=[])
    for _ in range(2):
        tasks.verify()
        tasks.sweep()
    assert verification.losses() == {"mozilla-phone": (8, 12)}
    assert Pulse.now().losing_since is not None
    return members


@pytest.mark.parametrize(
    ("word", "states"),
    [(Answer.RESTORE, {"subscribed"}), (Answer.OPTED_OUT, {"subscribed", "opted_out"})],
)
def test_much_more_that_is_gone_by_then_stops_an_answer(basket, losing, admin_user, word, states):
    releases.order(Brake.LOSSES, word, {"mozilla-phone": (4, 12)}, admin_user)

    tasks.sweep()
    tasks.sweep()

    assert Pulse.now().losing_since is not None
    assert releases.read(Pulse.now(), Brake.LOSSES).stopped == "more"
    assert set(Subscription.objects.values_list("state", flat=True)) == {"subscribed"}
    releases.order(Brake.LOSSES, word, {"mozilla-phone": (8, 12)}, admin_user)
    tasks.sweep()
    tasks.sweep()
    assert Pulse.now().losing_since is None
    assert set(Subscription.objects.values_list("state", flat=True)) == states


def test_what_is_found_gone_after_the_word_was_given_is_not_covered(basket, losing, admin_user):
    releases.order(Brake.LOSSES, Answer.OPTED_OUT, {"mozilla-phone": (8, 12)}, admin_user)
    later = Subscription.objects.filter(contact__member=losing[11])
    later.update(missing_at=timezone.now() + timedelta(seconds=5))

    tasks.sweep()

    assert later.get().state == "subscribed"
    assert Subscription.objects.filter(state="opted_out").count() == 8
    assert verification.missing() == {"mozilla-phone": 1}
