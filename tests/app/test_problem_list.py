"""The list of problems in the admin: its contents, words, filters and search."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mozillians_basket.admin import lists
from mozillians_basket.models import Contact, Member, Subscription
from tests.app.steps import contact_of, drain_everything, queries
from tests.factories import UserProfileFactory, VouchFactory

LIST = reverse("admin:mozillians_basket_failingcontact_changelist")


def page_of(client, **query):
    response = client.get(LIST, query)
    assert response.status_code == 200
    return response.content.decode()


def failing(name="Red Fox", *, ago=timedelta(minutes=5), **fields):
    """Create a vouched member whose contact has a problem."""
    profile = VouchFactory(vouchee__full_name=name, vouchee__user__email=f"{name}@example.com")
    drain_everything()
    begun = timezone.now() - ago
    fields = {"problem": "unavailable", "failing_since": begun, "attempts": 3, **fields}
    Contact.objects.filter(members__site_member=profile.vouchee).update(**fields)
    return profile.vouchee


def without(name, state, code=""):
    """Create a vouched member whose newsletter Basket refuses or has lost."""
    profile = failing(name, problem="", failing_since=None, attempts=0)
    Subscription.objects.create(
        contact=contact_of(profile), newsletter="mozilla-phone", state=state, error_code=code
    )
    return profile


def test_without_a_problem_all_is_well(vouched, admin_client):
    assert "All is well: nothing fails, is parked or refused." in page_of(admin_client)


def test_list_with_only_dismissed_problems_says_so(switch_on, admin_client):
    failing("fox", problem="2", dismissed_at=timezone.now())
    failing("hare", problem="2", dismissed_at=timezone.now())

    page = page_of(admin_client)

    assert "Nothing is left to do: 2 problems are dismissed." in page
    assert '<a href="?dismissed=yes">Look at what is dismissed</a>' in page
    assert "All is well" not in page
    assert "dismissed." not in page_of(admin_client, error="unexpected")


def test_a_problem_is_told_in_plain_words(switch_on, admin_client):
    waits = timezone.now() + timedelta(hours=1)
    profile = failing("fox", problem="2", not_before=waits)

    page = page_of(admin_client)

    assert "Basket says the address is invalid. (refused, code 2)" in page
    assert f'<a href="/admin/people/userprofile/{profile.pk}/change/">fox</a>' in page
    assert "fox@example.com" in page
    assert ">mozilla-phone<" in page
    assert f"/admin/mozillians_basket/failingcontact/{contact_of(profile).pk}/change/" in page
    assert "All is well" not in page


def test_admin_who_may_not_view_members_sees_no_names_or_addresses(client_with):
    profile = failing("fox")

    page = page_of(client_with("view_failingcontact"))

    assert "fox@example.com" not in page
    assert ">fox<" not in page
    assert "f***x@e***.com" in page
    assert f"member {profile.pk}" in page


def test_problem_of_a_deleted_member_says_so(basket, admin_client, commit, vouched):
    basket.fail("lookup", status=503)
    with commit():
        vouched.delete()

    assert "nobody any more: deleted, or another address" in page_of(admin_client)


WEEK = timedelta(weeks=1)

#: The names on the list by the filters in its address.
FILTERS = [
    ({}, {"waits", "parked", "address", "blocked", "person", "old", "lost"}),
    ({"waits": "retry"}, {"waits", "old"}),
    ({"waits": "parked"}, {"parked"}),
    ({"waits": "address"}, {"address", "blocked"}),
    ({"waits": "refused"}, {"person", "lost"}),
    ({"error": "rate limit"}, {"waits"}),
    ({"error": "refused"}, {"address", "blocked", "person"}),
    ({"error": "missing at Basket"}, {"lost"}),
    (
        {"newsletter": "mozilla-phone"},
        {"waits", "parked", "address", "blocked", "person", "old", "lost"},
    ),
    ({"newsletter": "mozillians-nda"}, set()),
    ({"since": "hour"}, {"waits", "address"}),
    ({"since": "day"}, {"waits", "address", "parked"}),
    ({"since": "week"}, {"waits", "address", "parked"}),
    ({"since": "older"}, {"old"}),
    ({"since": "older", "waits": "parked"}, set()),
    ({"dismissed": "yes"}, {"aside"}),
    (
        {"dismissed": "any"},
        {"waits", "parked", "address", "blocked", "person", "old", "lost", "aside"},
    ),
    ({"error": "of no kind"}, {"waits", "parked", "address", "blocked", "person", "old", "lost"}),
]


def test_the_filters(switch_on, admin_client, subtests):
    now = timezone.now()
    names = {"waits", "parked", "address", "blocked", "person", "old", "lost", "aside"}
    failing("waits", problem="rate limit")
    failing("parked", parked=True, ago=timedelta(hours=5))
    failing("address", problem="2", parked=True)
    without("blocked", "refused", "blocked domain")
    without("person", "refused", "11")
    without("lost", "missing at Basket")
    failing("old", ago=2 * WEEK)
    failing("aside", dismissed_at=now)

    for query, shown in FILTERS:
        with subtests.test(query=query):
            page = page_of(admin_client, **query)

            assert {name for name in names if f">{name}</a>" in page} == shown
            assert ("No problem is among" in page) == (not shown)


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        pytest.param("FOX@Example.com", {"fox"}, id="address"),
        pytest.param("fo", {"fox"}, id="name"),
        pytest.param("ox@example.com", set(), id="part of an address"),
        pytest.param("nobody", set(), id="nobody"),
        pytest.param("9" * 50, set(), id="no possible key"),
        pytest.param("  ", {"fox", "whale"}, id="nothing"),
    ],
)
def test_searching_by_member_and_address(admin_client, term, shown):
    failing("fox")
    failing("whale")

    page = page_of(admin_client, q=term)

    assert {name for name in ("fox", "whale") if f">{name}</a>" in page} == shown


def test_searching_by_the_member_s_key(client_with):
    fox, whale = failing("fox"), failing("whale")

    page = page_of(client_with("view_failingcontact"), q=str(fox.pk))

    assert f"member {fox.pk}<" in page
    assert f"member {whale.pk}<" not in page


@pytest.mark.parametrize("term", ["fox@example.com", "fox"])
def test_admin_who_may_not_see_addresses_cannot_search_by_them(client_with, term):
    failing("fox")

    assert "No problem is among" in page_of(client_with("view_failingcontact"), q=term)


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
    assert page.count('class="field-member_and_address"') == 11


def test_the_column_and_the_filter_agree_on_the_newsletters_concerned(vouched, admin_client):
    contact = contact_of(vouched)
    Contact.objects.update(problem="unavailable", failing_since=timezone.now())
    found = {}
    for state in Subscription.STATES:
        Subscription.objects.update_or_create(
            contact=contact, newsletter="mozillians-nda", defaults={"state": state}
        )
        in_column = "mozilla-phone and mozillians-nda" in page_of(admin_client)
        in_filter = "No problem is among" not in page_of(admin_client, newsletter="mozillians-nda")
        found[state] = in_column, in_filter

    assert all(in_column == in_filter for in_column, in_filter in found.values())
    assert found["refused"][0]
    assert not found["unsubscribed"][0]


def test_a_contact_that_two_members_share_names_both(switch_on, admin_client):
    fox = failing("fox")
    hare = UserProfileFactory(full_name="hare")
    Member.objects.create(site_member=hare, contact=contact_of(fox))

    page = page_of(admin_client)

    both = re.search(r">(\w+)</a>, <a [^>]+>(\w+)</a>", page)
    assert both is not None
    assert set(both.groups()) == {"fox", "hare"}
    assert page.count('class="field-member_and_address"') == 1


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("refused", "blocked domain", "it is blocked there. (refused, no token)"),
        ("missing at Basket", "", "Basket does not know this person any more"),
    ],
)
def test_a_subscription_that_basket_refuses_or_lost_is_a_problem(
    switch_on, admin_client, state, code, words
):
    profile = without("fox", state, code)
    page = reverse("admin:mozillians_basket_failingcontact_change", args=[contact_of(profile).pk])

    assert words in page_of(admin_client)
    assert words in admin_client.get(page).content.decode()


def test_a_problem_s_page_explains_it(switch_on, admin_client):
    profile = failing("fox", problem="2")
    url = reverse("admin:mozillians_basket_failingcontact_change", args=[contact_of(profile).pk])

    page = admin_client.get(url).content.decode()

    assert "Basket says the address is invalid. (refused, code 2)" in page
    assert "mozilla-phone, which they should get: Reason: vouched members, since " in page
    assert "<h2>fox</h2>" in page
    assert f'href="/admin/people/userprofile/{profile.pk}/change/#basket"' in page
    assert 'value="retry"' in page
    assert 'value="dismiss"' in page


def test_a_problem_s_page_has_no_buttons_without_the_permission(client_with):
    url = reverse("admin:mozillians_basket_failingcontact_change", args=[contact_of(failing()).pk])

    page = client_with("view_failingcontact").get(url).content.decode()

    assert "Basket fails" in page
    assert 'value="retry"' not in page


def test_the_page_of_a_problem_that_is_over_leads_to_the_list(vouched, admin_client):
    url = reverse("admin:mozillians_basket_failingcontact_change", args=[contact_of(vouched).pk])

    response = admin_client.get(url, follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    assert "This problem is over." in response.content.decode()


def test_a_contact_s_page_is_that_of_its_member(switch_on, admin_client):
    profile = failing("fox")
    contact = contact_of(profile)
    Subscription.objects.create(contact=contact, newsletter="mozilla-phone", state="unsubscribed")
    UserProfileFactory()

    response = admin_client.get(
        reverse("admin:mozillians_basket_contact_change", args=[contact.pk]), follow=True
    )
    page = response.content.decode()
    listed = admin_client.get(
        reverse("admin:mozillians_basket_contact_changelist"),
        {"subscription": "unsubscribed mozilla-phone", "error": "unavailable"},
    ).content.decode()

    assert response.redirect_chain == [(f"/admin/people/userprofile/{profile.pk}/basket/", 302)]
    assert f'href="/admin/mozillians_basket/failingcontact/{contact.pk}/change/"' in page
    assert "Basket fails: it gave no usable answer. (unavailable)" in page
    assert f'<a href="/admin/people/userprofile/{profile.pk}/change/">fox</a>' in listed
    assert listed.count('class="field-settled_at') == 1


def test_contact_without_a_member_has_a_page_of_its_own(admin_client, db):
    contact = Contact.objects.create(email="fox@example.com", key="fox@example.com")

    url = reverse("admin:mozillians_basket_contact_change", args=[contact.pk])
    page = admin_client.get(url).content.decode()

    assert "1970" not in page
    assert "<dt>Last lookup that Basket answered</dt><dd>never</dd>" in page
    assert "nobody any more: deleted, or another address" in page


def test_a_search_that_finds_very_many_is_not_counted_to_its_end(
    admin_client, switch_on, monkeypatch
):
    monkeypatch.setattr(lists, "COUNTED", 2)
    for number in range(4):
        failing(f"fox{number}")

    contacts = reverse("admin:mozillians_basket_contact_changelist")
    searched = admin_client.get(contacts, {"q": "fox"}).context["cl"]
    listed = admin_client.get(contacts).context["cl"]

    assert (searched.result_count, searched.paginator.capped) == (2, True)
    assert listed.result_count == Contact.objects.count() > 4
