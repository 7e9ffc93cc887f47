"""Wrong settings are numbered messages with a hint, and a sound site has none."""

import pytest
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from mozillians_basket import checks
from mozillians_basket.conf import conf
from mozillians_basket.site import BasketSite, Policy, Trigger


class Sound(BasketSite):
    email = "user__email"
    policies: tuple[Policy, ...] = (Policy("mozilla-phone", Q(is_vouched=True)),)
    triggers = (Trigger("people.Vouch", member="vouchee"),)


class WrongEmail(Sound):
    email = "user__mail"


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


def ids(messages):
    return [message.id.removeprefix("mozillians_basket.") for message in messages]


def test_the_project_s_own_settings_are_sound():
    assert [message for check in checks.CHECKS for message in check(None)] == []


def test_the_checks_are_registered():
    assert set(checks.CHECKS) <= set(registry.get_checks())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sound", []),
        ("WrongEmail", ["E005"]),
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
        ("NotASite", ["E004"]),
        ("NotThere", ["E003"]),
    ],
)
def test_a_site_is_checked(settings, name, expected):
    settings.BASKET_SITE = f"{__name__}.{name}"

    messages = checks.check_site(None)

    assert ids(messages) == expected
    assert all(message.hint for message in messages)


@pytest.mark.parametrize(
    ("values", "check", "expected"),
    [
        ({"BASKET_MEMBER_MODEL": "people.Nobody"}, checks.check_site, ["E001"]),
        ({"BASKET_MEMBER_MODEL": "nonsense"}, checks.check_site, ["E001"]),
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
        ({"BASKET_POOL_SIZE": 1.5}, checks.check_numbers, ["E020"]),
        ({"BASKET_POOL_SIZE": True}, checks.check_numbers, ["E020"]),
        ({"BASKET_TIMEOUT": "25"}, checks.check_numbers, []),
        ({"BASKET_LEASE_SECONDS": 20}, checks.check_numbers, ["E021"]),
        ({"BASKET_MANAGERS": "admin@example.org"}, checks.check_flags, ["E026"]),
        ({"BASKET_MANAGERS": ["admin@example.org"]}, checks.check_flags, []),
        ({"BASKET_OPTIN": "Y"}, checks.check_flags, ["E022"]),
        ({"BASKET_TRIGGER_WELCOME": 1}, checks.check_flags, ["E022"]),
        ({"BASKET_SOURCE_URL": "example.org"}, checks.check_flags, ["E023"]),
        ({"BASKET_SOURCE_URL": "https://example.org/join"}, checks.check_flags, []),
        ({"WAFFLE_CACHE_NAME": "nowhere"}, checks.check_switch_cache, ["E024"]),
        ({"WAFFLE_CACHE_NAME": "default"}, checks.check_switch_cache, ["E025"]),
        ({"WAFFLE_CACHE_NAME": "waffle"}, checks.check_switch_cache, []),
    ],
)
def test_each_setting_is_checked(settings, values, check, expected):
    for name, value in values.items():
        setattr(settings, name, value)

    messages = check(None)

    assert ids(messages) == expected
    assert all(message.hint for message in messages)


def test_no_message_quotes_the_key(settings):
    settings.BASKET_API_KEY = "very-secret"
    settings.BASKET_URL = "http://basket.example.org"

    assert "very-secret" not in str(checks.check_connection(None))


def test_sqlite_without_immediate_transactions_is_a_warning(monkeypatch):
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})

    expected = ["W001"] if connection.vendor == "sqlite" else []
    assert ids(checks.check_sqlite(None)) == expected


def test_a_missing_member_model_says_what_to_set(settings):
    del settings.BASKET_MEMBER_MODEL

    with pytest.raises(ImproperlyConfigured, match=r"people\.UserProfile"):
        _ = conf.MEMBER_MODEL


def test_the_environment_counts_as_it_does_for_basket_client(settings, monkeypatch):
    del settings.BASKET_URL
    monkeypatch.setenv("BASKET_URL", "https://basket.example.org/")

    assert conf.URL == "https://basket.example.org"
