"""Wrong settings are numbered messages with a hint, and a sound site has none."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import CheckMessage
from django.core.checks.registry import CheckRegistry
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Lower, Now

from mozillians_basket import checks
from mozillians_basket.conf import conf
from mozillians_basket.site import BasketSite, Policy, Trigger

Check = Callable[[Any], Iterable[CheckMessage]]


class Sound(BasketSite):
    email: Any = "user__email"
    policies: tuple[Policy, ...] = (Policy("mozilla-phone", Q(is_vouched=True)),)
    triggers = (Trigger("people.Vouch", member="vouchee"),)
    fields = {"country": "country"}


class WrongEmail(Sound):
    email = "user__mail"


class ManyEmails(Sound):
    email = "vouches_received__reason"


class ChosenEmail(Sound):
    email = Coalesce("user__email", Value(""))


class Timed(Sound):
    policies = (Policy("mozilla-phone", Q(user__date_joined__lt=Now())),)


OTHERS = User.objects.filter(profile=OuterRef("pk"), is_staff=True)


class Subqueried(Sound):
    policies = (Policy("mozilla-phone", Q(Exists(OTHERS))),)


class SubqueriedWithATrigger(Subqueried):
    triggers = (Trigger("auth.User", member="profile"),)


class WrongFields(Sound):
    fields = {"country": "countri"}


class UnknownField(Sound):
    fields = {"optin": "country"}


class FieldsOfAllKinds(Sound):
    def country(self, member: Any) -> str:
        return "de"

    fields = {"country": "country", "lang": country, "first_name": Lower("full_name")}


class WrongCondition(Sound):
    policies = (Policy("mozilla-phone", Q(is_vouchd=True)),)


class WrongSlug(Sound):
    policies = (Policy("mozilla phone", Q(is_vouched=True)),)


class PolicyTwice(Sound):
    policies = (
        Policy("mozilla-phone", Q(is_vouched=True)),
        Policy("mozilla-phone", Q(country="BR")),
    )


class NoPolicy(Sound):
    policies = ("mozilla-phone",)  # type: ignore[assignment]


class WrongTriggerModel(Sound):
    triggers = (Trigger("people.Voucher", member="vouchee"),)


class AutomaticThrough(Sound):
    triggers = (Trigger("auth.User_groups", member="user__profile"),)


class WrongPath(Sound):
    triggers = (Trigger("people.Vouch", member="receiver"),)


class PathToAnother(Sound):
    triggers = (Trigger("groups.Membership", member="group"),)


class PathThroughNoRelation(Sound):
    triggers = (Trigger("people.Vouch", member="reason__vouchee"),)


class WrongField(Sound):
    triggers = (Trigger("auth.User", member="profile", fields={"mail"}),)


class NotASite:
    pass


def ids(messages: Iterable[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("mozillians_basket.") for message in messages]


def test_settings_of_the_project_are_sound() -> None:
    assert [message for check in checks.CHECKS for message in check(None)] == []


def test_checks_can_be_registered(settings: Any) -> None:
    settings.BASKET_API_KEY = ""
    registry = CheckRegistry()
    for check in checks.CHECKS:
        registry.register(check)

    assert ids(registry.run_checks()) == ["E019"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sound", []),
        ("WrongEmail", ["E005"]),
        ("ManyEmails", ["E028"]),
        ("ChosenEmail", []),
        ("Timed", ["W003"]),
        ("Subqueried", ["W003"]),
        ("SubqueriedWithATrigger", []),
        ("NoPolicy", ["E006"]),
        ("WrongSlug", ["E007"]),
        ("PolicyTwice", ["E008"]),
        ("WrongCondition", ["E009"]),
        ("WrongTriggerModel", ["E010"]),
        ("AutomaticThrough", ["E011"]),
        ("WrongPath", ["E012"]),
        ("PathToAnother", ["E012"]),
        ("PathThroughNoRelation", ["E012"]),
        ("WrongField", ["E013"]),
        ("WrongFields", ["E027"]),
        ("UnknownField", ["E027"]),
        ("FieldsOfAllKinds", []),
        ("NotASite", ["E004"]),
        ("NotThere", ["E003"]),
    ],
)
def test_description_of_the_site_is_checked(settings: Any, name: str, expected: list[str]) -> None:
    settings.BASKET_SITE = f"{__name__}.{name}"

    messages = list(checks.check_site(None))

    assert ids(messages) == expected
    assert all(message.hint for message in messages)


def test_part_that_no_signal_shows_is_named(settings: Any) -> None:
    settings.BASKET_SITE = f"{__name__}.Subqueried"

    [message] = checks.check_site(None)

    assert "the policy for 'mozilla-phone': a subquery on auth.User" in message.msg
    assert "reconciler" in str(message.hint)


def test_naive_moments_are_refused(settings: Any) -> None:
    settings.USE_TZ = False

    assert ids(checks.check_database(None)) == ["E029"]


def test_database_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")

    assert ids(checks.check_database(None)) == ["E030"]


class Apart:
    """A router that keeps the app's tables apart from the members'."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return None if model._meta.app_label == "mozillians_basket" else "elsewhere"


