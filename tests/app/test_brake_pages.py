"""An admin reviews removals held back by a brake, or a loss, and the worker acts on the answer."""

import csv
import re
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Approval, Contact, Event, Subscription
from mozillians_basket.upkeep import approvals
from project.people.models import UserProfile, Vouch
from tests.app.steps import settle_everything
from tests.factories import VouchFactory

OVERVIEW = reverse("admin:mozillians_basket_status_changelist")
REMOVALS = reverse("admin:mozillians_basket_status_removals")
LOSSES = reverse("admin:mozillians_basket_status_losses")


@pytest.fixture
def members(basket, commit, settings):
    """Eight vouched members, as Basket has them, and a brake that a single removal triggers."""
    settings.BASKET_RECHECK_SECONDS = 0.001
    settings.BASKET_BRAKE_FLOOR = 0
    with commit():
        vouches = VouchFactory.create_batch(8)
    Contact.objects.update(touched_at=timezone.now())
    settle_everything()
    return [vouch.vouchee for vouch in vouches]


def unvouch(profiles):
    """Take the vouching away by SQL, which sends no signal."""
    UserProfile.objects.filter(pk__in=[profile.pk for profile in profiles]).update(is_vouched=False)


@pytest.fixture
def braked(members):
    """Four of eight members who would lose the newsletter; a brake holds that back."""
    unvouch(members[:4])
    tasks.reconcile()
    tasks.sweep()
    return members


@pytest.fixture
def losing(basket, members):
    """Members without the newsletters that Basket has lost; admins are asked."""
    for profile in members:
        basket.put_person(profile.user.email, newsletters=[])
    Contact.objects.update(touched_at=timezone.now())
    for _ in range(3):
        tasks.sweep()
        Contact.objects.update(not_before=None)
        tasks.verify()
    assert question("loss").number == 8
    return members


def question(kind):
    return Approval.objects.get(kind=kind, closed_at=None)


def seen_on(client, url):
    return re.search(r'name="seen" value="([^"]*)"', client.get(url).content.decode())[1]


def answer(client, url, **fields):
    """Open a page, then answer its form; by default with the tick."""
    html = client.get(url).content.decode()
    seen = re.search(r'name="seen" value="([^"]*)"', html)
    fields = {"confirm": "on", "seen": seen[1] if seen else "", **fields}
    return client.post(url, fields, follow=True)


def release(client, **fields):
    return answer(client, REMOVALS, **{"answer": "remove", **fields})


def text_of(response):
    html = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def subscribed(basket):
    return sorted(email for email, person in basket.people.items() if person.newsletters)


def emails(profiles):
    return sorted(profile.user.email for profile in profiles)


def is_answered(kind):
    return Approval.objects.exclude(answer="").filter(kind=kind).exists()


def test_the_page_shows_how_many_would_lose_what_and_some_of_them(basket, braked, admin_client):
    page = admin_client.get(REMOVALS)

    assert subscribed(basket) == emails(braked)
    assert "mozilla-phone" in text_of(page)
    assert "Release: remove 4 subscriptions" in page.content.decode()
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
    settle_everything()

    assert "Released." in text_of(page)
    assert subscribed(basket) == emails(braked[4:])
    assert not Approval.objects.filter(closed_at=None).exists()
    event = Event.objects.get(kind=Event.Kind.ANSWERED)
    assert (event.actor, event.contact, event.newsletters) == (
        admin_user, None, ["mozilla-phone"],
    )  # fmt: skip
    entry = LogEntry.objects.get()
    assert entry.change_message == "Answered a question: remove them (mozilla-phone: 4/8)."
    assert entry.object_repr == "overview"
    assert admin_client.get(entry.get_admin_url()).url == OVERVIEW


def test_a_lost_message_loses_nothing(basket, braked, admin_client, settings):
    release(admin_client)  # nothing is committed, so no message is sent
    settings.BASKET_LEASE_SECONDS = 0
    before = subscribed(basket)

    tasks.verify()
    settle_everything()

    assert len(before) == 8
    assert subscribed(basket) == emails(braked[4:])


def test_an_answer_that_is_not_carried_out_yet_is_shown(braked, admin_client):
    release(admin_client)  # nothing is committed

    for url in (REMOVALS, OVERVIEW):
        assert "by admin: remove them. The worker carries it out: 0 of 4 so far." in text_of(
            admin_client.get(url)
        )
    assert '<form method="post" novalidate' not in admin_client.get(REMOVALS).content.decode()


def test_the_first_answer_counts(braked, admin_client, admin_user):
    seen = seen_on(admin_client, REMOVALS)
    approvals.answer(question("brake"), "remove", admin_user)

    page = release(admin_client, seen=seen)

    assert "Nothing was done: it was answered already." in text_of(page)
    assert not LogEntry.objects.exists()


