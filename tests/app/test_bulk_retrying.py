"""Retrying the failed orders of a bulk request."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from waffle.testutils import override_switch

from mozillians_basket import bulk, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import BulkItem, BulkRequest, Event
from tests.app.bulk import UNSUBSCRIBE, order, text_of, url_of
from tests.app.steps import drain_everything, settle_everything
from tests.factories import UserProfileFactory

PHONE = "mozilla-phone"


def retry(client):
    return client.post(url_of("retry", BulkRequest.objects.latest("pk")), follow=True)


@pytest.fixture
def refused(basket, admin_client):
    """A member whose address Basket did not accept, in a finished request."""
    profile = UserProfileFactory(user__email="member@example.invalid")
    order(admin_client, [profile, UserProfileFactory()])
    tasks.sweep()
    tasks.sweep()
    assert BulkRequest.objects.get().counts == {"done": 1, "failed": 1}
    return profile


def test_a_refused_address_is_tried_again_once_the_cause_is_gone(
    basket, admin_client, admin_user, refused
):
    refused.user.email = "mended@example.com"
    refused.user.save()
    drain_everything()

    page = retry(admin_client)
    settle_everything()
    tasks.sweep()

    request = BulkRequest.objects.get()
    assert "The failed members are tried again." in text_of(page)
    assert basket.person("mended@example.com").newsletters == {PHONE}
    assert (request.state, request.counts) == (BulkRequest.State.FINISHED, {"done": 2})
    entry = LogEntry.objects.get(action_flag=CHANGE)
    assert (entry.user, entry.change_message) == (admin_user, "The failed members are tried again.")
    assert Event.objects.get(kind=Event.Kind.RETRIED).actor == admin_user


def test_with_the_switch_off_it_says_so_and_does_nothing(basket, admin_client, refused):
    with override_switch(SWITCH, active=False):
        page = retry(admin_client)

    request = BulkRequest.objects.get()
    assert "Nothing was done: the switch BASKET_SWITCH_ENABLED is off." in text_of(page)
    assert (request.state, request.counts) == (
        BulkRequest.State.FINISHED,
        {"done": 1, "failed": 1},
    )
    assert not LogEntry.objects.filter(action_flag=CHANGE).exists()


def test_an_order_that_is_refused_again_fails_again(basket, admin_client, refused):
    basket.clear_requests()

    retry(admin_client)
    running = BulkRequest.objects.get().state
    tasks.sweep()
    tasks.sweep()

    item = BulkItem.objects.get(member=refused)
    assert running == BulkRequest.State.RUNNING
    assert [request.endpoint for request in basket.requests] == ["lookup"]
    assert (item.state, item.reason) == ("failed", "2")
    assert BulkRequest.objects.get().state == BulkRequest.State.FINISHED


def test_only_failed_orders_are_tried_again(basket, admin_client, refused):
    done = BulkItem.objects.get(state="done")
    basket.clear_requests()

    retry(admin_client)
    tasks.sweep()

    assert BulkItem.objects.get(pk=done.pk).finished_at == done.finished_at
    assert [request.endpoint for request in basket.requests] == ["lookup"]


def test_a_parked_member_is_tried_again_at_once(basket, admin_client, settings):
    settings.BASKET_MAX_ATTEMPTS = 1
    profile = UserProfileFactory()
    drain_everything()
    basket.fail("subscribe", status=500, times=1)
    order(admin_client, [profile])
    tasks.sweep()
    tasks.sweep()
    failed = BulkItem.objects.get()

    retry(admin_client)
    tasks.sweep()

    assert (failed.state, failed.reason) == ("failed", "unavailable")
    assert basket.person(profile.user.email).newsletters == {PHONE}
    assert BulkItem.objects.get().state == BulkItem.State.DONE


def test_a_newer_order_stands(basket, admin_client, settings):
    settings.BASKET_MAX_ATTEMPTS = 1
    profile = UserProfileFactory()
    basket.fail("subscribe", status=500, times=1)
    order(admin_client, [profile])
    tasks.sweep()
    tasks.sweep()
    order(admin_client, [profile], UNSUBSCRIBE)
    first = BulkRequest.objects.earliest("pk")

    admin_client.post(url_of("retry", first))
    settle_everything()

    item = BulkItem.objects.get(request=first)
    assert (item.state, item.reason) == ("skipped", "superseded")
    assert basket.people == {}


@pytest.mark.parametrize("state", [BulkRequest.State.FINISHED, BulkRequest.State.CANCELLED])
def test_without_a_failure_there_is_nothing_to_try_again(basket, admin_client, state):
    order(admin_client, [UserProfileFactory()])
    tasks.sweep()
    tasks.sweep()
    BulkRequest.objects.update(state=state)

    page = retry(admin_client)

    assert "There was nothing to try again." in text_of(page)
    assert BulkRequest.objects.get().state == state


def test_failures_of_a_cancelled_request_are_tried_again_and_nobody_else_is_begun(
    basket, admin_client, refused
):
    left_out = UserProfileFactory()
    keys = [*BulkItem.objects.values_list("member_id", flat=True), left_out.pk]
    BulkRequest.objects.update(state=BulkRequest.State.CANCELLED, keys=keys, total=3)
    refused.user.email = "mended@example.com"
    refused.user.save()
    drain_everything()

    page = retry(admin_client)
    settle_everything()
    tasks.sweep()

    request = BulkRequest.objects.get()
    assert "The failed members are tried again." in text_of(page)
    assert basket.person("mended@example.com").newsletters == {PHONE}
    assert (request.state, request.counts) == (BulkRequest.State.CANCELLED, {"done": 2})
    assert request.finished_at
    assert basket.person(left_out.user.email) is None


def test_failures_of_a_running_request_can_be_tried_again_before_it_ends(
    basket, admin_client, refused
):
    waiting = UserProfileFactory()
    request = BulkRequest.objects.get()
    keys = [*BulkItem.objects.values_list("member_id", flat=True), waiting.pk]
    running = {"state": BulkRequest.State.RUNNING, "finished_at": None, "counts": {}}
    BulkRequest.objects.update(**running, keys=keys, total=3)

    assert bulk.retry(request, actor=None) == 1
    tasks.sweep()
    tasks.sweep()

    assert BulkRequest.objects.get().counts == {"done": 2, "failed": 1}
    assert basket.person(waiting.user.email).newsletters == {PHONE}
