"""Trying again what failed of a bulk request."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from waffle.testutils import override_switch

from mozillians_basket import ledger, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Batch, BatchItem, Contact, Event
from tests.app.bulk import UNSUBSCRIBE, order, text_of, url_of
from tests.app.steps import contact_of, drain_everything
from tests.factories import UserProfileFactory

PHONE = "mozilla-phone"


def retry(client):
    return client.post(url_of("retry", Batch.objects.latest("pk")), follow=True)


@pytest.fixture
def refused(basket, admin_client):
    """A member whose address Basket did not accept, in a request that is over."""
    profile = UserProfileFactory(user__email="member@example.invalid")
    order(admin_client, [profile, UserProfileFactory()])
    tasks.sweep()
    assert Batch.objects.get().counts == {"done": 1, "failed": 1}
    return profile


def test_a_refused_address_is_tried_anew_once_the_cause_is_gone(
    basket, admin_client, admin_user, refused
):
    refused.user.__class__.objects.filter(pk=refused.user.pk).update(email="mended@example.com")

    page = retry(admin_client)
    tasks.sweep()

    batch = Batch.objects.get()
    assert "What had failed is tried again." in text_of(page)
    assert basket.person("mended@example.com").newsletters == {PHONE}
    assert (batch.state, batch.counts) == (Batch.State.FINISHED, {"done": 2})
    entry = LogEntry.objects.get(action_flag=CHANGE)
    assert (entry.user, entry.change_message) == (admin_user, "What had failed is tried again.")
    assert Event.objects.get(kind=Event.Kind.RETRIED).actor == admin_user


def test_with_the_switch_off_it_says_so_and_does_nothing(basket, admin_client, refused):
    with override_switch(SWITCH, active=False):
        page = retry(admin_client)

    batch = Batch.objects.get()
    assert "Nothing was done: the switch BASKET_SWITCH_ENABLED is off." in text_of(page)
    assert (batch.state, batch.counts) == (Batch.State.FINISHED, {"done": 1, "failed": 1})
    assert not LogEntry.objects.filter(action_flag=CHANGE).exists()


def test_what_is_refused_again_fails_again(basket, admin_client, refused):
    basket.clear_requests()

    retry(admin_client)
    tasks.sweep()

    item = BatchItem.objects.get(member=refused)
    assert basket.requests != []
    assert (item.state, item.reason, item.error_code) == ("failed", "refused by Basket", 2)
    assert Batch.objects.get().state == Batch.State.FINISHED


def test_only_what_failed_is_tried_again(basket, admin_client, refused):
    done = BatchItem.objects.get(state="done")
    basket.clear_requests()

    retry(admin_client)
    tasks.sweep()

    assert BatchItem.objects.get(pk=done.pk).finished_at == done.finished_at
    assert len([request for request in basket.requests if "lookup" in request.path]) == 1


def test_who_was_parked_is_tried_again_at_once(basket, admin_client, settings):
    settings.BASKET_MAX_ATTEMPTS = 1
    profile = UserProfileFactory()
    drain_everything()
    basket.fail("subscribe", status=500, times=1)
    order(admin_client, [profile])
    tasks.sweep()
    failed = BatchItem.objects.get()
    waits = contact_of(profile).not_before

    retry(admin_client)
    tasks.sweep()

    assert (failed.state, failed.reason) == ("failed", "unavailable")
    assert waits is not None
    assert basket.person(profile.user.email).newsletters == {PHONE}
    assert BatchItem.objects.get().state == BatchItem.State.DONE


def test_after_a_rate_limit_the_wait_is_kept(basket, admin_client, settings):
    settings.BASKET_MAX_ATTEMPTS = 1
    profile = UserProfileFactory()
    drain_everything()
    basket.fail("subscribe", status=429, times=1)
    order(admin_client, [profile])
    tasks.sweep()
    waits = contact_of(profile).not_before

    retry(admin_client)
    tasks.sweep()

    assert contact_of(profile).not_before == waits
    assert BatchItem.objects.get().state == BatchItem.State.PENDING


def test_what_was_decided_since_the_order_stands(basket, admin_client, refused):
    order(admin_client, [refused], UNSUBSCRIBE)
    tasks.sweep()
    first = Batch.objects.earliest("pk")

    admin_client.post(url_of("retry", first))
    tasks.sweep()

    item = BatchItem.objects.get(batch=first, member=refused)
    assert (item.state, item.reason) == ("skipped", "a newer decision came first")


def test_a_retry_whose_message_was_lost_or_whose_worker_died_is_not_lost(
    basket, admin_client, refused
):
    retry(admin_client)
    state = Batch.objects.get().state
    ledger.advance_batches()  # begins it again, and then nothing

    tasks.sweep()
    tasks.sweep()  # sees that it is over

    assert state == Batch.State.RUNNING
    assert Batch.objects.get().state == Batch.State.FINISHED
    assert BatchItem.objects.get(member=refused).state == BatchItem.State.FAILED


def test_a_retry_that_is_cancelled_leaves_the_member_as_before_the_order(
    basket, admin_client, refused
):
    retry(admin_client)
    ledger.advance_batches()
    ledger.work_off_batches()

    admin_client.post(url_of("cancel", Batch.objects.get()))
    tasks.sweep()

    batch = Batch.objects.get()
    assert (batch.state, batch.counts) == (Batch.State.CANCELLED, {"done": 1, "cancelled": 1})
    assert not contact_of(refused).subscriptions.exists()
    assert not Contact.objects.filter(failing_since__isnull=False).exists()


@pytest.mark.parametrize("state", [Batch.State.FINISHED, Batch.State.CANCELLED])
def test_without_a_failure_there_is_nothing_to_try_again(basket, admin_client, state):
    order(admin_client, [UserProfileFactory()])
    tasks.sweep()
    Batch.objects.update(state=state)

    page = retry(admin_client)

    assert "There was nothing to try again." in text_of(page)
    assert Batch.objects.get().state == state


def test_failures_of_a_running_request_can_be_tried_again_before_it_ends(
    basket, admin_client, refused
):
    waiting = UserProfileFactory()
    batch = Batch.objects.get()
    Batch.objects.update(state=Batch.State.RUNNING, finished_at=None, counts={})
    BatchItem.objects.create(batch=batch, member=waiting)

    retry(admin_client)
    tasks.sweep()

    assert Batch.objects.get().counts == {"done": 2, "failed": 1}
