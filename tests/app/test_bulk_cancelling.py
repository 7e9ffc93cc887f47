"""Cancelling a bulk request skips members who are not begun; begun orders are finished."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry

from mozillians_basket import bulk, tasks
from mozillians_basket.models import BulkItem, BulkRequest, Event
from tests.app.bulk import UNSUBSCRIBE, order, text_of, url_of
from tests.app.steps import drain_everything, held, settle_everything
from tests.factories import UserProfileFactory, VouchFactory

PHONE = "mozilla-phone"


@pytest.fixture
def two_at_a_time(settings):
    settings.BASKET_MAX_IN_FLIGHT = 2


def cancel(client):
    return client.post(url_of("cancel", BulkRequest.objects.latest("pk")), follow=True)


def test_members_not_begun_are_left_out(basket, admin_client, admin_user):
    order(admin_client, UserProfileFactory.create_batch(3))

    page = cancel(admin_client)
    settle_everything()

    request = BulkRequest.objects.get()
    assert "Cancelled. Orders that were begun end as ordered." in text_of(page)
    assert (request.state, request.counts) == (BulkRequest.State.CANCELLED, {})
    assert request.finished_at is not None
    assert basket.people == {}
    entry = LogEntry.objects.get(action_flag=CHANGE)
    assert (entry.user, entry.object_id) == (admin_user, str(request.pk))
    assert Event.objects.get(kind=Event.Kind.CANCELLED).actor == admin_user


def test_members_begun_end_as_ordered(basket, admin_client, two_at_a_time):
    first, second, third = UserProfileFactory.create_batch(3)
    order(admin_client, [first, second, third])
    bulk.advance()
    begun = set(BulkItem.objects.values_list("member_id", flat=True))

    cancel(admin_client)
    waiting = BulkRequest.objects.get().finished_at
    settle_everything()
    tasks.sweep()

    request = BulkRequest.objects.get()
    assert waiting is None
    assert {
        profile.pk
        for profile in (first, second, third)
        if held(basket, profile.user.email)[profile.user.email]
    } == begun
    assert (request.state, request.counts) == (BulkRequest.State.CANCELLED, {"done": 2})
    assert request.finished_at is not None


def test_an_unsubscribe_that_was_begun_is_carried_out(basket, admin_client, commit, two_at_a_time):
    with commit():
        profiles = [vouch.vouchee for vouch in VouchFactory.create_batch(3)]
    order(admin_client, profiles, UNSUBSCRIBE)
    bulk.advance()
    begun = set(BulkItem.objects.values_list("member__user__email", flat=True))

    cancel(admin_client)
    settle_everything()

    emails = {profile.user.email for profile in profiles}
    assert len(begun) == 2
    assert {email for email in emails if not basket.person(email).newsletters} == begun


def test_the_page_says_how_many_were_left_out(basket, admin_client, two_at_a_time):
    order(admin_client, UserProfileFactory.create_batch(5))
    bulk.advance()

    cancel(admin_client)
    running = text_of(admin_client.get(url_of("change", BulkRequest.objects.get())))
    settle_everything()
    tasks.sweep()
    over = text_of(admin_client.get(url_of("change", BulkRequest.objects.get())))

    assert "Orders that were begun end as ordered." in running
    assert 'data-basket-number="cancelled">3</a>' in running
    assert 'data-basket-number="waiting">2</a>' in running
    assert "Cancelled: 2 of 5 members are through, 3 left out." in over
    assert '<progress max="100" value="40"' in over


def test_before_it_is_cancelled_the_page_says_what_that_means(basket, admin_client):
    order(admin_client, [UserProfileFactory()])

    text = text_of(admin_client.get(url_of("change", BulkRequest.objects.get())))

    assert "Orders that are begun end as ordered: nothing is taken back." in text


def test_it_is_asked_before_anything_is_cancelled(basket, admin_client, two_at_a_time):
    order(admin_client, UserProfileFactory.create_batch(5))
    bulk.advance()
    request = BulkRequest.objects.get()

    text = text_of(admin_client.get(url_of("cancel", request)))

    assert "3 members whose order is not begun are left out." in text
    assert "2 are begun: their orders end as ordered" in text
    assert BulkRequest.objects.get().state == BulkRequest.State.RUNNING


def test_it_is_ordered_again_for_members_that_a_cancellation_left_out(
    basket, admin_client, two_at_a_time
):
    profiles = UserProfileFactory.create_batch(5)
    order(admin_client, profiles)
    bulk.advance()
    cancel(admin_client)
    settle_everything()
    tasks.sweep()
    first = BulkRequest.objects.get()
    begun = set(BulkItem.objects.values_list("member_id", flat=True))
    page = admin_client.post(url_of("repeat", first), follow=True)

    assert f"left out of bulk request {first.pk}, 3 members" in text_of(page)
    assert 'value="mozilla-phone" id="id_newsletters_0" checked' in text_of(page)
    draft = BulkRequest.objects.latest("pk")
    assert sorted(draft.keys) == [profile.pk for profile in profiles if profile.pk not in begun]
    assert (draft.state, draft.action) == (BulkRequest.State.DRAFT, first.action)


def test_a_request_that_was_not_cancelled_is_repeated_for_nobody(basket, admin_client):
    order(admin_client, [UserProfileFactory()])

    page = admin_client.post(url_of("repeat", BulkRequest.objects.get()), follow=True)

    assert "There is nobody to repeat it for." in text_of(page)
    assert BulkRequest.objects.count() == 1


def test_a_worker_that_is_at_it_begins_no_more_after_a_cancellation(
    basket, admin_client, monkeypatch, settings
):
    settings.BASKET_DRAIN_SIZE = 1
    order(admin_client, UserProfileFactory.create_batch(3))
    drain = bulk.drained_members

    def cancelled_meanwhile(*arguments, **options):
        bulk.cancel(BulkRequest.objects.get(), actor=None)
        return drain(*arguments, **options)

    monkeypatch.setattr(bulk, "drained_members", cancelled_meanwhile)
    bulk.advance()

    assert BulkItem.objects.count() == 1


@pytest.mark.parametrize("state", [BulkRequest.State.FINISHED, BulkRequest.State.CANCELLED])
def test_a_request_that_is_over_cannot_be_cancelled(basket, admin_client, state):
    order(admin_client, [UserProfileFactory()])
    over = {"finished_at": "2020-01-01T00:00Z", "counts": {"done": 1}}
    BulkRequest.objects.update(state=state, **over)

    page = cancel(admin_client)

    assert "There was nothing to cancel." in text_of(page)
    assert BulkRequest.objects.get().state == state
    assert not Event.objects.filter(kind=Event.Kind.CANCELLED).exists()


def test_a_request_of_which_everybody_was_begun_cannot_be_cancelled(basket, admin_client):
    order(admin_client, [UserProfileFactory()])
    bulk.advance()

    page = cancel(admin_client)

    assert "There was nothing to cancel." in text_of(page)
    assert BulkRequest.objects.get().state == BulkRequest.State.RUNNING


def test_another_request_for_the_same_members_is_carried_out(basket, admin_client):
    profile = UserProfileFactory()
    drain_everything()
    order(admin_client, [profile], newsletters=[PHONE])
    order(admin_client, [profile], newsletters=["mozillians-nda"])

    cancel(admin_client)
    settle_everything()

    assert basket.person(profile.user.email).newsletters == {PHONE}
