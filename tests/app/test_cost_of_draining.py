"""What draining costs does not grow with the number of members but by the chunk."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mozillians_basket import draining, ledger, tasks
from mozillians_basket.models import Touch
from tests.factories import UserProfileFactory, VouchFactory


def statements(number):
    voucher = UserProfileFactory()
    for profile in UserProfileFactory.create_batch(number):
        VouchFactory(vouchee=profile, voucher=voucher)
        profile.user.save()
    with CaptureQueriesContext(connection) as captured:
        while ledger.drain().touch_ids:
            pass
    return len(captured)


def test_draining_thirty_members_takes_as_many_statements_as_draining_four(db):
    assert statements(30) == statements(4)  # SQLite splits an INSERT of more parameters


@pytest.fixture
def user(db):
    user = UserProfileFactory().user
    Touch.objects.all().delete()
    return user


def test_a_refreshed_row_is_compared_without_a_query_more(user, django_assert_num_queries):
    user = User.objects.get(pk=user.pk)
    with django_assert_num_queries(1):
        user.refresh_from_db()
    with django_assert_num_queries(1):
        user.refresh_from_db(fields=["email"])


def test_saving_a_row_whose_address_was_not_read_asks_nothing_and_touches_nobody(
    user, django_assert_num_queries
):
    partial = User.objects.only("username").get(pk=user.pk)

    with django_assert_num_queries(1):
        partial.save()

    assert not Touch.objects.exists()


def test_an_address_set_on_a_row_that_had_not_read_it_is_a_change(user):
    partial = User.objects.only("username").get(pk=user.pk)
    partial.email = "moved@example.com"

    partial.save()

    assert Touch.objects.filter(source="auth.User").count() == 1


def test_a_message_about_touches_that_are_drained_here_already_asks_the_database_nothing(
    basket, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(draining, "_drained_here", {})
    vouch = VouchFactory()
    touches = list(Touch.objects.values_list("pk", flat=True))
    tasks.sync_touched(touches)

    with django_assert_num_queries(0):
        tasks.sync_touched(touches)

    assert set(basket.people) == {vouch.vouchee.user.email}


def test_only_the_latest_drained_touches_are_remembered(monkeypatch):
    monkeypatch.setattr(draining, "_drained_here", {})
    monkeypatch.setattr(draining, "REMEMBERED", 3)

    draining.remember([1, 2])
    draining.remember([3, 4, 5])

    assert draining.news(range(1, 7)) == [1, 2, 6]
