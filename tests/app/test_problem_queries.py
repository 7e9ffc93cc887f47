"""The lists of contacts use indexes on each database."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory

from mozillians_basket.admin.pages import at_address
from mozillians_basket.models import Contact, FailingContact, Subscription
from mozillians_basket.rules.rows import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(admin_user):
    """Build the page of problems for an admin's query."""

    def asked(**query):
        request = RequestFactory().get("/", query)
        request.user = admin_user
        return admin.site.get_model_admin(FailingContact).get_changelist_instance(request)

    return asked


@pytest.fixture
def contacts():
    """Contacts without problems, enough to make an index worthwhile."""
    return Contact.objects.bulk_create(
        Contact(email=f"{number}@example.com", key=f"{number}@example.com")
        for number in range(3000)
    )


def plan_of(rows):
    """Return the database's plan for a query, as if the tables were large."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


def test_list_uses_the_indexes_of_failing_contacts_and_refused_subscriptions(page, contacts):
    Subscription.objects.bulk_create(
        Subscription(contact=contact, newsletter="mozilla-phone", state=State.SUBSCRIBED)
        for contact in contacts
    )

    plan = plan_of(page().queryset)

    assert "basket_contact_failing" in plan
    assert "basket_subscription_state" in plan


def test_a_searched_address_is_found_by_the_index_on_addresses(contacts):
    plan = plan_of(at_address("fox@example.com"))

    assert "key" in plan.lower()
    assert "scan mozillians_basket_contact\n" not in plan.lower()


def test_the_spelling_of_an_address_does_not_matter():
    contact = Contact.objects.create(email="Fox@Example.com", key="fox@example.com")

    for address in ("fOX@eXAMPLE.com", " fox@example.com "):
        assert list(at_address(address)) == [contact]
