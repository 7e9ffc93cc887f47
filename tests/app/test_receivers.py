"""What the site's own requests pay: a small statement, a message, nothing for what is no change."""

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from waffle.models import Switch

from mozillians_basket import hints, sending
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Touch
from project.celery import app
from project.people.models import UserProfile, Vouch
from tests.factories import MembershipFactory, UserFactory, UserProfileFactory, VouchFactory


@pytest.fixture
def messages(monkeypatch, db):
    """The messages that the broker was handed, in place of a broker."""
    sent = []
    monkeypatch.setattr(
        hints, "send", lambda task, *args: sent.append((task.name.rpartition(".")[2], *args))
    )
    return sent


@pytest.fixture
def profile(db):
    """A member who was there before."""
    profile = UserProfileFactory()
    Touch.objects.all().delete()
    return profile


@pytest.fixture
def statements():
    """The statements on the app's own tables within a block."""
    return lambda: CaptureQueriesContext(connection)


def ours(captured):
    return [query["sql"] for query in captured if "mozillians_basket" in query["sql"]]


def test_a_vouch_is_one_insert_and_one_message(
    profile, messages, statements, django_capture_on_commit_callbacks
):
    voucher = UserProfileFactory()
    Touch.objects.all().delete()

    with django_capture_on_commit_callbacks(execute=True), statements() as captured:
        VouchFactory(vouchee=profile, voucher=voucher)

    assert [sql.split()[0] for sql in ours(captured)] == ["INSERT"]
    touch = Touch.objects.get()
    assert (touch.member_id, touch.source, touch.cause) == (profile.pk, "people.Vouch", "created")
    assert [name for name, _touches in messages] == ["sync_touched"]
    assert touch.pk in messages[0][1]


def test_a_changed_full_name_is_one_insert_at_most_and_no_message(
    profile, messages, statements, django_capture_on_commit_callbacks
):
    profile = UserProfile.objects.get(pk=profile.pk)
    profile.full_name = "Somebody"

    with django_capture_on_commit_callbacks(execute=True), statements() as captured:
        profile.save()

    assert len(ours(captured)) <= 1
    assert messages == []


def test_a_saved_user_without_a_change_of_address_is_no_message(
    profile, messages, statements, django_capture_on_commit_callbacks
):
    user = User.objects.get(pk=profile.user_id)
    user.first_name = "Somebody"

    with django_capture_on_commit_callbacks(execute=True), statements() as captured:
        user.save()

    assert len(ours(captured)) <= 1
    assert messages == []


def test_logging_in_costs_nothing(profile, messages, client, django_capture_on_commit_callbacks):
    with (
        django_capture_on_commit_callbacks(execute=True),
        CaptureQueriesContext(connection) as captured,
    ):
        client.force_login(profile.user)

    assert any("last_login" in query["sql"] for query in captured)
    assert ours(captured) == []
    assert messages == []


def test_loading_a_fixture_costs_nothing(profile, messages, django_capture_on_commit_callbacks):
    vouch = VouchFactory(vouchee=profile)
    fixture = serializers.serialize("json", [vouch, profile, profile.user])
    Vouch.objects.all().delete()
    Touch.objects.all().delete()

    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        for row in serializers.deserialize("json", fixture):
            row.save()

    assert Vouch.objects.exists()
    assert not Touch.objects.exists()
    assert callbacks == []


def test_a_changed_address_is_one_insert_with_the_old_address_and_one_message(
    profile, messages, statements, django_capture_on_commit_callbacks
):
    user = User.objects.get(pk=profile.user_id)
    old, user.email = user.email, "moved@example.com"

    with django_capture_on_commit_callbacks(execute=True), statements() as captured:
        user.save()

    assert [sql.split()[0] for sql in ours(captured)] == ["INSERT"]
    touch = Touch.objects.get()
    assert (touch.source, touch.source_key, touch.path) == ("auth.User", str(user.pk), "profile")
    assert touch.email == old
    assert [name for name, _touches in messages] == ["sync_touched"]
    assert touch.pk in messages[0][1]


def test_an_overwrite_with_what_was_read_long_ago_is_noted(profile, messages):
    stale = User.objects.get(pk=profile.user_id)
    User.objects.filter(pk=stale.pk).update(email="newer@example.com")

    stale.save()

    assert Touch.objects.filter(source="auth.User").exists()


def test_many_changes_in_one_transaction_are_one_message(
    messages, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        VouchFactory.create_batch(3)

    assert len(messages) == 1
    assert set(messages[0][1]) == set(Touch.objects.values_list("pk", flat=True))


def test_a_large_transaction_only_says_sweep(
    messages, settings, django_capture_on_commit_callbacks
):
    settings.BASKET_HINT_SIZE = 2

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        VouchFactory.create_batch(3)

    assert messages == [("sweep",)]


def test_touches_before_a_captured_block_do_not_swallow_its_message(
    profile, messages, django_capture_on_commit_callbacks
):
    VouchFactory(vouchee=profile)

    with django_capture_on_commit_callbacks(execute=True):
        MembershipFactory(profile=profile)

    assert len(messages) == 1


def test_a_deleted_user_leaves_the_address_of_the_member(profile, messages):
    email = profile.user.email

    profile.user.delete()

    touches = Touch.objects.filter(source="people.UserProfile", cause=Touch.Cause.DELETED)
    assert [touch.email for touch in touches] == [email]


def test_a_user_without_a_profile_is_nobody_s_change(db, messages):
    user = UserFactory()

    user.delete()

    assert not Touch.objects.filter(member__isnull=False).exists()


def test_reading_rows_with_deferred_fields_asks_nothing_more(profile, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert [user.username for user in User.objects.only("username")]


def test_turning_the_switch_on_wakes_the_sweeper(messages, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        switch = Switch.objects.create(name=SWITCH, active=False)
    off = list(messages)
    switch.active = True

    with django_capture_on_commit_callbacks(execute=True):
        switch.save()

    assert off == []
    assert messages == [("sweep",)]


def test_another_switch_wakes_nobody(messages, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        Switch.objects.create(name="another", active=True)

    assert messages == []


def test_a_broker_that_is_down_delays_no_request_twice(
    profile, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    attempts = []

    def refuse(*args, **kwargs):
        attempts.append(args)
        raise ConnectionRefusedError("somewhere secret")

    monkeypatch.setattr(sending, "_quiet_until", 0.0)
    monkeypatch.setattr(app.amqp, "send_task_message", refuse)

    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            VouchFactory(vouchee=profile)

    assert sending.flush(10)
    assert len(attempts) == 1
    assert Touch.objects.filter(source="people.Vouch").count() == 2
    assert "ConnectionRefusedError" in caplog.text
    assert "somewhere secret" not in caplog.text
