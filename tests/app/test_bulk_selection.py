"""Whom a bulk request reaches: the list as it was selected, collected a chunk at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.db import OperationalError
from django.utils import timezone

from mozillians_basket import ledger, tasks
from mozillians_basket.ledger import collecting
from mozillians_basket.models import Batch, BatchItem, Event
from project.people.admin import UserProfileAdmin
from project.people.models import UserProfile
from tests.app.bulk import confirm, member_admin, order, order_all, select, text_of, url_of
from tests.factories import UserFactory, UserProfileFactory


def collected(batch=None):
    """The keys of the members in a request, once they are collected."""
    while Batch.objects.filter(state=Batch.State.EXPANDING).exists():
        ledger.advance_batches()
    items = BatchItem.objects.filter(batch=batch or Batch.objects.latest("pk"))
    return set(items.values_list("member_id", flat=True))


def keys(*profiles):
    return {profile.pk for profile in profiles}


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(collecting, "CHUNK", 2)
    monkeypatch.setattr(collecting, "CHUNKS", 1)


def test_ticked_rows_are_these_rows(basket, admin_client):
    first, _second, third = UserProfileFactory.create_batch(3)

    order(admin_client, [first, third])

    assert collected() == keys(first, third)


def test_a_ticked_row_that_is_not_on_the_list_is_not_selected(basket, admin_client):
    brazil, chile = UserProfileFactory(country="BR"), UserProfileFactory(country="CL")

    select(admin_client, [brazil, chile], query="country=BR")
    confirm(admin_client)

    assert collected() == keys(brazil)


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
def test_all_across_pages_are_those_whom_the_list_shows(basket, admin_client, monkeypatch, query):
    monkeypatch.setattr(UserProfileAdmin, "list_per_page", 2)
    model_admin = admin.site.get_model_admin(UserProfile)
    monkeypatch.setattr(model_admin, "date_hierarchy", "user__date_joined")
    may = datetime(2020, 5, 17, tzinfo=UTC)
    anas = [
        UserProfileFactory(full_name=name, country="BR", user__date_joined=may)
        for name in ("Ana Silva", "Ana Maria Silva", "Ana Silva Costa")
    ]
    UserProfileFactory.create_batch(3, full_name="Bea", country="CL")

    order_all(admin_client, anas[-1:], query=query)

    assert Batch.objects.get().total == 3
    assert collected() == keys(*anas)


def test_members_are_collected_by_chunks(basket, admin_client, small_chunks):
    profiles = UserProfileFactory.create_batch(5)
    order_all(admin_client, profiles)

    assert collected() == keys(*profiles)
    assert Batch.objects.get().total == 5


def test_a_collection_goes_on_where_a_killed_worker_left_it(
    basket, admin_client, small_chunks, monkeypatch
):
    profiles = UserProfileFactory.create_batch(6)
    order_all(admin_client, profiles)
    batch = Batch.objects.get()
    collecting.collect_some(batch)
    with monkeypatch.context() as patch:
        patch.setattr(Batch, "save", raise_operational_error)  # after the items, before the mark
        with pytest.raises(OperationalError):
            collecting.collect_some(batch)
    after_crash = BatchItem.objects.count()

    assert after_crash == 2
    assert collected() == keys(*profiles)
    assert BatchItem.objects.count() == 6


def raise_operational_error(*_arguments, **_options):
    raise OperationalError


def test_the_first_members_are_worked_on_while_others_are_collected(
    basket, admin_client, small_chunks
):
    profiles = UserProfileFactory.create_batch(5)
    order_all(admin_client, profiles)

    ledger.advance_batches()
    ledger.advance_batches()

    assert Batch.objects.get().state == Batch.State.EXPANDING
    assert BatchItem.objects.filter(contact__isnull=False).count() == 2


def test_what_was_selected_is_forgotten_once_it_is_collected(basket, admin_client):
    order_all(admin_client, [UserProfileFactory(full_name="Ana")], query="q=Ana")
    collected()

    assert Batch.objects.get().selection == {}


def end_of(batch):
    while ledger.advance_batches():
        pass
    batch.refresh_from_db()
    event = Event.objects.get(kind=Event.Kind.CANCELLED, contact__isnull=True)
    return batch.state, event.outcome, batch.finished_at is not None


@pytest.mark.parametrize("across", [False, True])
def test_an_order_whose_admin_is_gone_is_cancelled(basket, admin_client, across):
    client = member_admin("sync_members")
    select(client, [UserProfileFactory()], across=across)
    confirm(client)
    batch = Batch.objects.get()
    client.user.delete()

    assert end_of(batch) == (Batch.State.CANCELLED, "no admin", True)
    page = text_of(admin_client.get(url_of("change", batch)))
    assert "The admin who ordered it is gone or not active any more." in page
    assert basket.people == {}


@pytest.mark.parametrize("lost", ["sync_members", "view_userprofile"])
def test_an_order_whose_admin_lost_a_permission_is_cancelled(basket, lost):
    client = member_admin("sync_members")
    select(client, [UserProfileFactory()], across=True)
    confirm(client)
    client.user.user_permissions.remove(client.user.user_permissions.get(codename=lost))

    assert end_of(Batch.objects.get()) == (Batch.State.CANCELLED, "no permission", True)


def test_an_order_whose_list_is_not_there_any_more_is_cancelled(basket, admin_client):
    order_all(admin_client, [UserProfileFactory(country="BR")], query="country=BR")
    batch = Batch.objects.get()
    batch.selection["query"] = "no_such_field=1"
    batch.save()

    assert end_of(batch) == (Batch.State.CANCELLED, "no list", True)


def test_an_order_whose_list_breaks_half_way_leaves_no_one_half_done(
    basket, admin_client, small_chunks
):
    order_all(admin_client, UserProfileFactory.create_batch(5))
    batch = Batch.objects.get()
    collecting.collect_some(batch)
    batch.refresh_from_db()
    batch.selection["model"] = "people.Vouch"
    batch.selection["query"] = "nonsense=1"
    batch.save()

    assert end_of(batch) == (Batch.State.CANCELLED, "no list", True)
    assert set(BatchItem.objects.values_list("state", flat=True)) == {"cancelled"}
    assert Batch.objects.get().counts == {"cancelled": 2}


def test_a_broken_order_does_not_hold_up_the_others(basket, admin_client):
    order_all(admin_client, [UserProfileFactory()])
    Batch.objects.update(selection={"site": "gone", "model": "people.UserProfile", "query": ""})
    profile = UserProfileFactory()
    order(admin_client, [profile])

    tasks.sweep()

    assert basket.person(profile.user.email).newsletters == {"mozilla-phone"}


def test_a_list_that_needs_more_than_its_address_cannot_be_selected_as_a_whole(
    basket, admin_client, monkeypatch
):
    everybody = UserProfileAdmin.get_queryset

    def of_the_session(self, request):
        return everybody(self, request).exclude(country=request.session.get("hidden", "BR"))

    monkeypatch.setattr(UserProfileAdmin, "get_queryset", of_the_session)
    profile = UserProfileFactory(country="CL")

    refused = select(admin_client, [profile], across=True, follow=True)
    drafted = select(admin_client, [profile])

    assert "this list depends on more than its URL" in text_of(refused)
    assert drafted.url == url_of("confirm", Batch.objects.get())


def test_a_list_that_the_worker_would_build_otherwise_cannot_be_selected_as_a_whole(
    basket, admin_client, monkeypatch
):
    everybody = UserProfileAdmin.get_queryset

    def of_the_host(self, request):
        rows = everybody(self, request)
        return rows.filter(country="BR") if request.META.get("HTTP_HOST") else rows

    monkeypatch.setattr(UserProfileAdmin, "get_queryset", of_the_host)
    brazil = UserProfileFactory(country="BR")
    UserProfileFactory(country="CL")

    page = select(admin_client, [brazil], across=True, follow=True, headers={"host": "localhost"})

    assert "this list depends on more than its URL" in text_of(page)
    assert not Batch.objects.exists()


def test_a_list_of_as_many_but_other_members_is_another_list(basket, admin_client, monkeypatch):
    everybody = UserProfileAdmin.get_queryset

    def of_the_host(self, request):
        country = "BR" if request.META.get("HTTP_HOST") else "CL"
        return everybody(self, request).filter(country=country)

    monkeypatch.setattr(UserProfileAdmin, "get_queryset", of_the_host)
    brazil = UserProfileFactory(country="BR")
    UserProfileFactory(country="CL")

    page = select(admin_client, [brazil], across=True, follow=True, headers={"host": "localhost"})

    assert "this list depends on more than its URL" in text_of(page)
    assert not Batch.objects.exists()


def test_drafts_that_nobody_confirms_are_forgotten_after_a_day(basket, admin_client):
    now = timezone.now()
    for hours in (23, 25):
        select(admin_client, [UserProfileFactory()])
        made = now - timedelta(hours=hours)
        Batch.objects.filter(pk=Batch.objects.latest("pk").pk).update(created_at=made)

    ledger.advance_batches()

    assert [batch.created_at for batch in Batch.objects.all()] == [now - timedelta(hours=23)]


def test_a_user_without_a_profile_is_no_member(basket, admin_client):
    UserFactory()
    profile = UserProfileFactory()

    order_all(admin_client, [profile])

    assert collected() == keys(profile)
