"""The three public tasks: their effect on Basket, and their results."""

import logging

import pytest
import waffle
from django.db.models import Q
from django_celery_results.models import TaskResult
from waffle.models import Switch
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.models import Contact, Event, Member, Touch
from project.celery import app
from tests.app.steps import settle_everything
from tests.factories import UserProfileFactory, VouchFactory

STRANGER = "stranger@example.com"


def newsletters(basket, email):
    person = basket.person(email)
    return set() if person is None else set(person.newsletters)


def test_any_member_can_be_subscribed_policy_or_not(basket):
    profile = UserProfileFactory()

    tasks.subscribe_user_to_basket(profile.pk, ["mozillians-nda"])

    assert newsletters(basket, profile.user.email) == {"mozillians-nda"}


def test_only_missing_newsletters_are_subscribed(basket):
    profile = UserProfileFactory()
    basket.put_person(profile.user.email, newsletters=["mozilla-phone"])
    basket.clear_requests()

    tasks.subscribe_user_to_basket(profile.pk, ["mozilla-phone", "mozillians-nda"])

    subscribe = [request for request in basket.requests if request.endpoint == "subscribe"]
    assert [request.newsletters for request in subscribe] == [{"mozillians-nda"}]


def test_subscribing_a_member_who_has_everything_is_one_lookup(basket):
    profile = UserProfileFactory()
    tasks.subscribe_user_to_basket(profile.pk, ["mozilla-phone"])
    basket.clear_requests()

    tasks.subscribe_user_to_basket(profile.pk, ["mozilla-phone"])

    assert [request.endpoint for request in basket.requests] == ["lookup"]


def test_subscribing_does_not_override_an_opt_out(basket):
    profile = UserProfileFactory()
    basket.put_person(profile.user.email, newsletters=[], optout=True)

    tasks.subscribe_user_to_basket(profile.pk, ["mozilla-phone"])

    assert newsletters(basket, profile.user.email) == set()


def test_nobody_is_subscribed_for_a_member_who_is_not_there(basket):
    assert tasks.subscribe_user_to_basket(12345, ["mozilla-phone"]) == {"mozilla-phone": "left"}
    assert basket.requests == []