def test_a_release_covers_what_was_shown_and_not_what_came_later(
    basket, braked, admin_client, commit, settings
):
    seen = seen_on(admin_client, REMOVALS)
    unvouch(braked[4:])
    tasks.reconcile()
    tasks.sweep()
    assert question("brake").number == 8

    with commit():
        release(admin_client, seen=seen)
    settle_everything()

    assert subscribed(basket) == emails(braked[4:])
    assert question("brake").number == 4


def test_removals_of_the_hour_before_are_told(members, admin_client, settings):
    settings.BASKET_BRAKE_FLOOR = 2
    unvouch(members[:2])
    tasks.reconcile()
    unvouch(members[2:6])
    tasks.reconcile()
    tasks.sweep()

    text = text_of(admin_client.get(REMOVALS))

    assert "2 were removed without approval in the hour before, and stay removed." in text
    assert question("brake").number == 4


def test_contact_of_a_deleted_member_has_a_page_while_the_removal_is_held_back(
    members, admin_client, commit
):
    contact = Contact.objects.get(members__site_member=members[0])
    with commit():
        members[0].user.delete()

    page = admin_client.get(reverse("admin:mozillians_basket_contact_change", args=[contact.pk]))

    assert question("brake").number == 1
    assert page.status_code == 200
    assert "A brake holds its removal back since" in page.content.decode()


def test_removals_of_the_same_transaction_went_before_too(members, admin_client, settings):
    settings.BASKET_BRAKE_FLOOR = 2
    unvouch(members[:6])
    tasks.reconcile()

    went_before, number = question("brake").went_before, question("brake").number

    assert (went_before, number) == (2, 4)


def test_without_the_tick_nothing_is_released(basket, braked, admin_client):
    page = release(admin_client, confirm="")
    tasks.sweep()

    assert "Nothing was done: tick the box first." in text_of(page)
    assert len(subscribed(basket)) == 8
    assert not is_answered("brake")


@pytest.mark.parametrize("seen", ["", "forged", "WyJyZW1vdmFscyIse31d:1xV2YZ:abc"])
def test_numbers_that_were_not_shown_are_not_released(braked, admin_client, seen):
    page = release(admin_client, seen=seen)

    assert not is_answered("brake")
    assert "errornote" in page.content.decode()


def test_numbers_of_one_page_do_not_answer_the_other(braked, admin_client):
    Approval.objects.create(
        newsletter="mozilla-phone", kind="loss", since=timezone.now(), number=4, total=8
    )
    seen = seen_on(admin_client, LOSSES)

    release(admin_client, seen=seen)

    assert not is_answered("brake")
    assert not is_answered("loss")


@pytest.mark.parametrize("chosen", ["opted out", "itself", ""])
def test_an_answer_to_another_kind_of_question_is_refused(braked, admin_client, chosen):
    release(admin_client, answer=chosen)

    assert not is_answered("brake")


def test_a_forged_request_without_the_permission_is_refused(braked, staff, admin_client):
    seen = seen_on(admin_client, REMOVALS)
    client = staff("view_status", "sync_members")

    shown = client.get(REMOVALS)
    forged = client.post(REMOVALS, {"answer": "remove", "confirm": "on", "seen": seen})

    assert shown.status_code == 200
    assert "You may not decide this" in text_of(shown)
    assert "<form method" not in shown.content.decode().split("<main", 1)[1]
    assert forged.status_code == 403
    assert not is_answered("brake")


def test_admin_who_may_not_see_the_overview_sees_no_brake(braked, staff):
    client = staff("manage_basket", "export_addresses")

    assert client.get(REMOVALS).status_code == 403
    assert client.get(f"{REMOVALS}{question('brake').pk}.csv").status_code == 403


def test_admin_who_may_manage_basket_may_release(basket, braked, staff, commit):
    with commit():
        release(staff("view_status", "manage_basket"))
    settle_everything()

    assert subscribed(basket) == emails(braked[4:])


def test_page_says_what_caused_the_removals(braked, admin_client):
    assert (
        "Causes of the removals Cause By Removals comparison of policies and ledger - 4"
        in text_of(admin_client.get(REMOVALS))
    )


