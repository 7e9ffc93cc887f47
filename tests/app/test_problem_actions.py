"""The admin's actions on problems: retry, and dismiss with a note."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.admin import problems
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact, Event
from tests.app.steps import contact_of, drain_everything, held
from tests.factories import UserProfileFactory, VouchFactory

LIST = reverse("admin:mozillians_basket_failingcontact_changelist")


@pytest.fixture
def failed(basket, vouched, commit):
    """A member whose unsubscribe failed. Basket still has the newsletter, and works again."""
    fault = basket.fail("lookup", status=503)
    with commit():
        vouched.vouches_received.all().delete()
    basket.heal(fault)
    assert contact_of(vouched).problem == "unavailable"
    return vouched


@pytest.fixture
def act(admin_client, commit):
    """Choose an action on the list; return the page that follows."""

    def chosen(action, contacts, *, query="", **fields):
        keys = [contact.pk for contact in contacts]
        with commit():
            response = admin_client.post(
                f"{LIST}{query}",
                {"action": action, "_selected_action": keys, **fields},
                follow=True,
            )
        assert response.status_code == 200
        return response.content.decode()

    return chosen


def many(number):
    """Create problems of this number of members."""
    VouchFactory.create_batch(number)
    drain_everything()
    Contact.objects.filter(members__decisions__wanted=True).update(
        failing_since=timezone.now(), problem="unavailable", attempts=1,
        not_before=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    return list(Contact.objects.filter(failing_since__isnull=False))


def events(kind):
    return Event.objects.filter(kind=kind)


def test_retry_resolves_problems_whose_cause_is_gone(basket, failed, act, admin_user):
    page = act("retry", [contact_of(failed)])

    assert "1 problem is tried again in the background." in page
    assert held(basket, failed.user.email) == {failed.user.email: set()}
    assert contact_of(failed).failing_since is None
    event = events(Event.Kind.RETRIED).get()
    assert (event.contact, event.actor) == (contact_of(failed), admin_user)
    assert event.outcome == "unavailable"
    log = LogEntry.objects.get()
    assert (log.user, log.object_id) == (admin_user, str(contact_of(failed).pk))
    assert log.get_change_message() == "Tried again."


def test_with_the_switch_off_a_retry_says_so_and_does_nothing(basket, failed, act):
    before = contact_of(failed).not_before

    with override_switch(SWITCH, active=False):
        page = act("retry", [contact_of(failed)])

    assert "Nothing was done: the switch BASKET_SWITCH_ENABLED is off." in page
    assert contact_of(failed).not_before == before
    assert not LogEntry.objects.exists()


def test_all_across_pages_are_retried_and_noted_once(basket, act, admin_user, monkeypatch):
    monkeypatch.setattr(problems, "EACH", 3)
    contacts = many(7)

    page = act("retry", contacts[:1], select_across="1")

    assert "7 problems are tried again in the background." in page
    assert len(basket.people) == 7
    assert not Contact.objects.exclude(failing_since=None).exists()
    event = events(Event.Kind.RETRIED).get()
    assert (event.actor, event.outcome, event.contact) == (admin_user, "7 problems", None)
    assert LogEntry.objects.get().object_repr == "7 problems"


def test_filtered_out_problems_are_not_retried_across_pages(basket, act):
    contacts = many(3)
    Contact.objects.filter(pk=contacts[0].pk).update(problem="rate limit")

    act("retry", contacts[:1], select_across="1", query="?error=rate+limit")

    assert events(Event.Kind.RETRIED).get().contact_id == contacts[0].pk
    assert Contact.objects.exclude(failing_since=None).count() == 2


def test_a_retry_whose_message_was_lost_is_found_by_the_sweeper(basket, failed, admin_client):
    keys = [contact_of(failed).pk]
    admin_client.post(LIST, {"action": "retry", "_selected_action": keys})  # nothing is committed

    tasks.sweep()

    assert held(basket, failed.user.email) == {failed.user.email: set()}


def test_refused_newsletter_is_requested_again(basket, act, commit):
    basket.load_newsletters({}, blocked_domains=["blocked.example.com"])
    with commit():
        profile = VouchFactory(vouchee__user__email="fox@blocked.example.com").vouchee
    basket.clear_requests()

    act("retry", [contact_of(profile)])

    assert "subscribe" in [request.endpoint for request in basket.requests]
    assert contact_of(profile).subscriptions.get(newsletter="mozilla-phone").state == "refused"


def test_dismissing_asks_for_a_note_first(basket, failed, act):
    page = act("dismiss", [contact_of(failed)])
    empty = act("dismiss", [contact_of(failed)], basket_confirm="1", note=" ")

    assert "1 problem is dismissed: it leaves the list" in page
    assert "<label" in page
    assert "This field is required." in empty
    assert contact_of(failed).dismissed_at is None


def test_a_dismissed_problem_leaves_the_list_with_a_note(basket, failed, act, admin_user):
    note = {"basket_confirm": "1", "note": "wrote to member@example.com"}

    page = act("dismiss", [contact_of(failed)], **note)

    assert "1 problem was dismissed." in page
    assert "Nothing is left to do: 1 problem is dismissed." in page
    event = events(Event.Kind.DISMISSED).get()
    assert (event.note, event.actor, event.outcome) == ("wrote to ***", admin_user, "unavailable")
    assert event.member_id == failed.pk
    assert LogEntry.objects.get().get_change_message() == "Dismissed. wrote to ***"


def test_refused_subscription_can_be_dismissed(basket, act, admin_client, commit):
    basket.load_newsletters({}, blocked_domains=["blocked.example.com"])
    with commit():
        profile = VouchFactory(vouchee__user__email="fox@blocked.example.com").vouchee
    assert "it is blocked there" in admin_client.get(LIST).content.decode()

    page = act("dismiss", [contact_of(profile)], basket_confirm="1", note="let it be")

    assert "Nothing is left to do: 1 problem is dismissed." in page


def test_a_dismissed_problem_is_shown_when_asked_for_and_can_be_retried(basket, failed, act):
    act("dismiss", [contact_of(failed)], basket_confirm="1", note="later")

    act("retry", [contact_of(failed)], query="?dismissed=any")

    assert contact_of(failed).failing_since is None
    assert held(basket, failed.user.email) == {failed.user.email: set()}


def test_another_problem_of_a_dismissed_member_is_shown(basket, failed, act, admin_client):
    act("dismiss", [contact_of(failed)], basket_confirm="1", note="later")
    Contact.objects.update(not_before=None)
    basket.fail("lookup", kind="rate_limit")

    tasks.sweep()

    assert "asked too often" in admin_client.get(LIST).content.decode()


def test_many_are_dismissed_also_with_the_switch_off(basket, act, monkeypatch):
    monkeypatch.setattr(problems, "EACH", 2)
    contacts = many(5)

    with override_switch(SWITCH, active=False):
        act("dismiss", contacts[:1], select_across="1", basket_confirm="1", note="an outage")

    assert not Contact.objects.filter(failing_since__isnull=False, dismissed_at=None).exists()
    event = events(Event.Kind.DISMISSED).get()
    assert (event.outcome, event.note) == ("5 problems", "an outage")


@pytest.mark.parametrize("action", ["retry", "dismiss"])
def test_without_the_permission_nothing_is_offered_and_a_forged_post_gets_403(
    basket, failed, client_with, action
):
    client = client_with("view_failingcontact", "view_userprofile")
    keys = [contact_of(failed).pk]

    page = client.get(LIST).content.decode()
    response = client.post(
        LIST, {"action": action, "_selected_action": keys, "basket_confirm": "1", "note": "x"}
    )

    assert f'value="{action}"' not in page
    assert response.status_code == 403
    assert not Event.objects.exclude(actor=None).exists()
    assert contact_of(failed).dismissed_at is None


def test_a_retry_of_many_takes_no_more_queries(
    switch_on, admin_client, django_assert_max_num_queries
):
    UserProfileFactory.create_batch(2)
    moment = timezone.now()
    Contact.objects.bulk_create(
        Contact(
            email=f"{n}@example.com", key=f"{n}@example.com", problem="2", failing_since=moment,
        )
        for n in range(1200)
    )  # fmt: skip
    first = Contact.objects.first()
    fields = {"action": "retry", "_selected_action": [first.pk], "select_across": "1"}

    with django_assert_max_num_queries(35):
        admin_client.post(LIST, fields)

    assert Contact.objects.filter(retry=True, touched_at__isnull=False).count() == 1200