def test_an_admin_s_decision_stands_until_the_policy_changes_its_mind(
    basket, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        profile = VouchFactory().vouchee
    tasks.unsubscribe_from_basket_task(profile.user.email, ["mozilla-phone"])
    with django_capture_on_commit_callbacks(execute=True):
        VouchFactory(vouchee=profile)
    after_second_vouch = newsletters(basket, profile.user.email)

    with django_capture_on_commit_callbacks(execute=True):
        profile.vouches_received.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        VouchFactory(vouchee=profile)

    assert after_second_vouch == set()
    assert newsletters(basket, profile.user.email) == {"mozilla-phone"}


def test_an_address_that_is_no_member_s_can_be_unsubscribed(basket):
    basket.put_person(STRANGER, newsletters=["mozilla-phone", "about-mozilla"])

    tasks.unsubscribe_from_basket_task(STRANGER, ["mozilla-phone", "mozillians-nda"])

    assert newsletters(basket, STRANGER) == {"about-mozilla"}


def test_unsubscribing_an_address_unknown_to_basket_is_one_lookup(basket):
    tasks.unsubscribe_from_basket_task(STRANGER, ["mozilla-phone"])

    assert [request.endpoint for request in basket.requests] == ["lookup"]


def test_an_address_is_updated_new_first_old_second(basket):
    basket.put_person(STRANGER, newsletters=["mozilla-phone", "about-mozilla"])
    basket.clear_requests()

    tasks.update_email_in_basket(STRANGER, "new@example.com")

    assert newsletters(basket, "new@example.com") == {"mozilla-phone"}
    assert newsletters(basket, STRANGER) == {"about-mozilla"}
    changes = [request.endpoint for request in basket.requests if request.method == "POST"]
    assert changes == ["subscribe", "unsubscribe"]


def test_updating_an_address_with_nothing_of_ours_changes_nothing(basket):
    basket.put_person(STRANGER, newsletters=["about-mozilla"])

    tasks.update_email_in_basket(STRANGER, "new@example.com")

    assert set(basket.people) == {STRANGER}
    assert newsletters(basket, STRANGER) == {"about-mozilla"}


def test_a_foreign_newsletter_is_refused_and_nothing_is_written(basket):
    profile = UserProfileFactory()

    with pytest.raises(UnknownNewsletter, match="BASKET_NEWSLETTERS"):
        tasks.subscribe_user_to_basket(profile.pk, ["about-mozilla"])

    assert not Contact.objects.exists()
    assert basket.requests == []


def test_naming_no_newsletter_is_refused(basket):
    with pytest.raises(UnknownNewsletter, match="at least one"):
        tasks.unsubscribe_from_basket_task(STRANGER, [])


def test_with_the_switch_off_a_decision_is_kept_and_carried_later(basket):
    profile = UserProfileFactory()

    with override_switch(SWITCH, active=False):
        tasks.subscribe_user_to_basket(profile.pk, ["mozilla-phone"])
        tasks.sweep()
        while_off = basket.requests
    tasks.sweep()

    assert while_off == []
    assert newsletters(basket, profile.user.email) == {"mozilla-phone"}


def test_changes_made_while_the_switch_was_off_are_sent_net(
    basket, django_capture_on_commit_callbacks
):
    with override_switch(SWITCH, active=False), django_capture_on_commit_callbacks(execute=True):
        flipped, kept = UserProfileFactory(), UserProfileFactory()
        for _ in range(5):
            VouchFactory(vouchee=flipped).delete()
            VouchFactory(vouchee=kept).delete()
        VouchFactory(vouchee=kept)
    while_off = basket.requests

    tasks.sweep()

    assert while_off == []
    assert [(request.endpoint, request.email) for request in basket.requests] == [
        ("lookup", kept.user.email),
        ("subscribe", kept.user.email),
    ]


PUBLIC = (
    tasks.subscribe_user_to_basket,
    tasks.unsubscribe_from_basket_task,
    tasks.update_email_in_basket,
)


@pytest.fixture
def stored_results(eager, monkeypatch):
    for task in PUBLIC:
        monkeypatch.setattr(task, "store_eager_result", True)
    return TaskResult.objects


def test_results_show_no_address(basket, stored_results, caplog):
    caplog.set_level(logging.DEBUG)
    basket.put_person(STRANGER, newsletters=["mozilla-phone"])
    token = basket.person(STRANGER).token

    tasks.unsubscribe_from_basket_task.delay(STRANGER, ["mozilla-phone"])
    tasks.update_email_in_basket.delay(old_email=STRANGER, new_email="new@example.com")
    tasks.unsubscribe_from_basket_task.apply_async((STRANGER, ["about-mozilla"]), throw=False)

    rows = [str(row) for row in stored_results.values()]
    assert len(rows) == 3
    assert "UnknownNewsletter" in "".join(rows)
    assert "unsubscribe_from_basket_task" in "".join(rows)
    for secret in (STRANGER, "new@example.com", token, basket.api_key):
        assert secret not in "".join(rows)
        assert secret not in caplog.text


def test_a_message_s_representation_shows_no_address():
    sent = []
    original = app.amqp.send_task_message

    def keep(producer, name, message, **options):
        sent.append(message.headers)

    app.amqp.send_task_message = keep
    try:
        tasks.unsubscribe_from_basket_task.delay(STRANGER, ["mozilla-phone"])
        tasks.update_email_in_basket.s(STRANGER, new_email="new@example.com").apply_async()
    finally:
        app.amqp.send_task_message = original

    assert len(sent) == 2
    for headers in sent:
        assert "example.com" not in f"{headers['argsrepr']} {headers['kwargsrepr']}"


def test_history_says_what_happened_without_addresses(basket, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        profile = VouchFactory().vouchee
    profile.user.email = "moved@example.com"
    with django_capture_on_commit_callbacks(execute=True):
        profile.user.save()

    events = Event.objects.filter(Q(member=profile.pk) | Q(contact__isnull=False)).order_by("pk")

    assert [event.kind for event in events] == ["subscribed", "moved", "subscribed", "unsubscribed"]
    assert [event.cause for event in events] == [
        "auth.User created, people.UserProfile created, people.Vouch created",
        *["auth.User changed"] * 3,
    ]
    assert "example.com" not in str(list(events.values()))


def test_a_switch_that_waffle_s_cache_shows_as_on_is_off_when_its_row_says_so(
    basket, settings, django_capture_on_commit_callbacks
):
    settings.WAFFLE_CACHE_NAME = "default"  # a cache that does not notice an update()
    waffle.switch_is_active(SWITCH)
    Switch.objects.filter(name=SWITCH).update(active=False)

    with django_capture_on_commit_callbacks(execute=True):
        VouchFactory()
    cached = waffle.switch_is_active(SWITCH)
    while_off = basket.requests
    Switch.objects.filter(name=SWITCH).update(active=True)
    tasks.sweep()

    assert cached
    assert while_off == []
    assert len(basket.people) == 1


def test_a_bare_address_that_moved_is_erased_when_basket_was_late(basket):
    basket.put_person(STRANGER, newsletters=["mozilla-phone"])
    late = basket.delay_queue(1000, "unsubscribe")

    tasks.update_email_in_basket(STRANGER, "new@example.com")
    settle_everything(rounds=3, strict=False)
    basket.heal(late)
    settle_everything()
    settle_everything()

    assert newsletters(basket, "new@example.com") == {"mozilla-phone"}
    assert newsletters(basket, STRANGER) == set()
    assert not Member.objects.exists()
    assert not Contact.objects.exists()


def test_an_update_clears_the_old_address_of_a_member_unknown_to_the_ledger(basket):
    profile = VouchFactory().vouchee
    Touch.objects.all().delete()
    basket.put_person("old@example.com", newsletters=["mozilla-phone"])

    tasks.update_email_in_basket("old@example.com", profile.user.email)
    settle_everything()

    assert newsletters(basket, profile.user.email) == {"mozilla-phone"}
    assert newsletters(basket, "old@example.com") == set()


def test_an_address_given_as_a_key_is_not_quoted(basket):
    with pytest.raises(ValueError, match="no primary key") as raised:
        tasks.subscribe_user_to_basket(STRANGER, ["mozilla-phone"])

    assert STRANGER not in str(raised.value)
    assert raised.value.__context__ is None
