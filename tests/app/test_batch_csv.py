"""A bulk request's items as CSV."""

import csv
from io import StringIO

import pytest

from mozillians_basket.admin import exports
from mozillians_basket.models import Batch, BatchItem
from tests.app.bulk import staff, url_of
from tests.factories import UserProfileFactory


@pytest.fixture
def batch(basket):
    return Batch.objects.create(action="subscribe", newsletters=["mozilla-phone"])


def item(batch, email="member@example.com", **fields):
    profile = UserProfileFactory(user__email=email)
    return BatchItem.objects.create(batch=batch, member=profile, **fields)


def rows(client, batch):
    answer = client.get(url_of("csv", batch))
    assert answer.streaming
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(StringIO(text)))


def test_it_holds_every_item_with_state_reason_code_and_when(batch, admin_client, monkeypatch):
    monkeypatch.setattr(exports, "CHUNK", 2)
    failed = item(
        batch,
        state="failed",
        reason="refused by Basket",
        error_code=2,
        finished_at="2026-01-02T03:04:05Z",
    )
    for number in range(4):
        item(batch, email=f"{number}@example.com")

    found = rows(admin_client, batch)

    assert len(found) == 5
    assert found[0] == {
        "member": str(failed.member_id),
        "state": "failed",
        "reason": "refused by Basket",
        "code": "2",
        "finished": "2026-01-02T03:04:05+00:00",
        "address": "member@example.com",
    }
    assert {row["state"] for row in found[1:]} == {"pending"}


def test_who_may_not_view_members_gets_no_addresses(batch):
    item(batch)

    (row,) = rows(staff("sync_members"), batch)

    assert "address" not in row
    assert "member@example.com" not in row.values()


@pytest.mark.parametrize("email", ["=1+1@example.com", "+x@example.com", "-x@example.com", "@x"])
def test_what_a_spreadsheet_would_take_for_a_formula_is_marked_as_text(batch, admin_client, email):
    item(batch, email=email)

    (row,) = rows(admin_client, batch)

    assert row["address"] == f"'{email}"


def test_a_member_who_is_gone_is_in_it_without_an_address(batch, admin_client):
    gone = item(batch, state="skipped", reason="no such member")
    key = gone.member_id
    gone.member.delete()

    (row,) = rows(admin_client, batch)

    assert (row["member"], row["address"]) == (str(key), "")


def test_items_of_other_requests_are_not_in_it(batch, admin_client):
    other = Batch.objects.create(action="subscribe", newsletters=["mozilla-phone"])
    item(other)

    assert rows(admin_client, batch) == []
