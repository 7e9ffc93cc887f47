"""A history of millions: pages are read from indexes, without counting or reading all rows."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mozillians_basket.admin import history, lists
from mozillians_basket.admin.history import EventAdmin, values_in_use
from mozillians_basket.models import BulkRequest, Contact, Event
from tests.factories import UserFactory, UserProfileFactory

HISTORY = reverse("admin:mozillians_basket_event_changelist")
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
NEWEST_FIRST = ("-created_at", "-pk")


@pytest.fixture
def events(db):
    """Forty events, a minute apart; the odd ones differ in a column without an index."""
    now = timezone.now()
    Event.objects.bulk_create(
        Event(
            kind="subscribed",
            newsletters=["mozillians-nda" if number % 2 else "mozilla-phone"],
            cause="odd" if number % 2 else "even",
            outcome="odd" if number % 2 else "even",
            created_at=now - timedelta(minutes=number),
        )
        for number in range(40)
    )
    return list(Event.objects.order_by(*NEWEST_FIRST))


def get(client, query=""):
    page = client.get(HISTORY + query)
    assert page.status_code == 200
    return page.context["cl"], page.content.decode()


def test_counting_stops_and_older_events_are_reached_by_their_date(
    admin_client, events, monkeypatch
):
    monkeypatch.setattr(lists, "COUNTED", 30)
    monkeypatch.setattr(EventAdmin, "list_per_page", 20)

    changelist, html = get(admin_client, "?p=2")
    older, older_html = get(admin_client, changelist.older)

    assert changelist.result_count == 30
    assert "More than 30 events" in html
    assert list(changelist.result_list) == events[20:30]
    assert list(older.result_list) == events[29:]
    assert "11 events" in older_html
    assert older.older == ""


@pytest.mark.parametrize("query", ["newsletter=mozillians-nda", "cause=odd", "outcome=odd"])
def test_search_without_an_index_looks_through_a_limited_time_at_once(
    admin_client, events, monkeypatch, query
):
    monkeypatch.setattr(history, "LOOKED_THROUGH", 10)

    changelist, html = get(admin_client, f"?{query}")
    older, _html = get(admin_client, changelist.older)

    assert "Looked back to" in html
    assert list(changelist.result_list) == events[1:10:2]
    assert list(older.result_list) == events[11:20:2]


def test_the_number_of_queries_does_not_grow_with_the_rows(admin_client, events):
    def queries():
        with CaptureQueriesContext(connection) as counted:
            get(admin_client)
        # waffle keeps the switch for a second
        return sum("waffle" not in query["sql"] for query in counted.captured_queries)

    admin = get_user_model().objects.get(username="admin")
    request = BulkRequest.objects.create(action="subscribe")

    def add(number):
        for _ in range(number):
            profile = UserProfileFactory()
            Event.objects.create(
                kind="decided", member=profile, actor=admin, bulk_request=request, task_id="x"
            )

    add(20)
    get(admin_client)
    few = queries()
    add(15)

    assert queries() == few <= 15


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "basket_event_newest"),
        ({"created_at__gte": JANUARY, "created_at__lt": FEBRUARY}, "basket_event_newest"),
        ({"kind": "parked"}, "basket_event_kind"),
        ({"kind": "parked", "created_at__lt": FEBRUARY}, "basket_event_kind"),
        ({"actor": 1}, "basket_event_actor"),
        ({"bulk_request": 1}, "basket_event_bulk_request"),
        ({"contact": 1}, "basket_event_of_contact"),
        ({"member": 1}, "basket_event_of_member"),
    ],
)
def test_a_page_is_read_off_an_index(db, filters, index):
    contacts = Contact.objects.bulk_create(Contact(key=f"{number}@e.org") for number in range(20))
    Event.objects.bulk_create(Event(kind="decided", contact=contact) for contact in contacts * 20)
    rows = Event.objects.filter(**filters).order_by(*NEWEST_FIRST)[:100]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE mozillians_basket_event")
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")

    plan = rows.explain()

    assert index in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan


def test_the_values_of_a_column_are_stepped_through(db, django_assert_num_queries):
    users = UserFactory.create_batch(3)
    Event.objects.bulk_create(
        Event(kind="decided", actor=user) for user in [*users * 5, None, None]
    )
    acted = Event.objects.filter(actor__isnull=False)

    with django_assert_num_queries(4):
        found = values_in_use(acted, "actor_id", 20)

    assert found == sorted(user.pk for user in users)
    assert values_in_use(acted, "actor_id", 2) == found[:2]


def test_known_address_or_key_is_not_looked_for_among_the_sites_names(vouched, admin_client):
    for text in (vouched.user.email, str(vouched.pk)):
        with CaptureQueriesContext(connection) as queries:
            page = admin_client.get(HISTORY, {"q": text})

        assert page.context["cl"].result_count > 0
        assert not [query for query in queries if '"full_name" = ' in query["sql"]]
