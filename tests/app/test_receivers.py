"""The cost of a save to the site's own request: one small statement and one message."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.db import connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext
from waffle.models import Switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Touch
from mozillians_basket.receivers import Watch, touch_deleted, touch_saved, watches
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.site import BasketSite, Policy, Trigger
from project.groups.models import Membership
from project.people.models import UserProfile, Vouch
from tests.brokers import Broker, Commit
from tests.factories import (
    GroupFactory,
    MembershipFactory,
    UserFactory,
    UserProfileFactory,
    VouchFactory,
)

pytestmark = pytest.mark.django_db

#: A character that is left out when a domain is written in punycode.
SELECTOR = "\N{VARIATION SELECTOR-16}"


@pytest.fixture
def profile(broker: Broker) -> UserProfile:
    """An existing member, without touches."""
    profile = UserProfileFactory.create()
    Touch.objects.all().delete()
    return UserProfile.objects.get(pk=profile.pk)


def statements_on_tables(captured: CaptureQueriesContext) -> list[str]:
    """Return the first words of the statements on the app's own tables."""
    queries = [query["sql"] for query in captured.captured_queries]
    return [sql.split()[0] for sql in queries if "mozillians_basket" in sql]


def test_vouch_is_one_insert_and_one_message(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    voucher = UserProfileFactory.create()
    Touch.objects.all().delete()

    with commit(), CaptureQueriesContext(connection) as captured:
        VouchFactory.create(vouchee=profile, voucher=voucher)

    assert statements_on_tables(captured) == ["INSERT"]
    touch = Touch.objects.get()
    assert (touch.member_id, touch.source, touch.cause) == (profile.pk, "people.Vouch", "created")
    ((name, oldest),) = broker.messages
    assert name == "lookup_users_task"
    assert oldest <= touch.pk


def test_changed_full_name_is_noted_without_a_message(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    profile.full_name = "Somebody"

    with commit(), CaptureQueriesContext(connection) as captured:
        profile.save()

    assert statements_on_tables(captured) == ["INSERT"]
    assert broker.messages == []


def test_user_saved_with_the_same_address_is_noted_without_a_message(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    user = User.objects.get(pk=profile.user_id)
    user.first_name = "Somebody"

    with commit(), CaptureQueriesContext(connection) as captured:
        user.save()

    assert statements_on_tables(captured) == ["INSERT"]
    assert broker.messages == []


def test_login_costs_nothing(
    profile: UserProfile, broker: Broker, commit: Commit, client: Any
) -> None:
    with commit(), CaptureQueriesContext(connection) as captured:
        client.force_login(profile.user)

    assert any("last_login" in query["sql"] for query in captured.captured_queries)
    assert statements_on_tables(captured) == []
    assert broker.messages == []


def test_loaded_fixture_costs_nothing(profile: UserProfile, commit: Commit) -> None:
    vouch = VouchFactory.create(vouchee=profile)
    fixture = serializers.serialize("json", [vouch, profile, profile.user])
    Vouch.objects.all().delete()
    Touch.objects.all().delete()

    with commit() as callbacks:
        for row in serializers.deserialize("json", fixture):
            row.save()

    assert Vouch.objects.exists()
    assert not Touch.objects.exists()
    assert callbacks == []


def test_changed_address_is_one_insert_with_the_old_address_and_one_message(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    user = User.objects.get(pk=profile.user_id)
    old, user.email = user.email, "moved@example.com"

    with commit(), CaptureQueriesContext(connection) as captured:
        user.save()

    assert statements_on_tables(captured) == ["INSERT"]
    touch = Touch.objects.get()
    assert (touch.source, touch.source_key, touch.path) == ("auth.User", str(user.pk), "profile")
    assert touch.email == old
    ((name, oldest),) = broker.messages
    assert name == "lookup_users_task"
    assert oldest <= touch.pk


@pytest.mark.parametrize(
    "old",
    [
        pytest.param("x" * 245 + "@example.com", id="too long"),
        pytest.param(f"x@{SELECTOR * 250}example.com", id="too long as written"),
        pytest.param("nobody", id="no address"),
        pytest.param("\ud800@example.com", id="no text"),
        pytest.param("a\0b@example.com", id="null character"),
        pytest.param(None, id="none"),
        pytest.param(Concat(Value("a"), F("email")), id="expression"),
    ],
)
def test_old_address_that_basket_could_not_take_is_left_out(profile: UserProfile, old: Any) -> None:
    user = User(pk=profile.user_id, username=profile.user.username, email=old)
    user.email = "moved@example.com"

    user.save()

    touch = Touch.objects.get()
    assert (touch.source, touch.email) == ("auth.User", "")


def test_old_address_is_noted_without_surrounding_white_space(profile: UserProfile) -> None:
    user = User(pk=profile.user_id, username=profile.user.username, email=" old@example.com\n")
    user.email = "moved@example.com"

    user.save()

    assert Touch.objects.get().email == "old@example.com"


def test_overwrite_with_values_read_long_ago_is_noted(profile: UserProfile) -> None:
    stale = User.objects.get(pk=profile.user_id)
    User.objects.filter(pk=stale.pk).update(email="newer@example.com")

    stale.save()

    assert Touch.objects.filter(source="auth.User").exists()


def test_address_changed_before_the_first_save_is_no_old_address(broker: Broker) -> None:
    user = User(username="somebody", email="draft@example.com")
    user.email = "first@example.com"

    user.save()

    assert Touch.objects.get().email == ""


def test_second_save_of_a_changed_row_is_no_second_message(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    user = User.objects.get(pk=profile.user_id)
    user.email = "moved@example.com"
    user.save()

    with commit():
        user.save()

    assert broker.messages == []


def test_every_save_is_a_message_where_all_fields_matter(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    vouch = VouchFactory.create(vouchee=profile)
    Touch.objects.all().delete()

    with commit():
        vouch.save()

    ((_name, oldest),) = broker.messages
    assert oldest <= Touch.objects.get().pk


def test_row_that_goes_to_another_member_touches_both(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    vouch = VouchFactory.create(vouchee=profile)
    other = UserProfileFactory.create()
    Touch.objects.all().delete()
    vouch.vouchee = other

    with commit():
        vouch.save()

    touches = Touch.objects.filter(source="people.Vouch")
    assert {touch.member_id for touch in touches} == {profile.pk, other.pk}
    ((_name, oldest),) = broker.messages
    assert oldest <= min(touch.pk for touch in touches)


@pytest.mark.parametrize("former", ["no key", 10**30])
def test_former_key_that_no_column_can_hold_is_left_out(
    profile: UserProfile, caplog: pytest.LogCaptureFixture, former: Any
) -> None:
    group = GroupFactory.create()
    stored = MembershipFactory.create(profile=profile, group=group)
    Touch.objects.all().delete()
    membership = Membership(pk=stored.pk, profile_id=former, group=group, status="member")
    membership.profile_id = profile.pk

    membership.save()

    assert [touch.member_id for touch in Touch.objects.all()] == [profile.pk]
    assert "groups.Membership cannot be noted (member)" in caplog.text


def test_many_changes_in_one_transaction_are_one_message(broker: Broker, commit: Commit) -> None:
    with commit(), transaction.atomic():
        VouchFactory.create_batch(3)

    oldest = Touch.objects.order_by("pk").values_list("pk", flat=True)[0]
    assert broker.messages == [("lookup_users_task", oldest)]


def test_transaction_with_more_touches_than_a_drain_takes_is_drained_whole(
    basket: SandboxServer, commit: Commit, settings: Any
) -> None:
    settings.BASKET_DRAIN_SIZE = 2

    with commit():
        VouchFactory.create_batch(3)

    assert not Touch.objects.exists()
    assert len(basket.people) == 3


def test_touches_before_a_captured_block_do_not_swallow_its_message(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    VouchFactory.create(vouchee=profile)

    with commit():
        membership = MembershipFactory.create(profile=profile)

    touch = Touch.objects.get(source="groups.Membership", member=membership.profile)
    ((name, oldest),) = broker.messages
    assert name == "lookup_users_task"
    assert oldest <= touch.pk


def test_deleted_user_leaves_the_address_of_the_member(profile: UserProfile) -> None:
    email = profile.user.email

    profile.user.delete()

    touches = Touch.objects.filter(source="people.UserProfile", cause=Touch.Cause.DELETED)
    assert [touch.email for touch in touches] == [email]


def test_deleted_row_touches_its_member(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    membership = MembershipFactory.create(profile=profile)
    Touch.objects.all().delete()

    with commit():
        membership.delete()

    touch = Touch.objects.get()
    assert (touch.member_id, touch.cause) == (profile.pk, "deleted")
    ((name, oldest),) = broker.messages
    assert name == "lookup_users_task"
    assert oldest <= touch.pk


def test_user_without_a_profile_touches_no_member(broker: Broker) -> None:
    user = UserFactory.create()

    user.delete()

    assert not Touch.objects.filter(member__isnull=False).exists()


def test_reading_deferred_fields_makes_no_further_query(
    profile: UserProfile, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert [user.username for user in User.objects.only("username")]


def test_switch_turned_on_wakes_the_sweeper(broker: Broker, commit: Commit) -> None:
    with commit():
        switch = Switch.objects.create(name=SWITCH, active=False)
    off = list(broker.messages)
    switch.active = True

    with commit():
        switch.save()

    assert off == []
    assert broker.messages == [("sweep",)]


def test_another_switch_wakes_nothing(broker: Broker, commit: Commit) -> None:
    with commit():
        Switch.objects.create(name="another", active=True)

    assert broker.messages == []


def test_save_does_not_wait_for_a_hanging_broker(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    broker.running.clear()

    with commit():
        VouchFactory.create(vouchee=profile)

    assert broker.taken == []
    assert Touch.objects.filter(source="people.Vouch").exists()


def test_save_does_not_fail_because_of_the_broker(
    profile: UserProfile, broker: Broker, commit: Commit
) -> None:
    broker.error = ConnectionRefusedError()

    for _ in range(2):
        with commit():
            VouchFactory.create(vouchee=profile)
        assert broker.messages == []

    assert broker.asked == 1
    assert Touch.objects.filter(source="people.Vouch").count() == 2


class Vouchers(BasketSite):
    email = "user__email"
    policies = (Policy("mozilla-phone", Q(user_id__gt=0)),)
    triggers: tuple[Trigger, ...] = (
        Trigger("people.Vouch", member="voucher"),
        Trigger("groups.Group", member="memberships__profile"),
    )


def watch_of(site: BasketSite, model: type[Any]) -> Watch:
    """Find the watch of a model."""
    return next(each for each in watches(site) if each.model is model)


def test_foreign_key_that_a_policy_names_by_its_column_is_watched() -> None:
    class ByColumn(Vouchers):
        email = "full_name"

    assert {"user", "user_id"} <= watch_of(ByColumn(), UserProfile).names


def test_path_beyond_a_member_is_left_to_the_worker(broker: Broker, settings: Any) -> None:
    class Beyond(Vouchers):
        triggers = (Trigger("people.Vouch", member="vouchee__user__profile"),)

    vouch = VouchFactory.create()
    Touch.objects.all().delete()

    touch_saved(
        watch=watch_of(Beyond(), Vouch), instance=vouch, created=True, raw=False, update_fields=None
    )

    assert Touch.objects.get().path == "vouchee__user__profile"


def test_row_without_a_member_is_no_touch(broker: Broker, settings: Any) -> None:
    vouch = VouchFactory.create(voucher=None)
    Touch.objects.all().delete()
    settings.BASKET_SITE = f"{__name__}.Vouchers"
    watch = watch_of(Vouchers(), Vouch)

    touch_saved(watch=watch, instance=vouch, created=True, raw=False, update_fields=None)

    assert not Touch.objects.exists()


def test_deleted_row_at_the_end_of_a_path_touches_its_members(
    broker: Broker, settings: Any
) -> None:
    group = GroupFactory.create()
    profiles = [MembershipFactory.create(group=group).profile for _ in range(2)]
    Touch.objects.all().delete()
    settings.BASKET_SITE = f"{__name__}.Vouchers"
    watch = watch_of(Vouchers(), type(group))

    touch_deleted(watch=watch, instance=group, using="default")

    assert {touch.member_id for touch in Touch.objects.all()} == {each.pk for each in profiles}


def test_key_that_no_column_can_hold_leaves_the_save_alone(
    broker: Broker, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    group = GroupFactory.create()
    Touch.objects.all().delete()
    settings.BASKET_SITE = f"{__name__}.Vouchers"
    watch = watch_of(Vouchers(), type(group))
    group.pk = "x" * 201  # for example a model whose primary key is a long text

    touch_saved(watch=watch, instance=group, created=True, raw=False, update_fields=None)

    assert not Touch.objects.exists()
    assert "groups.Group cannot be noted (source_key)" in caplog.text
