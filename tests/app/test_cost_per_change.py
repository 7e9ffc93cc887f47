"""What one change costs, from the request to the settled contact: exact, lest it creep."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from celery import Task
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mozillians_basket import client, tasks
from project.groups.models import Membership
from project.people.models import UserProfile
from tests.factories import GroupFactory, MembershipFactory, UserProfileFactory, VouchFactory

#: What the names of the app's tables begin with. Waffle answers from its cache.
OURS = "mozillians_basket_"


@dataclass
class Cost:
    statements: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    calls: list[str] = field(default_factory=list)
    connections: int = 0


def either(*, postgresql, sqlite):
    """PostgreSQL takes several writes as one statement."""
    return postgresql if connection.vendor == "postgresql" else sqlite


@pytest.fixture
def cost(basket, commit, monkeypatch):
    """What happens from a request's first statement to the end of the last task it led to."""
    apply_async = Task.apply_async
    # Waffle, what is put together once per process and the way to Basket are warm from here on.
    tasks.sweep()
    client.look_up("nobody@example.com")

    @contextmanager
    def measured():
        found = Cost()
        basket.clear_requests()

        def counted(task, *args, **options):
            found.messages[task.name.rpartition(".")[2]] += 1
            return apply_async(task, *args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Task, "apply_async", counted)
            with CaptureQueriesContext(connection) as captured, commit():
                yield found
        found.statements = sum(OURS in query["sql"] for query in captured.captured_queries)
        found.calls = [request.endpoint for request in basket.requests]
        found.connections = sum(request.new_connection for request in basket.requests)

    return measured


@pytest.fixture
def profile(basket, commit):
    """A member whom the ledger knows and Basket does not."""
    with commit():
        return UserProfileFactory()


@pytest.fixture
def voucher(commit):
    with commit():
        return UserProfileFactory()


@pytest.fixture
def nda(commit):
    with commit():
        return GroupFactory(slug="nda")


def test_a_vouch(cost, profile, voucher):
    with cost() as spent:
        VouchFactory(vouchee=profile, voucher=voucher)

    assert spent.calls == ["lookup", "subscribe"]
    assert spent.connections == 0
    assert spent.messages == {"sync_touched": 1, "lookup_user_task": 1}
    assert spent.statements == either(postgresql=8, sqlite=15)


def test_a_vouch_of_somebody_who_is_vouched_for_already(cost, vouched, voucher):
    with cost() as spent:
        VouchFactory(vouchee=vouched, voucher=voucher)

    assert spent.calls == []
    assert spent.messages == {"sync_touched": 1}
    assert spent.statements == either(postgresql=3, sqlite=5)


def test_a_member_who_joins_the_nda_group(cost, vouched, nda):
    with cost() as spent:
        MembershipFactory(profile=vouched, group=nda, status=Membership.Status.MEMBER)

    assert spent.calls == ["lookup", "subscribe"]
    assert spent.messages.total() == 2
    assert spent.statements == either(postgresql=8, sqlite=16)


def test_the_last_vouch_taken_back(cost, vouched):
    with cost() as spent:
        vouched.vouches_received.get().delete()

    assert spent.calls == ["lookup", "unsubscribe"]
    assert spent.connections == 0
    assert spent.messages == {"sync_touched": 1, "lookup_user_task": 1}
    assert spent.statements == either(postgresql=9, sqlite=17)


def test_a_changed_address(cost, vouched):
    vouched.user.email = "moved@example.com"

    with cost() as spent:
        vouched.user.save()

    assert spent.calls == ["lookup", "lookup", "subscribe", "unsubscribe"]
    assert spent.connections == 0
    assert spent.messages.total() == 2
    assert spent.statements == either(postgresql=20, sqlite=27)


def test_a_deleted_member(cost, vouched):
    with cost() as spent:
        vouched.user.delete()

    assert spent.calls == ["lookup", "unsubscribe"]
    assert spent.connections == 0
    assert spent.messages.total() == 2
    assert spent.statements == either(postgresql=14, sqlite=21)


def test_a_save_of_what_does_not_matter_is_one_insert_and_no_message(cost, vouched):
    user = User.objects.get(pk=vouched.user.pk)
    user.first_name = "Another"

    with cost() as spent:
        user.save()

    assert (spent.calls, spent.messages, spent.statements) == ([], {}, 1)


def test_a_login(cost, vouched, client):
    with cost() as spent:
        client.force_login(vouched.user)

    assert (spent.calls, spent.messages, spent.statements) == ([], {}, 0)


def test_a_profile_saved_as_it_is(cost, vouched):
    profile = UserProfile.objects.get(pk=vouched.pk)

    with cost() as spent:
        profile.save()

    assert (spent.calls, spent.messages, spent.statements) == ([], {}, 1)


def test_many_vouches_in_one_transaction_cost_the_less_each(cost, basket, commit, voucher):
    with commit():
        profiles = UserProfileFactory.create_batch(20)

    with cost() as spent:
        for profile in profiles:
            VouchFactory(vouchee=profile, voucher=voucher)

    assert len(spent.calls) == 40
    assert spent.connections == 0
    assert spent.messages == {"sync_touched": 1, "lookup_user_task": 20}
    # One INSERT and the statements of its sync for each; draining is shared.
    assert spent.statements == either(postgresql=20 * 5 + 3, sqlite=20 * 9 + 6)
