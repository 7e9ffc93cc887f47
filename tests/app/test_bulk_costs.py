"""The cost of bulk requests: the number of statements does not grow with the members."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mozillians_basket import bulk
from mozillians_basket.admin import confirmation
from mozillians_basket.models import BulkItem, BulkRequest, Decision, Member, Status
from tests.app.bulk import CHANGELIST, UNSUBSCRIBE, confirm, order, select, url_of
from tests.app.steps import drain_everything
from tests.factories import UserProfileFactory, VouchFactory


def statements(work):
    """Count statements, but for those on waffle's switch, whose cache lasts a second."""
    with CaptureQueriesContext(connection) as captured:
        work()
    return sum("waffle" not in query["sql"] for query in captured)


def begin(number, action=BulkRequest.Action.SUBSCRIBE, prepare=list):
    """Return the number of statements that begin the orders of ``number`` members."""
    profiles = UserProfileFactory.create_batch(number)
    prepare(profiles)
    drain_everything()
    request = bulk.draft(action, [profile.pk for profile in profiles], actor=None)
    bulk.confirm(request, ["mozilla-phone", "mozillians-nda"])
    cost = statements(bulk.advance)
    assert BulkItem.objects.filter(request=request).count() == number
    BulkItem.objects.all().delete()
    BulkRequest.objects.all().delete()
    return cost


def vouch(profiles):
    for profile in profiles:
        VouchFactory(vouchee=profile)


@pytest.mark.parametrize("action", BulkRequest.Action.values)
@pytest.mark.parametrize(
    "prepare", [pytest.param(list, id="without decisions"), pytest.param(vouch, id="with some")]
)
def test_beginning_thirty_orders_takes_as_many_statements_as_four(db, action, prepare):
    assert begin(30, action, prepare) == begin(4, action, prepare)


def test_cost_of_members_unknown_to_the_ledger_does_not_grow_with_their_number(db):
    def forget(_profiles):
        drain_everything()
        Decision.objects.all().delete()
        Member.objects.all().delete()

    assert begin(30, prepare=forget) == begin(4, prepare=forget)


def test_a_sweep_pays_one_query_when_there_is_no_request(db, django_assert_num_queries):
    with django_assert_num_queries(1):
        bulk.advance()


def test_the_keys_are_read_once_for_all_transactions(db, settings):
    settings.BASKET_DRAIN_SIZE = 2
    profiles = UserProfileFactory.create_batch(8)
    drain_everything()
    request = bulk.draft(BulkRequest.Action.SUBSCRIBE, [p.pk for p in profiles], actor=None)
    bulk.confirm(request, ["mozilla-phone"])

    with CaptureQueriesContext(connection) as captured:
        bulk.advance()

    reads = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
    assert BulkItem.objects.count() == 8
    assert sum('"mozillians_basket_bulkrequest"."keys"' in sql for sql in reads) == 1


def test_the_member_list_costs_no_query_per_row(basket, admin_client):
    costs = []
    for number in (2, 18):
        UserProfileFactory.create_batch(number)
        costs.append(statements(lambda: admin_client.get(CHANGELIST)))

    assert costs[0] == costs[1]


@pytest.fixture
def members(basket):
    profiles = UserProfileFactory.create_batch(30)
    drain_everything()
    return profiles


def own_statements(work):
    """Return the statements on the app's and the members' tables, without session, log and such."""
    with CaptureQueriesContext(connection) as captured:
        work()
    return [
        query["sql"]
        for query in captured
        if "mozillians_basket_" in query["sql"] or "people_" in query["sql"]
    ]


def test_selecting_costs_the_same_whatever_the_number(members, admin_client):
    three = own_statements(lambda: select(admin_client, members[:3]))
    all_ = own_statements(lambda: select(admin_client, members[:1], across=True))

    # Two counts of the list, the keys, the old drafts, the draft.
    assert (len(three), len(all_)) == (5, 5)


