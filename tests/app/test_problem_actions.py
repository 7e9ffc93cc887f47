"""What admins do about problems: try again, put aside with a note."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import ledger, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import BasketUnavailable
from mozillians_basket.ledger import repairs
from mozillians_basket.models import Contact, Event, Repair
from tests.app.steps import claimed, contact_of, drain_everything, held
from tests.factories import UserProfileFactory

LIST = reverse("admin:mozillians_basket_problem_changelist")


@pytest.fixture
def failed(basket, vouched, commit):
    """A member whom Basket still has, and who failed to be unsubscribed; Basket is well again."""
    fault = basket.fail("lookup", status=503)
    with commit():
        vouched.vouches_received.all().delete()
    basket.heal(fault)
    assert contact_of(vouched).error == "unavailable"
    return vouched


@pytest.fixture
def act(admin_client, commit):
    """Choose an action on the list; returns the page that follows."""

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
    """Problems of this number of members."""
    UserProfileFactory.create_batch(number)
    drain_everything()
    Contact.objects.update(failing_since=timezone.now(), error="unavailable")
    return list(Contact.objects.all())


def test_a_retry_repairs_what_can_be(basket, failed, act, admin_user):
    page = act("retry", [contact_of(failed)])

    assert "1 problem is tried again in the background." in page
    assert held(basket, failed.user.email) == {failed.user.email: set()}
    assert contact_of(failed).failing_since is None
    event = Event.objects.get(kind=Event.Kind.RETRIED)
    assert (event.contact, event.actor) == (contact_of(failed), admin_user)
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


def test_all_across_pages_are_left_to_the_worker_in_chunks(basket, act, admin_user, monkeypatch):
    monkeypatch.setattr(repairs, "CHUNK", 3)
    monkeypatch.setattr("mozillians_basket.admin.journal.CHUNK", 3)
    contacts = many(7)

    page = act("retry", contacts[:1], select_across="1")

    assert "7 problems are tried again in the background." in page
    assert not Repair.objects.exists()
    assert not Contact.objects.exclude(failing_since=None).exists()
    assert Event.objects.filter(kind=Event.Kind.RETRIED, actor=admin_user).count() == 7
    assert LogEntry.objects.get().object_repr == "7 problems"


def test_what_is_filtered_out_is_not_retried_across_pages(basket, act):
    contacts = many(3)
    Contact.objects.filter(pk=contacts[0].pk).update(error="rate limit")

    act("retry", contacts[:1], select_across="1", query="?error=rate+limit")

    assert Event.objects.get(kind=Event.Kind.RETRIED).contact_id == contacts[0].pk


def test_a_retry_whose_message_was_lost_is_found_by_the_sweeper(basket, failed, admin_client):
    keys = [contact_of(failed).pk]
    admin_client.post(LIST, {"action": "retry", "_selected_action": keys})  # nothing is committed

    tasks.sweep()

    assert contact_of(failed).failing_since is None


def test_dismissing_asks_for_a_note_first(basket, failed, act):
    page = act("dismiss", [contact_of(failed)])
    empty = act("dismiss", [contact_of(failed)], basket_confirm="1", remark=" ")

    assert "1 problem is put aside: it leaves the list" in page
    assert "<label" in page
    assert "This field is required." in empty
    assert contact_of(failed).dismissed_at is None


def test_a_dismissed_problem_leaves_the_list_with_a_note(basket, failed, act, admin_user):
    note = {"basket_confirm": "1", "remark": "wrote to member@example.com"}

    page = act("dismiss", [contact_of(failed)], **note)

    assert "1 problem was put aside." in page
    assert "Nothing is left to do: 1 problem is put aside." in page
    event = Event.objects.get(kind=Event.Kind.DISMISSED)
    assert (event.remark, event.actor) == ("wrote to ***", admin_user)
    assert LogEntry.objects.get().get_change_message() == "Put aside. wrote to ***"


def test_a_dismissed_problem_is_shown_when_asked_for_and_can_be_retried(basket, failed, act):
    act("dismiss", [contact_of(failed)], basket_confirm="1", remark="later")

    act("retry", [contact_of(failed)], query="?dismissed=any")

    assert contact_of(failed).failing_since is None


def test_another_problem_of_a_dismissed_member_is_shown(basket, failed, act, admin_client):
    act("dismiss", [contact_of(failed)], basket_confirm="1", remark="later")
    Contact.objects.update(not_before=None)

    ledger.postpone(ledger.Sheet(claimed(failed)).open(), BasketUnavailable(429))

    assert "asked too often" in admin_client.get(LIST).content.decode()


def test_many_are_dismissed_by_the_worker_also_with_the_switch_off(basket, act, monkeypatch):
    monkeypatch.setattr(repairs, "CHUNK", 2)
    contacts = many(5)

    with override_switch(SWITCH, active=False):
        act("dismiss", contacts[:1], select_across="1", basket_confirm="1", remark="an outage")

    assert not Contact.objects.filter(dismissed_at=None).exists()
    assert set(Event.objects.values_list("remark", flat=True)) == {"an outage"}


@pytest.mark.parametrize("action", ["retry", "dismiss"])
def test_without_the_permission_nothing_is_offered_and_a_forged_post_gets_403(
    basket, failed, client_with, action
):
    client = client_with("view_problem", "view_userprofile")
    keys = [contact_of(failed).pk]

    page = client.get(LIST).content.decode()
    response = client.post(
        LIST, {"action": action, "_selected_action": keys, "basket_confirm": "1", "remark": "x"}
    )

    assert f'value="{action}"' not in page
    assert response.status_code == 403
    assert not Event.objects.exclude(actor=None).exists()
    assert contact_of(failed).dismissed_at is None


def test_a_retry_of_a_thousand_takes_few_queries(basket, act, django_assert_max_num_queries):
    UserProfileFactory.create_batch(2)
    member = UserProfileFactory()
    drain_everything()
    moment = timezone.now() - timedelta(days=1)
    Contact.objects.bulk_create(
        Contact(email=f"{number}@example.com", settled_at=moment, touched_at=moment)
        for number in range(450)
    )
    Contact.objects.update(failing_since=moment, error="refused")

    with django_assert_max_num_queries(14):
        ledger.repair(
            Repair.Action.RETRY,
            list(Contact.objects.values_list("pk", flat=True)),
            actor=member.user,
        )

    assert ledger.due().count() == Contact.objects.count() > 450
