"""The list of problems in the admin: what is in it, in which words, and how it is searched."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mozillians_basket.admin.filters import CONCERNED, is_concerned
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.states import State
from tests.app.steps import contact_of, drain_everything, queries
from tests.factories import UserProfileFactory, VouchFactory

LIST = reverse("admin:mozillians_basket_problem_changelist")


def page_of(client, **query):
    response = client.get(LIST, query)
    assert response.status_code == 200
    return response.content.decode()


def failing(name="Red Fox", *, ago=timedelta(minutes=5), **fields):
    """A vouched member whose contact has a problem."""
    profile = VouchFactory(vouchee__full_name=name, vouchee__user__email=f"{name}@example.com")
    drain_everything()
    begun = timezone.now() - ago
    fields = {"error": "unavailable", "failing_since": begun, "attempts": 3, **fields}
    Contact.objects.filter(member=profile.vouchee).update(**fields)
    return profile.vouchee


def test_without_a_problem_all_is_well(vouched, admin_client):
    assert "All is well: nothing fails, is parked or refused." in page_of(admin_client)


def test_where_all_problems_are_put_aside_not_all_is_well(switch_on, admin_client):
    failing("fox", error="refused", dismissed_at=timezone.now())
    failing("hare", error="refused", dismissed_at=timezone.now())

    page = page_of(admin_client)

    assert "Nothing is left to do: 2 problems are put aside." in page
    assert '<a href="?dismissed=yes">Look at what is put aside</a>' in page
    assert "All is well" not in page
    assert "put aside." not in page_of(admin_client, error="unexpected")


def test_a_problem_is_told_in_plain_words(switch_on, admin_client):
    waits = timezone.now() + timedelta(hours=1)
    profile = failing("fox", error="refused", error_code=2, not_before=waits)

    page = page_of(admin_client)

    assert "Basket says the address is invalid. (refused, code 2)" in page
    assert f'<a href="/admin/people/userprofile/{profile.pk}/change/">fox</a>' in page
    assert "fox@example.com" in page
    assert ">mozilla-phone<" in page
    assert f"/admin/mozillians_basket/problem/{contact_of(profile).pk}/change/" in page
    assert "All is well" not in page


def test_who_may_not_view_members_sees_neither_names_nor_addresses(client_with):
    profile = failing("fox")

    page = page_of(client_with("view_problem"))

    assert "fox@example.com" not in page
    assert ">fox<" not in page
    assert "f***x@e***.com" in page
    assert f"member {profile.pk}" in page


def test_what_a_deleted_member_left_is_told_so(basket, admin_client, commit, vouched):
    basket.fail("lookup", status=503)
    with commit():
        vouched.delete()

    assert "nobody any more: deleted, or another address" in page_of(admin_client)


WEEK = timedelta(weeks=1)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"waits", "parked", "address", "blocked", "old"}),
        ({"waits": "retry"}, {"waits", "old"}),
        ({"waits": "parked"}, {"parked"}),
        ({"waits": "address"}, {"address"}),
        ({"waits": "refused"}, {"blocked"}),
        ({"error": "rate limit"}, {"waits"}),
        ({"error": "refused"}, {"address", "blocked"}),
        ({"newsletter": "mozilla-phone"}, {"waits", "parked", "address", "blocked", "old"}),
        ({"newsletter": "mozillians-nda"}, set()),
        ({"since": "hour"}, {"waits", "address", "blocked"}),
        ({"since": "day"}, {"waits", "address", "blocked", "parked"}),
        ({"since": "week"}, {"waits", "address", "blocked", "parked"}),
        ({"since": "older"}, {"old"}),
        ({"since": "older", "waits": "parked"}, set()),
        ({"dismissed": "yes"}, {"aside"}),
        ({"dismissed": "any"}, {"waits", "parked", "address", "blocked", "old", "aside"}),
        ({"error": "of no kind"}, {"waits", "parked", "address", "blocked", "old"}),
    ],
)
def test_the_filters(switch_on, admin_client, query, shown):
    now = timezone.now()
    names = {"waits", "parked", "address", "blocked", "old", "aside"}
    failing("waits", error="rate limit", error_code=5)
    failing("parked", parked_at=now, ago=timedelta(hours=5))
    failing("address", error="refused", error_code=2)
    failing("blocked", error="refused", error_code=-1)
    failing("old", ago=2 * WEEK)
    failing("aside", dismissed_at=now)

    page = page_of(admin_client, **query)

    assert {name for name in names if f">{name}</a>" in page} == shown
    assert ("No problem is among" in page) == (not shown)


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        pytest.param("FOX@Example.com", {"fox"}, id="address"),
        pytest.param("new@example.com", {"whale"}, id="new address"),
        pytest.param("fo", {"fox"}, id="name"),
        pytest.param("ox@example.com", set(), id="part of an address"),
        pytest.param("nobody", set(), id="nobody"),
        pytest.param("9" * 50, set(), id="no possible key"),
        pytest.param("  ", {"fox", "whale"}, id="nothing"),
    ],
)
def test_searching_by_member_and_address(admin_client, term, shown):
    failing("fox")
    failing("whale", wanted_email="new@example.com")

    page = page_of(admin_client, q=term)

    assert {name for name in ("fox", "whale") if f">{name}</a>" in page} == shown


def test_searching_by_the_member_s_key(client_with):
    fox, whale = failing("fox"), failing("whale")

    page = page_of(client_with("view_problem"), q=str(fox.pk))

    assert f"member {fox.pk}<" in page
    assert f"member {whale.pk}<" not in page


@pytest.mark.parametrize("term", ["fox@example.com", "fox"])
def test_who_may_not_see_addresses_cannot_find_by_them(client_with, term):
    failing("fox")

    assert "No problem is among" in page_of(client_with("view_problem"), q=term)


def test_a_longer_list_takes_no_more_queries(admin_client):
    failing("fox")
    page_of(admin_client)
    with CaptureQueriesContext(connection) as short:
        page_of(admin_client)
        page_of(admin_client, q="example", newsletter="mozilla-phone")
    for number in range(10):
        failing(f"fox{number}")

    with CaptureQueriesContext(connection) as long:
        page = page_of(admin_client)
        page_of(admin_client, q="example", newsletter="mozilla-phone")

    assert len(queries(long)) == len(queries(short))
    assert page.count('class="field-attempts"') == 11


def test_the_page_and_the_filter_agree_on_what_is_concerned(vouched):
    contact = contact_of(vouched)
    lines = [
        Subscription(contact=contact, newsletter=f"{state}-{wanted}", state=state, wanted=wanted)
        for state in State
        for wanted in (True, False)
    ]
    Subscription.objects.bulk_create(lines)

    found = set(Subscription.objects.filter(CONCERNED & ~Q(newsletter="mozilla-phone")))

    assert found == {line for line in lines if is_concerned(line)}
    assert 0 < len(found) < len(lines)


def test_a_problem_s_page_explains_it(switch_on, admin_client):
    profile = failing("fox", error="refused", error_code=2)
    url = reverse("admin:mozillians_basket_problem_change", args=[contact_of(profile).pk])

    page = admin_client.get(url).content.decode()

    assert "Basket says the address is invalid. (refused, code 2)" in page
    assert "mozilla-phone: Since " in page
    assert "<h2>fox</h2>" in page
    assert f'href="/admin/people/userprofile/{profile.pk}/change/#basket"' in page
    assert 'value="retry"' in page
    assert 'value="dismiss"' in page


def test_a_problem_s_page_has_no_buttons_without_the_permission(client_with):
    url = reverse("admin:mozillians_basket_problem_change", args=[contact_of(failing()).pk])

    page = client_with("view_problem").get(url).content.decode()

    assert "Basket is broken" in page
    assert 'value="retry"' not in page


def test_the_page_of_a_problem_that_is_over_leads_to_the_list(vouched, admin_client):
    url = reverse("admin:mozillians_basket_problem_change", args=[contact_of(vouched).pk])

    response = admin_client.get(url, follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    assert "This problem is over." in response.content.decode()


def test_the_ledger_s_pages_lead_to_member_and_problem(switch_on, admin_client):
    profile = failing("fox")
    contact = contact_of(profile)
    UserProfileFactory()

    page = admin_client.get(
        reverse("admin:mozillians_basket_contact_change", args=[contact.pk])
    ).content.decode()
    listed = admin_client.get(
        reverse("admin:mozillians_basket_contact_changelist"),
        {"newsletter": "mozilla-phone", "state": "unknown", "error": "unavailable"},
    ).content.decode()

    assert f'href="/admin/people/userprofile/{profile.pk}/change/#basket"' in page
    assert f'href="/admin/mozillians_basket/problem/{contact.pk}/change/"' in page
    assert "Basket is broken: it gave no usable answer. (unavailable)" in page
    assert "<h2>fox</h2>" in page
    assert f'<a href="/admin/people/userprofile/{profile.pk}/change/">fox</a>' in listed


def test_whom_basket_was_never_asked_about_is_not_said_to_be_verified_long_ago(admin_client, db):
    contact = Contact.objects.create(member=UserProfileFactory())

    url = reverse("admin:mozillians_basket_contact_change", args=[contact.pk])
    page = admin_client.get(url).content.decode()

    assert "1970" not in page
    assert '<div class="readonly">never</div>' in page