def test_members_in_another_database_are_refused(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Apart"]

    assert ids(checks.check_database(None)) == ["E031"]


@pytest.mark.parametrize(
    ("values", "check", "expected"),
    [
        ({"BASKET_SITE": ""}, checks.check_site, ["E002"]),
        ({"BASKET_NEWSLETTERS": "about-mozilla"}, checks.check_newsletters, ["E014"]),
        ({"BASKET_NEWSLETTERS": 7}, checks.check_newsletters, ["E014"]),
        ({"BASKET_NEWSLETTERS": ["a,b", 7]}, checks.check_newsletters, ["E015", "E015"]),
        ({"BASKET_NEWSLETTERS": ["about-mozilla"]}, checks.check_newsletters, []),
        ({"BASKET_URL": ""}, checks.check_connection, ["E016"]),
        ({"BASKET_URL": "basket.example.org"}, checks.check_connection, ["E016"]),
        ({"BASKET_URL": "http://basket.example.org"}, checks.check_connection, ["E017"]),
        ({"BASKET_URL": "http://localhost:8001"}, checks.check_connection, []),
        ({"BASKET_URL": "http://[::1]:8001"}, checks.check_connection, []),
        ({"BASKET_URL": "https://basket.example.org/"}, checks.check_connection, []),
        ({"BASKET_URL": "https://me:word@basket.example.org"}, checks.check_connection, ["E018"]),
        ({"BASKET_URL": "https://basket.example.org/news/"}, checks.check_connection, ["E018"]),
        ({"BASKET_API_KEY": ""}, checks.check_connection, ["E019"]),
        ({"BASKET_TIMEOUT": "soon"}, checks.check_numbers, ["E020"]),
        ({"BASKET_TIMEOUT": 0}, checks.check_numbers, ["E020"]),
        ({"BASKET_TIMEOUT": "25", "BASKET_LEASE_SECONDS": 150}, checks.check_numbers, []),
        ({"BASKET_CONCURRENCY": 1.5}, checks.check_numbers, ["E020"]),
        ({"BASKET_CONCURRENCY": True}, checks.check_numbers, ["E020"]),
        ({"BASKET_SHARE_SIZE": float("inf")}, checks.check_numbers, ["E020"]),
        ({"BASKET_BRAKE_RATIO": "a tenth"}, checks.check_numbers, ["E020"]),
        ({"BASKET_HISTORY_DAYS": 0}, checks.check_numbers, ["E020"]),
        ({"BASKET_HISTORY_DAYS": "soon"}, checks.check_numbers, ["E020"]),
        ({"BASKET_HISTORY_DAYS": None}, checks.check_numbers, []),
        ({"BASKET_HISTORY_DAYS": 30}, checks.check_numbers, []),
        ({"BASKET_LEASE_SECONDS": 30}, checks.check_numbers, ["E021"]),
        (
            {"BASKET_SHARE_SIZE": 1, "BASKET_LEASE_SECONDS": 30},
            checks.check_numbers,
            ["E021", "W002"],
        ),
        ({"BASKET_SHARE_SIZE": 100, "BASKET_LEASE_SECONDS": 120}, checks.check_numbers, ["E021"]),
        ({"BASKET_SHARE_SIZE": 50}, checks.check_numbers, ["W002"]),
        ({"BASKET_SHARE_SIZE": 50, "BASKET_CONCURRENCY": 25}, checks.check_numbers, []),
        ({"BASKET_OPTIN": "Y"}, checks.check_flags, ["E022"]),
        ({"BASKET_TRIGGER_WELCOME": 1}, checks.check_flags, ["E022"]),
        ({"BASKET_SOURCE_URL": "example.org"}, checks.check_flags, ["E023"]),
        ({"BASKET_SOURCE_URL": "https://example.org/join"}, checks.check_flags, []),
        ({"BASKET_MANAGERS": "admin@example.org"}, checks.check_flags, ["E026"]),
        ({"BASKET_MANAGERS": ["admin@example.org"]}, checks.check_flags, []),
        ({"WAFFLE_CACHE_NAME": "nowhere"}, checks.check_switch_cache, ["E024"]),
        ({"WAFFLE_CACHE_NAME": "default"}, checks.check_switch_cache, ["E025"]),
        ({"WAFFLE_CACHE_NAME": "waffle"}, checks.check_switch_cache, []),
    ],
)
def test_each_setting_is_checked(
    settings: Any, values: dict[str, Any], check: Check, expected: list[str]
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)

    messages = list(check(None))

    assert ids(messages) == expected
    assert all(message.hint for message in messages)


@pytest.mark.parametrize(("name", "whole", "unit"), checks.NUMBERS)
def test_each_number_is_a_setting_of_the_app(name: str, whole: bool, unit: str) -> None:
    value = getattr(conf, name.removeprefix("BASKET_"))

    assert value is None or isinstance(value, int if whole else int | float)
    assert unit


def test_message_does_not_quote_the_key(settings: Any) -> None:
    settings.BASKET_API_KEY = "very-secret"
    settings.BASKET_URL = "http://basket.example.org"

    messages = list(checks.check_connection(None))

    assert messages
    assert "very-secret" not in str(messages)


def test_sqlite_without_immediate_transactions_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})

    expected = ["W001"] if connection.vendor == "sqlite" else []
    assert ids(checks.check_sqlite(None)) == expected


def test_missing_member_model_says_what_to_set(settings: Any) -> None:
    del settings.BASKET_MEMBER_MODEL

    with pytest.raises(ImproperlyConfigured, match=r"people\.UserProfile"):
        _ = conf.MEMBER_MODEL


def test_environment_counts_as_it_does_for_basket_client(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del settings.BASKET_URL
    monkeypatch.setenv("BASKET_URL", "https://basket.example.org/")

    assert conf.URL == "https://basket.example.org"
