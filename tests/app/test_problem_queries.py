"""The lists of contacts go by indexes, whatever the database."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from mozillians_basket.admin.addresses import at_addresses
from mozillians_basket.models import Contact, Problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(admin_user):
    """The page of problems as an admin asks for it."""

    def asked(**query):
        request = RequestFactory().get("/", query)
        request.user = admin_user
        return admin.site.get_model_admin(Problem).get_changelist_instance(request)

    return asked


def plan_of(rows):
    """How the database would read these rows, were there many."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


def test_the_list_goes_by_the_index_of_what_fails(page):
    changelist = page()

    assert "basket_contact_failing" in plan_of(changelist.queryset.order_by("failing_since"))
    assert "basket_contact_failing" in plan_of(changelist.queryset)


@pytest.mark.parametrize("age", ["hour", "day", "week", "older"])
def test_an_age_is_a_part_of_that_index(page, age):
    assert "basket_contact_failing" in plan_of(page(since=age).queryset)


def test_an_address_is_found_by_the_indexes_on_addresses():
    plan = plan_of(at_addresses(Contact.objects.all(), ["fox@example.com", "fox@example.org"]))

    assert "basket_contact_email" in plan
    assert "basket_contact_wanted_email" in plan


def test_a_searched_address_is_found_so_too(page):
    addresses = [f"{number}@example.com" for number in range(3000)]
    Contact.objects.bulk_create(
        Contact(email=each, wanted_email=each, failing_since=timezone.now()) for each in addresses
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    plan = plan_of(page(q="fox@example.com").queryset)

    assert "basket_contact_email" in plan


def test_the_case_of_an_address_does_not_matter():
    contact = Contact.objects.create(email="Fox@Example.com", wanted_email="new@example.com")

    for address in ("fOX@eXAMPLE.com", "NEW@EXAMPLE.COM"):
        assert list(at_addresses(Contact.objects.all(), [address])) == [contact]
