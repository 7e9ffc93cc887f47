"""A bulk request's members as CSV."""

import csv
from io import StringIO

import pytest

from mozillians_basket.admin import lists
from mozillians_basket.models import BulkItem, BulkRequest
from tests.app.bulk import staff, url_of
from tests.app.steps import drain_everything
from tests.factories import UserProfileFactory


@pytest.fixture
def bulk_request(basket):
    return BulkRequest.objects.create(
        action="subscribe", newsletters=["mozilla-phone"], state=BulkRequest.State.RUNNING
    )


def item(bulk_request, email="member@example.com", **fields):
    profile = UserProfileFactory(user__email=email)
    drain_everything()
    return BulkItem.objects.create(request=bulk_request, member=profile, **fields)


def rows(client, bulk_request, **query):
    answer = client.get(url_of("csv", bulk_request), query)
    assert answer.streaming
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(StringIO(text)))


def test_it_holds_every_item_with_state_reason_and_when(bulk_request, admin_client, monkeypatch):
    monkeypatch.setattr(lists, "CHUNK", 2)
    failed = item(bulk_request, state="failed", reason="2", finished_at="2026-01-02T03:04:05Z")
    for number in range(4):
        item(bulk_request, email=f"{number}@example.com")

    found = rows(admin_client, bulk_request)

    assert len(found) == 5
    assert found[0] == {
        "member": str(failed.member_id),
        "state": "failed",
        "reason": "refused, code 2",
        "finished": "2026-01-02T03:04:05+00:00",
        "address": "member@example.com",
    }
    assert {row["state"] for row in found[1:]} == {"pending"}


def test_members_who_are_not_begun_are_in_it(bulk_request, admin_client, monkeypatch):
    monkeypatch.setattr(lists, "CHUNK", 2)
    first = item(bulk_request)
    others = UserProfileFactory.create_batch(3)
    drain_everything()
    keys = [first.member_id, *(profile.pk for profile in others)]
    BulkRequest.objects.update(keys=keys, total=4, position=1)

    found = rows(admin_client, bulk_request)

    assert [row["state"] for row in found] == ["pending", *["not begun"] * 3]
    assert {row["address"] for row in found[1:]} == {profile.user.email for profile in others}


@pytest.mark.parametrize(
    ("chosen", "states"),
    [
        ("done", ["done"]),
        ("failed", ["failed"]),
        ("skipped", ["skipped"]),
        ("waiting", ["pending", "not begun"]),
        ("cancelled", []),
        ("of no kind", ["done", "failed", "skipped", "pending", "not begun"]),
    ],
)
def test_one_list_is_downloaded_by_itself(bulk_request, admin_client, chosen, states):
    for number, state in enumerate(["done", "failed", "skipped", "pending"]):
        item(bulk_request, email=f"{number}@example.com", state=state)
    BulkRequest.objects.update(keys=[0, 0, 0, 0, UserProfileFactory().pk], total=5, position=4)

    assert [row["state"] for row in rows(admin_client, bulk_request, list=chosen)] == states


def test_members_left_out_are_downloaded_by_themselves(bulk_request, admin_client):
    item(bulk_request, state="done")
    left_out = UserProfileFactory()
    BulkRequest.objects.update(keys=[0, left_out.pk], total=2, position=1, state="cancelled")
    bulk_request.refresh_from_db()

    found = rows(admin_client, bulk_request, list="cancelled")

    assert [row["member"] for row in found] == [str(left_out.pk)]
    assert rows(admin_client, bulk_request, list="waiting") == []


@pytest.mark.parametrize("sight", ["view_userprofile", "export_addresses"])
def test_addresses_take_the_permissions_to_view_members_and_to_export(bulk_request, sight):
    item(bulk_request)

    (row,) = rows(staff("sync_members", sight), bulk_request)

    assert "address" not in row
    assert "member@example.com" not in row.values()


@pytest.mark.parametrize("email", ["=1+1@example.com", "+x@example.com", "-x@example.com"])
def test_text_that_a_spreadsheet_would_take_for_a_formula_is_marked(
    bulk_request, admin_client, email
):
    item(bulk_request, email=email)

    (row,) = rows(admin_client, bulk_request)

    assert row["address"] == f"'{email}"


def test_a_member_who_is_gone_is_in_it_without_an_address(bulk_request, admin_client):
    gone = item(bulk_request, state="skipped", reason="no such member")
    key = gone.member_id
    gone.member.delete()
    drain_everything()

    (row,) = rows(admin_client, bulk_request)

    assert (row["member"], row["address"]) == (str(key), "")


def test_items_of_other_requests_are_not_in_it(bulk_request, admin_client):
    other = BulkRequest.objects.create(action="subscribe", newsletters=["mozilla-phone"])
    item(other)

    assert rows(admin_client, bulk_request) == []