def csv_of(client, url, kind):
    page = client.get(f"{url}{question(kind).pk}.csv")
    assert page["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(b"".join(page.streaming_content).decode())))


@pytest.mark.parametrize("sight", [(), ("view_userprofile",), ("export_addresses",)])
def test_csv_of_a_brake_has_all_members_and_no_address_without_permission(braked, staff, sight):
    rows = csv_of(staff("view_status", *sight), REMOVALS, "brake")

    assert [row["member"] for row in rows] == [str(profile.pk) for profile in braked[:4]]
    assert {tuple(row) for row in rows} == {("member", "held back")}


def test_csv_of_a_brake_has_addresses_for_admins_who_may_export_them(braked, staff):
    client = staff("view_status", "view_userprofile", "export_addresses")

    rows = csv_of(client, REMOVALS, "brake")

    assert sorted(row["address"] for row in rows) == emails(braked[:4])


def test_csv_of_a_loss_has_all_members(losing, admin_client):
    rows = csv_of(admin_client, LOSSES, "loss")

    assert sorted(row["address"] for row in rows) == emails(losing)
    assert all(row["missing"] for row in rows)


def test_admin_who_may_not_view_members_sees_no_names_or_addresses(braked, staff):
    html = staff("view_status", "manage_basket").get(REMOVALS).content.decode()

    profile = braked[0]
    assert profile.user.email not in html
    assert "@e***.com" in html
    assert f"member {profile.pk}" in html


def test_with_the_switch_off_it_says_so_and_does_nothing(basket, braked, admin_client):
    seen = seen_on(admin_client, REMOVALS)

    with override_switch(SWITCH, active=False):
        off = admin_client.get(REMOVALS)
        posted = admin_client.post(
            REMOVALS, {"answer": "remove", "confirm": "on", "seen": seen}, follow=True
        )

    assert "with the switch off nothing can be released" in text_of(off)
    assert "Nothing was done: the switch BASKET_SWITCH_ENABLED is off." in text_of(posted)
    assert not is_answered("brake")


def test_while_no_brake_is_on_there_is_nothing_to_release(members, admin_client):
    assert "No brake is on: nothing is held back." in text_of(admin_client.get(REMOVALS))
    assert "No question is open: nothing needs a decision." in text_of(admin_client.get(LOSSES))

    page = release(admin_client)

    assert "this question is not open any more" in text_of(page)


def test_members_who_are_gone_are_shown_as_such(basket, members, admin_client):
    gone = [profile.pk for profile in members[:4]]
    for rows in (Vouch.objects.filter(vouchee__in=gone), UserProfile.objects.filter(pk__in=gone)):
        rows._raw_delete("default")  # in SQL, which sends no signal
    tasks.reconcile()
    tasks.sweep()

    page = text_of(admin_client.get(REMOVALS))

    assert f"member {members[0].pk}, gone" in page
    assert subscribed(basket) == emails(members)


def test_the_losses_page_shows_how_much_is_gone_and_asks_which_it_was(losing, admin_client):
    page = admin_client.get(LOSSES)

    text = text_of(page)
    assert "They all opted out" in text
    assert "Basket lost them" in text
    assert losing[0].user.email in page.content.decode()
    assert re.search(r">8</td><td[^>]*>8</td>", page.content.decode())


def test_losses_can_be_restored(basket, losing, admin_client, commit):
    with commit():
        answer(admin_client, LOSSES, answer="lost")
    settle_everything()

    assert subscribed(basket) == emails(losing)
    assert not Approval.objects.filter(closed_at=None).exists()


def test_losses_can_be_taken_for_opt_outs(basket, losing, admin_client, commit):
    with commit():
        answer(admin_client, LOSSES, answer="opted out")
    settle_everything()

    assert subscribed(basket) == []
    theirs = Subscription.objects.filter(contact__members__site_member__in=losing)
    phone = theirs.filter(newsletter="mozilla-phone")
    assert set(phone.values_list("state", flat=True)) == {"opted out"}
    assert Event.objects.filter(kind=Event.Kind.OPTED_OUT).count() == 8
    assert Event.objects.get(kind=Event.Kind.ANSWERED).outcome == "opted out"


def test_an_answer_must_be_chosen(losing, admin_client):
    page = answer(admin_client, LOSSES)

    assert "Nothing was done: choose an answer first." in text_of(page)
    assert not is_answered("loss")


@pytest.mark.parametrize(
    ("fields", "kept", "lacking"),
    [
        (
            {"answer": "lost", "confirm": ""},
            'value="lost" required checked',
            'name="confirm" required>',
        ),
        ({"confirm": "on"}, 'name="confirm" required checked', 'value="lost" required>'),
    ],
)
def test_form_keeps_what_was_chosen_when_something_is_missing(
    losing, admin_client, fields, kept, lacking
):
    page = answer(admin_client, LOSSES, **fields).content.decode()

    assert kept in page
    assert lacking in page


def test_each_newsletter_is_answered_by_itself(basket, braked, admin_client):
    Approval.objects.create(
        newsletter="mozillians-nda", kind="brake", since=timezone.now(), number=9, total=10
    )
    html = admin_client.get(REMOVALS).content.decode()
    _first, second = re.findall(r'name="seen" value="([^"]*)"', html)

    release(admin_client, seen=second)

    answered = Approval.objects.exclude(answer="").values_list("newsletter", flat=True)
    assert list(answered) == ["mozillians-nda"]
    left = admin_client.get(REMOVALS).content.decode()
    assert left.count("Release: remove") == 1
    assert "Release: remove 4 subscriptions" in left


@pytest.mark.parametrize(("kind", "url"), [("brake", REMOVALS), ("loss", LOSSES)])
def test_a_question_is_in_the_banner_of_every_page_with_a_link(members, admin_client, kind, url):
    Approval.objects.create(newsletter="mozilla-phone", kind=kind, since=timezone.now())

    for model in ("event", "bulkrequest", "contact", "status"):
        page = admin_client.get(reverse(f"admin:mozillians_basket_{model}_changelist"))
        assert f'href="{url}"' in page.content.decode()
