"""A database that is away for a moment: orders of other code are not lost."""

import pytest
from django.db import OperationalError, connection

from mozillians_basket import tasks
from tests.app.steps import held
from tests.factories import UserProfileFactory

OLD, NEW = "old@example.com", "new@example.com"


@pytest.fixture
def away_once():
    """Let the next INSERT of a contact fail."""
    left = [OperationalError("server closed the connection")]

    def execute(call, sql, params, many, context):
        if left and sql.startswith("INSERT") and '"mozillians_basket_contact"' in sql:
            raise left.pop()
        return call(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield left


def test_a_subscribe_is_tried_again(basket, away_once):
    profile = UserProfileFactory()

    tasks.subscribe_user_to_basket.apply((profile.pk, ["mozilla-phone"]), throw=False)

    assert away_once == []
    assert held(basket, profile.user.email) == {profile.user.email: {"mozilla-phone"}}


def test_an_unsubscribe_is_tried_again(basket, away_once):
    basket.put_person(OLD, newsletters=["mozilla-phone"])

    tasks.unsubscribe_from_basket_task.apply((OLD, ["mozilla-phone"]), throw=False)

    assert away_once == []
    assert held(basket, OLD) == {OLD: set()}


def test_an_update_of_an_address_is_tried_again(basket, away_once):
    basket.put_person(OLD, newsletters=["mozilla-phone"])

    tasks.update_email_in_basket.apply((OLD, NEW), throw=False)

    assert away_once == []
    assert held(basket, OLD, NEW) == {OLD: set(), NEW: {"mozilla-phone"}}
