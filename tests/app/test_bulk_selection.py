"""A bulk request concerns the members on the list at the time of the action."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.contrib import admin
from django.utils import timezone

from mozillians_basket import bulk, tasks
from mozillians_basket.models import BulkItem, BulkRequest
from project.people.admin import UserProfileAdmin
from project.people.models import UserProfile
from tests.app.bulk import confirm, member_admin, order, order_all, select, url_of
from tests.factories import UserFactory, UserProfileFactory, VouchFactory


def selected():
    """The keys of the members in the newest request."""
    return set(BulkRequest.objects.latest("pk").keys)


def keys(*profiles):
    return {profile.pk for profile in profiles}


def test_ticked_rows_are_these_rows(basket, admin_client):
    first, _second, third = UserProfileFactory.create_batch(3)

    select(admin_client, [first, third])

    assert selected() == keys(first, third)


@pytest.mark.parametrize(
    ("query", "across", "words"),
    [
        ("is_vouched__exact=1&country=BR", True, "is vouched, country: BR, 2 members"),
        ("is_vouched__exact=0", True, "is vouched: No, 1 member"),
        ("q=Ana", True, "search for “Ana”, 2 members"),
        ("", True, "all members of the list, 3 members"),
        ("country=BR", False, "ticked in the list, country: BR, 1 member"),
    ],
)
def test_selection_is_told_in_the_same_words_on_each_page(
    basket, admin_client, query, across, words
):
    voucher, vouchees = UserProfileFactory(country="CL"), {"full_name": "Ana", "country": "BR"}
    vouched = UserProfileFactory.create_batch(2, **vouchees)
    for vouchee in vouched:
        VouchFactory(voucher=voucher, vouchee=vouchee)

    select(admin_client, vouched[:1], query=query, across=across)
    request = BulkRequest.objects.latest("pk")
    asked = admin_client.get(url_of("confirm", request)).content.decode()
    confirm(admin_client)
    page = admin_client.get(url_of("change", request)).content.decode()
    listed = admin_client.get(url_of("changelist", None)).content.decode()

    assert [words in html for html in (asked, page, listed)] == [True] * 3


def test_a_ticked_row_that_is_not_on_the_list_is_not_selected(basket, admin_client):
    brazil, chile = UserProfileFactory(country="BR"), UserProfileFactory(country="CL")

    select(admin_client, [brazil, chile], query="country=BR")

    assert selected() == keys(brazil)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("country=BR", id="a filter"),
        pytest.param("q=Ana", id="a search"),
        pytest.param("q=Ana+Silva&country=BR", id="both"),
        pytest.param("q=Ana&o=-2&p=2", id="an order and a later page"),
        pytest.param("country__exact=BR&_facets=True", id="facets"),
        pytest.param("user__date_joined__year=2020&user__date_joined__month=5", id="a month"),
    ],
)
def test_all_across_pages_selects_the_members_on_the_list(basket, admin_client, monkeypatch, query):
    monkeypatch.setattr(UserProfileAdmin, "list_per_page", 2)
    model_admin = admin.site.get_model_admin(UserProfile)
    monkeypatch.setattr(model_admin, "date_hierarchy", "user__date_joined")
    may = datetime(2020, 5, 17, tzinfo=UTC)
    anas = [
        UserProfileFactory(full_name=name, country="BR", user__date_joined=may)
        for name in ("Ana Silva", "Ana Maria Silva", "Ana Silva Costa")
    ]
    UserProfileFactory.create_batch(3, full_name="Bea", country="CL")

    select(admin_client, anas[-1:], across=True, query=query)

    assert BulkRequest.objects.get().total == 3
    assert selected() == keys(*anas)


def test_member_listed_twice_is_selected_once(basket, admin_client, monkeypatch):
    everybody = UserProfileAdmin.get_queryset

    def with_vouchers(self, request):
        return everybody(self, request).filter(vouches_received__isnull=False)

    monkeypatch.setattr(UserProfileAdmin, "get_queryset", with_vouchers)
    profile = UserProfileFactory()
    VouchFactory.create_batch(2, vouchee=profile)

    select(admin_client, [profile], across=True)

    request = BulkRequest.objects.get()
    assert (request.keys, request.total) == ([profile.pk], 1)


def test_a_list_that_depends_on_the_session_is_selected_as_it_is_shown(
    basket, admin_client, monkeypatch
):
    everybody = UserProfileAdmin.get_queryset

    def of_the_session(self, request):
        return everybody(self, request).exclude(country=request.session.get("hidden", "BR"))

    monkeypatch.setattr(UserProfileAdmin, "get_queryset", of_the_session)
    chile = UserProfileFactory(country="CL")
    UserProfileFactory(country="BR")

    select(admin_client, [chile], across=True)

    assert selected() == keys(chile)


def test_members_who_join_the_list_later_are_not_reached(basket, admin_client):
    first = UserProfileFactory(country="BR")
    order_all(admin_client, [first], query="country=BR")
    UserProfileFactory(country="BR")

    tasks.sweep()

    assert set(BulkItem.objects.values_list("member_id", flat=True)) == keys(first)
    assert set(basket.people) == {first.user.email}


def test_members_who_leave_the_list_later_are_reached(basket, admin_client):
    profile = UserProfileFactory(country="BR")
    order_all(admin_client, [profile], query="country=BR")
    UserProfile.objects.update(country="CL")

    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}


def test_order_of_an_admin_who_is_gone_is_carried_out(basket):
    client = member_admin("sync_members")
    profile = UserProfileFactory()
    order(client, [profile])
    client.user.delete()

    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}


def test_drafts_that_nobody_confirms_are_deleted_after_a_day(basket, admin_client):
    now = timezone.now()
    for hours in (25, 23):
        select(admin_client, [UserProfileFactory()])
        made = now - timedelta(hours=hours)
        BulkRequest.objects.filter(pk=BulkRequest.objects.latest("pk").pk).update(created_at=made)

    select(admin_client, [UserProfileFactory()])

    assert BulkRequest.objects.filter(created_at__lt=now - timedelta(hours=24)).count() == 0
    assert BulkRequest.objects.count() == 2


def test_an_order_is_not_deleted_with_old_drafts(basket, admin_client):
    order(admin_client, [UserProfileFactory()])
    BulkRequest.objects.update(created_at=timezone.now() - timedelta(days=3))

    select(admin_client, [UserProfileFactory()])

    assert BulkRequest.objects.filter(state=BulkRequest.State.RUNNING).count() == 1


def test_a_user_without_a_profile_is_no_member(basket, admin_client):
    UserFactory()
    profile = UserProfileFactory()

    select(admin_client, [profile], across=True)

    assert selected() == keys(profile)


def test_keys_that_json_does_not_know_are_kept(db):
    key = UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")

    request = bulk.draft(BulkRequest.Action.SUBSCRIBE, [key], actor=None)

    assert BulkRequest.objects.get(pk=request.pk).keys == [str(key)]


def test_an_empty_list_selects_nobody(basket, admin_client):
    profile = UserProfileFactory(country="CL")

    select(admin_client, [profile], query="country=BR")
    page = confirm(admin_client)
    tasks.sweep()

    request = BulkRequest.objects.get()
    assert page.redirect_chain[-1][0] == url_of("change", request)
    assert (request.state, request.total) == (BulkRequest.State.FINISHED, 0)