def test_the_preview_costs_as_many_queries_whatever_the_number(members, admin_client):
    Status.read()
    for across in (False, True):
        select(admin_client, members[:2], across=across)
        url = url_of("confirm", BulkRequest.objects.latest("pk"))
        cache.clear()

        first = own_statements(lambda url=url: admin_client.get(url))
        again = own_statements(lambda url=url: admin_client.get(url))

        # The draft, its keys, the breaker before the catalogue is fetched, the members, the members
        # of two policies, the ledger for two newsletters, and two of the banner.
        assert (len(first), len(again)) == (10, 9)


def test_preview_counts_in_chunks_that_a_database_takes(members, admin_client, monkeypatch):
    drain_everything()
    now = timezone.now()
    Member.objects.filter(site_member__in=members[:20:3]).update(opted_out_at=now)
    select(admin_client, members[::3])
    url = url_of("confirm", BulkRequest.objects.get())
    whole = admin_client.get(url).context["preview"]

    monkeypatch.setattr(confirmation, "CHUNK", 3)
    chunked = admin_client.get(url).context["preview"]

    assert chunked == whole
    assert whole.selected == 10
    assert {prospect.opted_out for prospect in whole.by_newsletter.values()} == {7}


def test_preview_of_all_members_is_counted_at_once(members, admin_client, monkeypatch):
    select(admin_client, members, across=True)
    url = url_of("confirm", BulkRequest.objects.get())
    admin_client.get(url)  # the catalogue is kept from here on
    at_once = own_statements(lambda: admin_client.get(url))

    monkeypatch.setattr(confirmation, "CHUNK", 7)

    assert own_statements(lambda: admin_client.get(url)) == at_once


def test_the_order_costs_the_same_whatever_the_number(members, admin_client):
    for across in (False, True):
        select(admin_client, members[:1], across=across)
        url = url_of("confirm", BulkRequest.objects.latest("pk"))
        fields = {"newsletters": ["mozilla-phone"]}
        admin_client.get(url)  # keeps the newsletters' titles for the next page
        drain_everything()

        cost = own_statements(lambda url=url, fields=fields: admin_client.post(url, fields))

        assert len(cost) == 5  # the draft, touches, its change, the request, the history


def test_a_request_s_page_costs_the_same_whatever_the_number(members, admin_client):
    Status.read()
    for profiles in (members[:2], members):
        order(admin_client, profiles, UNSUBSCRIBE)
        request = BulkRequest.objects.latest("pk")
        page = url_of("change", request)
        bulk.advance()

        shown = own_statements(lambda page=page: admin_client.get(page))
        BulkItem.objects.update(state="failed", reason="2")
        failed = own_statements(lambda page=page: admin_client.get(page))

        # The request, its items, the reasons to wait, failing contacts, earlier requests, and two
        # of the banner.
        assert len(shown) == 7
        # Nobody waits; the failed items of one page, their members and addresses.
        assert len(failed) == 7
        assert not any('"keys"' in sql for sql in [*shown, *failed])


def test_the_list_of_requests_costs_no_query_per_row(members, admin_client):
    url = reverse("admin:mozillians_basket_bulkrequest_changelist")
    costs = []
    for number in (2, 5):
        for profile in members[:number]:
            order(admin_client, [profile])
        costs.append(statements(lambda: admin_client.get(url)))

    assert costs[0] == costs[1]


def test_the_list_of_requests_counts_no_items_of_finished_ones(members, admin_client):
    order(admin_client, members)
    over = {"finished_at": "2020-01-01T00:00Z", "counts": {"done": 30}, "state": "finished"}
    BulkRequest.objects.update(**over)

    with CaptureQueriesContext(connection) as captured:
        page = admin_client.get(reverse("admin:mozillians_basket_bulkrequest_changelist"))

    assert not [query for query in captured if "bulkitem" in query["sql"].lower()]
    assert "30 of 30" in page.content.decode()


def test_confirming_begins_nothing_in_the_request(members, admin_client):
    select(admin_client, members, across=True)
    confirm(admin_client)

    assert not BulkItem.objects.exists()
