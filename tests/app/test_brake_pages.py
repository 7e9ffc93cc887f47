"""An admin looks at what a brake holds back, releases it, and the worker carries it out."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import held_back, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Event, Pulse, Subscription
from project.people.models import UserProfile, Vouch
from tests.factories import VouchFactory

OVERVIEW = reverse("admin:mozillians_basket_pulse_changelist")
REMOVALS = reverse("admin:mozillians_basket_pulse_removals")
LOSSES = reverse("admin:mozillians_basket_pulse_losses")


@pytest.fixture
def members(basket, commit, settings):
    """Eight vouched members, as Basket has them, and a brake that two at once put on."""
    settings.BASKET_RECHECK_SECONDS = 0.001
    settings.BASKET_BRAKE_FLOOR = 2
    with commit():
        vouches = VouchFactory.create_batch(8)
    return [vouch.vouchee for vouch in vouches]


def unvouch(profiles):
    """A rule was changed in SQL, which no signal sees."""
    UserProfile.objects.filter(pk__in=[profile.pk for profile in profiles]).update(is_vouched=False)


@pytest.fixture
def braked(members):
    """Four of eight would lose the newsletter: the reconciler has stopped."""
    unvouch(members[:4])
    tasks.reconcile()
    return members


@pytest.fixture
def losing(basket, members):
    """Basket has lost everybody: the verification has stopped."""
    basket.forget_people()
    for _ in range(2):
        tasks.verify()
        tasks.sweep()
    assert Pulse.now().losing_since is not None
    return members


def answer(client, url, commit=None, **fields):
    """Look at a page, then answer its form; by default with the tick."""
    html = client.get(url).content.decode()
    seen = re.search(r'name="seen" value="([^"]*)"', html)
    fields = {"confirm": "on", "seen": seen[1] if seen else "", **fields}
    return client.post(url, fields, follow=True)


def release(client, **fields):
    return answer(client, REMOVALS, **{"answer": "remove", **fields})


def text_of(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def subscribed(basket):
    return sorted(email for email, person in basket.people.items() if person.newsletters)


def emails(profiles):
    return sorted(profile.user.email for profile in profiles)


def test_the_page_shows_how_many_would_lose_what_and_some_of_them(braked, admin_client):
    page = admin_client.get(REMOVALS)

    (row,) = page.context["held_back"].removals
    assert (row.newsletter, row.not_entitled, row.gone, row.of) == ("mozilla-phone", 4, 0, 8)
    html = page.content.decode()
    for profile in braked[:4]:
        assert reverse("admin:people_userprofile_change", args=[profile.pk]) in html
        assert profile.user.email in html
    assert braked[4].user.email not in html


def test_a_release_is_carried_to_basket_by_the_worker(
    basket, braked, admin_client, admin_user, commit
):
    with commit():
        page = release(admin_client)
    tasks.sweep()

    assert "Released." in text_of(page)
    assert subscribed(basket) == emails(braked[4:])
    assert Pulse.now().releases == Pulse.now().brakes == {}
    event = Event.objects.get(kind=Event.Kind.RELEASED)
    assert (event.actor, event.contact, event.newsletters) == (
        admin_user, None, ["mozilla-phone"],
    )  # fmt: skip
    assert event.remark == "mozilla-phone: 4/8"
    entry = LogEntry.objects.get()
    assert entry.change_message == "Released a brake: they are to lose it (mozilla-phone: 4/8)."
    assert entry.object_repr == "overview"
    assert admin_client.get(entry.get_admin_url()).url == OVERVIEW


def test_a_lost_message_loses_nothing(basket, braked, admin_client):
    release(admin_client)  # nothing is committed, so no message is sent
    before = subscribed(basket)

    tasks.sweep()
    tasks.sweep()

    assert len(before) == 8
    assert subscribed(basket) == emails(braked[4:])


def test_without_the_tick_nothing_is_released(basket, braked, admin_client):
    page = release(admin_client, confirm="")
    tasks.sweep()

    assert "Nothing was released: tick the box first." in text_of(page)
    assert len(subscribed(basket)) == 8
    assert not Event.objects.filter(kind=Event.Kind.RELEASED).exists()


@pytest.mark.parametrize("seen", ["", "forged", "WyJyZW1vdmFscyIse31d:1xV2YZ:abc"])
def test_numbers_that_were_not_shown_are_not_released(basket, braked, admin_client, seen):
    page = release(admin_client, seen=seen)

    assert Pulse.now().releases == {}
    assert "errornote" in page.content.decode()


def test_numbers_of_one_page_do_not_release_the_other(braked, admin_client):
    Pulse.objects.update(losing_since=timezone.now())
    Subscription.objects.update(missing_at=timezone.now())
    html = admin_client.get(LOSSES).content.decode()
    seen = re.search(r'name="seen" value="([^"]*)"', html)[1]

    release(admin_client, seen=seen)

    assert Pulse.now().releases == {}


def test_a_forged_request_without_the_permission_is_refused(braked, staff, admin_client):
    page = admin_client.get(REMOVALS).content.decode()
    seen = re.search(r'name="seen" value="([^"]*)"', page)[1]
    client = staff("view_pulse")

    shown = client.get(REMOVALS)
    forged = client.post(REMOVALS, {"answer": "remove", "confirm": "on", "seen": seen})

    assert shown.status_code == 200
    assert "You may not decide this" in text_of(shown)
    assert "<form method" not in shown.content.decode().split("<main", 1)[1]
    assert forged.status_code == 403
    assert Pulse.now().releases == {}


def test_who_may_not_see_the_overview_sees_no_brake(braked, staff):
    assert staff("sync_members").get(REMOVALS).status_code == 403


def test_addresses_and_names_are_hidden_from_those_who_may_not_view_members(braked, staff):
    html = staff("view_pulse", "sync_members").get(REMOVALS).content.decode()

    profile = braked[0]
    assert profile.user.email not in html
    assert "@e***.com" in html
    assert f"member {profile.pk}" in html


def test_with_the_switch_off_it_says_so_and_does_nothing(basket, braked, admin_client):
    page = admin_client.get(REMOVALS).content.decode()
    seen = re.search(r'name="seen" value="([^"]*)"', page)[1]

    with override_switch(SWITCH, active=False):
        off = admin_client.get(REMOVALS)
        posted = admin_client.post(
            REMOVALS, {"answer": "remove", "confirm": "on", "seen": seen}, follow=True
        )

    assert "with the switch off nothing can be released" in text_of(off)
    assert "Nothing was done: the switch BASKET_SWITCH_ENABLED is off." in text_of(posted)
    assert Pulse.now().releases == {}


def test_while_no_brake_is_on_there_is_nothing_to_release(members, admin_client):
    assert "No brake is on: nothing is held back." in text_of(admin_client.get(REMOVALS))
    assert "No brake is on: nothing needs a decision." in text_of(admin_client.get(LOSSES))

    page = release(admin_client)

    assert "this brake is not on any more" in text_of(page)


def test_if_counting_takes_too_long_the_numbers_of_the_last_comparison_are_shown_and_released(
    braked, admin_client, monkeypatch
):
    monkeypatch.setattr(held_back.count_removals, "__defaults__", (-1.0,))

    page = admin_client.get(REMOVALS)
    release(admin_client)

    assert "these are the numbers of the comparison of" in text_of(page)
    assert Pulse.now().releases["removals"]["shown"] == {"mozilla-phone": [4, 8]}


def test_members_who_are_gone_are_shown_as_such(basket, members, admin_client):
    gone = [profile.pk for profile in members[:4]]
    for rows in (Vouch.objects.filter(vouchee__in=gone), UserProfile.objects.filter(pk__in=gone)):
        rows._raw_delete("default")  # as SQL does, which no signal sees
    tasks.reconcile()

    page = admin_client.get(REMOVALS)

    (row,) = page.context["held_back"].removals
    assert (row.not_entitled, row.gone, row.of) == (0, 4, 8)
    assert f"member {members[0].pk}, gone" in text_of(page)


def test_the_losses_page_shows_how_much_is_gone_and_asks_which_it_was(losing, admin_client):
    page = admin_client.get(LOSSES)

    assert page.context["losses"] == {"mozilla-phone": (8, 8)}
    text = text_of(page)
    assert "They all opted out" in text
    assert "Basket lost them" in text


def test_losses_can_be_restored(basket, losing, admin_client, commit):
    with commit():
        answer(admin_client, LOSSES, answer="restore")
    tasks.sweep()

    assert subscribed(basket) == emails(losing)
    assert Pulse.now().losing_since is None
    assert Pulse.now().releases == {}


def test_losses_can_be_taken_for_opt_outs(basket, losing, admin_client, admin_user, commit):
    with commit():
        answer(admin_client, LOSSES, answer="opted_out")
    tasks.sweep()

    assert subscribed(basket) == []
    assert set(Subscription.objects.values_list("state", "wanted")) == {("opted_out", False)}
    assert Event.objects.filter(kind=Event.Kind.OPTED_OUT).count() == 8
    assert Event.objects.get(kind=Event.Kind.RELEASED).outcome == "opted_out"


def test_an_answer_must_be_chosen(losing, admin_client):
    page = answer(admin_client, LOSSES)

    assert "This field is required." in text_of(page)
    assert Pulse.now().releases == {}


@pytest.mark.parametrize("url", [REMOVALS, LOSSES])
def test_a_brake_is_in_the_banner_of_every_page_with_a_link(members, admin_client, url):
    Pulse.now()
    Pulse.objects.update(
        brakes={"mozilla-phone": {"removals": 4, "of": 8}}, losing_since=timezone.now()
    )

    for model in ("event", "batch", "contact", "pulse"):
        page = admin_client.get(reverse(f"admin:mozillians_basket_{model}_changelist"))
        assert f'href="{url}"' in page.content.decode()
