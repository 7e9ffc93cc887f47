"""What bulk requests cost: statements that do not grow with the members."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mozillians_basket import ledger
from mozillians_basket.ledger import collecting
from mozillians_basket.models import Batch, BatchItem, Contact, Pulse
from tests.app.bulk import CHANGELIST, UNSUBSCRIBE, confirm, order, order_all, select, url_of
from tests.factories import UserProfileFactory, VouchFactory


def statements(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def work_off(number, action=Batch.Action.SUBSCRIBE, prepare=list):
    """How many statements it takes to decide on so many members."""
    profiles = UserProfileFactory.create_batch(number)
    prepare(profiles)
    while ledger.drain().touch_ids:
        pass
    keys = [profile.pk for profile in profiles]
    batch = ledger.create_batch(action, ["mozilla-phone", "mozillians-nda"], keys, actor=None)
    cost = statements(lambda: ledger.work_off_batches(number))
    started = BatchItem.objects.filter(batch=batch, contact__isnull=False).count()
    assert started == number
    Batch.objects.all().delete()
    Contact.objects.all().delete()
    return cost


def vouch(profiles):
    for profile in profiles:
        VouchFactory(vouchee=profile)


@pytest.mark.parametrize("action", Batch.Action.values)
@pytest.mark.parametrize(
    "prepare", [pytest.param(list, id="without lines"), pytest.param(vouch, id="with lines")]
)
def test_deciding_on_thirty_members_takes_as_many_statements_as_on_four(db, action, prepare):
    assert work_off(30, action, prepare) == work_off(4, action, prepare)


def test_members_without_a_row_get_theirs_in_as_many_statements(db):
    def forget(_profiles):
        while ledger.drain().touch_ids:
            pass
        Contact.objects.all().delete()

    assert work_off(30, prepare=forget) == work_off(4, prepare=forget)


def test_a_collected_chunk_costs_the_same_whatever_its_size(basket, admin_client, monkeypatch):
    monkeypatch.setattr(collecting, "CHUNKS", 1)
    costs = []
    for number in (3, 30):
        profiles = UserProfileFactory.create_batch(number)
        order_all(admin_client, profiles)
        batch = Batch.objects.latest("pk")
        costs.append(statements(lambda batch=batch: collecting.collect_some(batch)))

    assert costs[0] == costs[1]


def test_taking_back_costs_the_same_whatever_the_number(db):
    costs = []
    for number in (3, 30):
        profiles = UserProfileFactory.create_batch(number)
        while ledger.drain().touch_ids:
            pass
        keys = [profile.pk for profile in profiles]
        batch = ledger.create_batch("subscribe", ["mozilla-phone"], keys, actor=None)
        ledger.work_off_batches(number)
        ledger.cancel_batch(batch)
        costs.append(statements(ledger.advance_batches))
        batch.delete()

    assert costs[0] == costs[1]


def test_a_sweep_pays_one_query_when_there_is_no_request(db, django_assert_num_queries):
    with django_assert_num_queries(1):
        ledger.advance_batches()


def test_the_member_list_costs_no_query_per_row(basket, admin_client):
    costs = []
    for number in (2, 18):
        UserProfileFactory.create_batch(number)
        costs.append(statements(lambda: admin_client.get(CHANGELIST)))

    assert costs[0] == costs[1]


@pytest.fixture
def members(basket):
    return UserProfileFactory.create_batch(30)


def own_statements(work):
    """Statements on the app's tables and the members': without the session, the log and such."""
    with CaptureQueriesContext(connection) as captured:
        work()
    return [
        query["sql"]
        for query in captured
        if "mozillians_basket_" in query["sql"] or "people_" in query["sql"]
    ]


def test_selecting_costs_a_few_counts_whatever_the_number(members, admin_client):
    three = own_statements(lambda: select(admin_client, members[:3]))
    all_ = own_statements(lambda: select(admin_client, members[:1], across=True))

    assert len(three) == 4  # two counts of the list, the ticked keys, the draft
    assert len(all_) == 4  # a third count instead of the keys
    assert sum("COUNT(*)" in sql for sql in all_) == 3


def test_the_page_that_asks_costs_as_many_queries_whatever_the_number(members, admin_client):
    Pulse.now()
    for across in (False, True):
        select(admin_client, members[:2], across=across)
        url = url_of("confirm", Batch.objects.latest("pk"))
        cache.clear()

        first = own_statements(lambda url=url: admin_client.get(url))
        again = own_statements(lambda url=url: admin_client.get(url))

        # The draft, the breaker before the catalogue is asked for, the members, those of two
        # policies, lines, the banner.
        assert (len(first), len(again)) == (7, 6)
        assert not any("LIMIT 100" in sql for sql in first)


def test_the_order_costs_the_same_whatever_the_number(members, admin_client):
    for across in (False, True):
        select(admin_client, members[:1], across=across)
        url = url_of("confirm", Batch.objects.latest("pk"))
        fields = {"newsletters": ["mozilla-phone"]}

        cost = own_statements(lambda url=url, fields=fields: admin_client.post(url, fields))

        assert len(cost) == 4  # the draft, its change, the request, the history


def test_a_batch_s_page_and_its_numbers_cost_the_same_whatever_the_number(members, admin_client):
    Pulse.now()
    for profiles in (members[:2], members):
        order(admin_client, profiles, UNSUBSCRIBE)
        batch = Batch.objects.latest("pk")
        page, numbers = url_of("change", batch), url_of("progress", batch)
        while ledger.advance_batches():
            pass

        shown = own_statements(lambda page=page: admin_client.get(page))
        polled = own_statements(lambda numbers=numbers: admin_client.get(numbers))
        BatchItem.objects.update(state="failed", reason="refused by Basket", error_code=2)
        failed = own_statements(lambda page=page: admin_client.get(page))

        assert len(shown) == 3  # the request, its items, the banner
        assert len(polled) == 2
        assert len(failed) == 5  # the failed items of one page, and their members


def test_the_list_of_batches_costs_no_query_per_row(members, admin_client):
    url = reverse("admin:mozillians_basket_batch_changelist")
    costs = []
    for number in (2, 5):
        for profile in members[:number]:
            order(admin_client, [profile])
        costs.append(statements(lambda: admin_client.get(url)))

    assert costs[0] == costs[1]


def test_the_list_of_batches_counts_no_items_of_finished_ones(members, admin_client):
    order(admin_client, members)
    Batch.objects.update(finished_at="2020-01-01T00:00Z", counts={"done": 30}, state="finished")

    with CaptureQueriesContext(connection) as captured:
        page = admin_client.get(reverse("admin:mozillians_basket_batch_changelist"))

    assert not [query for query in captured if "batchitem" in query["sql"].lower()]
    assert "30 of 30" in page.content.decode()


def test_confirming_does_not_collect_in_the_request(members, admin_client):
    select(admin_client, members, across=True)
    confirm(admin_client)

    assert not BatchItem.objects.exists()
