"""The permissions to order, see, cancel and download bulk requests."""

import pytest
from django.db.models import F

from mozillians_basket.models import BulkRequest
from tests.app.bulk import (
    CHANGELIST,
    SUBSCRIBE,
    UNSUBSCRIBE,
    confirm,
    member_admin,
    order,
    select,
    staff,
    text_of,
    url_of,
)
from tests.factories import UserProfileFactory


@pytest.fixture
def bulk_request(basket, admin_client):
    """A request that somebody else ordered."""
    order(admin_client, [UserProfileFactory()])
    return BulkRequest.objects.get()


def test_the_permission_offers_the_actions(basket):
    client = member_admin("sync_members")
    UserProfileFactory()

    page = client.get(CHANGELIST)

    assert f'value="{SUBSCRIBE}"' in page.content.decode()
    assert f'value="{UNSUBSCRIBE}"' in page.content.decode()


def test_without_the_permission_the_actions_are_not_offered(basket):
    client = member_admin()
    UserProfileFactory()

    page = client.get(CHANGELIST)

    assert SUBSCRIBE not in page.content.decode()
    assert UNSUBSCRIBE not in page.content.decode()


@pytest.mark.parametrize("action", [SUBSCRIBE, UNSUBSCRIBE])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("index", [{}, {"index": "0"}])
def test_a_forged_action_is_refused(basket, action, across, index):
    client = member_admin("change_userprofile")
    fields = {"action": action, "_selected_action": [UserProfileFactory().pk], **index}

    answer = client.post(CHANGELIST, {**fields, "select_across": "1"} if across else fields)

    assert answer.status_code == 403
    assert not BulkRequest.objects.exists()


def test_the_permission_alone_shows_no_members_and_selects_none(basket):
    client = staff("sync_members")

    answer = select(client, [UserProfileFactory()])

    assert answer.status_code == 403
    assert not BulkRequest.objects.exists()


def test_only_the_admin_who_selected_may_confirm(basket, admin_client):
    select(admin_client, [UserProfileFactory()])
    draft = BulkRequest.objects.get()
    other = member_admin("sync_members")

    shown = other.get(url_of("confirm", draft))
    answer = confirm(other)

    assert (shown.status_code, answer.status_code) == (403, 403)
    draft.refresh_from_db()
    assert draft.state == BulkRequest.State.DRAFT


def test_admin_who_lost_the_permission_cannot_confirm_their_own_selection(basket):
    client = member_admin("sync_members")
    select(client, [UserProfileFactory()])
    client.user.user_permissions.clear()

    answer = confirm(client)

    assert answer.status_code == 403
    assert BulkRequest.objects.get().state == BulkRequest.State.DRAFT


def test_admin_who_lost_the_view_of_members_is_not_told_their_number(basket):
    client = member_admin("sync_members")
    select(client, [UserProfileFactory()], across=True)
    view = client.user.user_permissions.get(codename="view_userprofile")
    client.user.user_permissions.remove(view)

    answer = client.get(url_of("confirm", BulkRequest.objects.get()))

    assert answer.status_code == 403


@pytest.mark.parametrize("page", ["cancel", "retry"])
def test_a_forged_cancel_or_retry_is_refused(bulk_request, page):
    client = staff("view_bulkrequest", "view_userprofile")

    answer = client.post(url_of(page, bulk_request))

    assert answer.status_code == 403
    bulk_request.refresh_from_db()
    assert bulk_request.state == BulkRequest.State.RUNNING


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_download_needs_the_permission(bulk_request, method):
    client = staff("view_bulkrequest", "view_userprofile")

    answer = getattr(client, method)(url_of("csv", bulk_request))

    assert answer.status_code == 403


def test_request_is_shown_to_admins_who_may_order_or_view_it(bulk_request):
    answers = [
        client.get(url_of("change", bulk_request))
        for client in (staff("sync_members"), staff("view_bulkrequest"), staff())
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 403]


def test_admin_who_may_only_view_sees_no_buttons(bulk_request):
    text = text_of(staff("view_bulkrequest").get(url_of("change", bulk_request)))

    assert "Cancel what is not begun" not in text
    assert "Download as CSV" not in text


@pytest.mark.parametrize(("page", "status"), [("cancel", 200), ("retry", 405), ("repeat", 405)])
def test_a_link_cancels_and_retries_nothing(bulk_request, admin_client, page, status):
    BulkRequest.objects.update(total=F("position") + 1)
    answer = admin_client.get(url_of(page, bulk_request))

    assert answer.status_code == status
    assert BulkRequest.objects.get(pk=bulk_request.pk).state == bulk_request.state
    assert BulkRequest.objects.count() == 1


def test_visitor_who_is_no_admin_is_sent_to_the_login(bulk_request, client):
    answers = [client.get(url_of(page, bulk_request)) for page in ("confirm", "change", "csv")]

    assert all("/login/" in answer.url for answer in answers)


def test_drafts_are_in_no_list(basket, admin_client):
    select(admin_client, [UserProfileFactory()])
    draft = BulkRequest.objects.get()

    page = admin_client.get(url_of("change", draft))

    assert page.status_code == 404
