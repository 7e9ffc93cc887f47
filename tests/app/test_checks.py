"""Wrong settings give numbered messages with a hint, and a correct site gives none."""

import re
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.checks import CheckMessage
from django.core.checks.registry import CheckRegistry
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.models import Exists, Min, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Lower, Now
from waffle.testutils import override_switch

from mozillians_basket import checks, receivers
from mozillians_basket.conf import SWITCH, conf
from mozillians_basket.models import Status
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.site import BasketSite, Policy, Trigger

PACKAGE = Path(checks.__file__).parent
DOCS = PACKAGE.parent / "docs"

#: The letters of the ids, by the function that makes the message.
KINDS = {"error": "E", "caution": "W", "note": "I"}

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


class ManyEmailsInAnExpression(Sound):
    email = Lower("vouches_received__reason")


class FirstOfManyEmails(Sound):
    email = Min("vouches_received__reason")


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

    assert ids(registry.run_checks()) == ["E304"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sound", []),
        ("WrongEmail", ["E104"]),
        ("ManyEmails", ["E105"]),
        ("ManyEmailsInAnExpression", ["E105"]),
        ("FirstOfManyEmails", []),
        ("ChosenEmail", []),
        ("Timed", ["W101"]),
        ("Subqueried", ["W101"]),
        ("SubqueriedWithATrigger", []),
        ("NoPolicy", ["E107"]),
        ("WrongSlug", ["E108"]),
        ("PolicyTwice", ["E109"]),
        ("WrongCondition", ["E110"]),
        ("WrongTriggerModel", ["E111"]),
        ("AutomaticThrough", ["E112"]),
        ("WrongPath", ["E113"]),
        ("PathToAnother", ["E113"]),
        ("PathThroughNoRelation", ["E113"]),
        ("WrongField", ["E114"]),
        ("WrongFields", ["E106"]),
        ("UnknownField", ["E106"]),
        ("FieldsOfAllKinds", []),
        ("NotASite", ["E103"]),
        ("NotThere", ["E102"]),
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

    assert ids(checks.check_database(None)) == ["E601"]


def test_database_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")

    assert ids(checks.check_database(None)) == ["E602"]


class Apart:
    """A router that separates the app's tables from the members'."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return None if model._meta.app_label == "mozillians_basket" else "elsewhere"

    db_for_read = db_for_write


def test_members_in_another_database_are_refused(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Apart"]

    assert ids(checks.check_database(None)) == ["E603"]


class Replica:
    """A router that reads from a replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"


def test_reads_from_a_replica_are_named(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Replica"]

    assert ids(checks.check_database(None)) == ["W602"]


@pytest.mark.parametrize("name", ["Sound", "Timed", "WrongEmail"])
def test_only_errors_keep_the_receivers_from_being_connected(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings.BASKET_SITE = f"{__name__}.{name}"
    connected: list[bool] = []
    monkeypatch.setattr(receivers, "connect_receivers", lambda: connected.append(True))

    apps.get_app_config("mozillians_basket").ready()

    assert bool(connected) == (name != "WrongEmail")


def messages_of(*options: str) -> str:
    """Return the output of ``manage.py check``, also if it fails."""
    out = StringIO()
    try:
        call_command("check", *options, stdout=out, stderr=out)
    except SystemCheckError as end:
        return f"{out.getvalue()}{end}"
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ({}, ""),
        ({"member_model": "people.UserProfile", "database": "default"}, ""),
        ({"member_model": "people.Person"}, "E604"),
        ({"database": "newsletters"}, "E604"),
        ({"worker_settings": {"BASKET_URL": "another"}}, "W603"),
    ],
)
def test_tables_are_compared_with_the_settings(noted: dict[str, Any], expected: str) -> None:
    assert "mozillians_basket" not in messages_of("--database", "default")
    Status.read()
    Status.objects.update(**noted)

    told = messages_of("--database", "default")

    assert re.findall(r"mozillians_basket\.(\w\d+)", told) == ([expected] if expected else [])
    assert ("BASKET_URL" in told) == (expected == "W603")


@pytest.mark.django_db
@pytest.mark.parametrize("switch", [True, False])
def test_newsletters_are_looked_for_in_the_catalogue_before_a_deployment(
    settings: Any, basket: SandboxServer, switch: bool
) -> None:
    settings.BASKET_NEWSLETTERS = ["mozilla-phones"]

    with override_switch(SWITCH, active=switch):
        told = messages_of("--deploy")

    if switch:
        assert "(mozillians_basket.E305) newsletter: Basket does not know mozilla-phones" in told
    else:
        assert "(mozillians_basket.I301) Basket was not asked for its newsletters" in told
        assert basket.requests == []


def test_each_check_is_in_the_reference() -> None:
    source = "".join((PACKAGE / name).read_text() for name in ("checks.py", "upkeep/doctor.py"))
    made = re.findall(r"\b(error|caution|note)\(\s*(?:#.*\s*)?(\d+),", source)
    listed = re.findall(r"^\| `([EWI]\d+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted({f"{KINDS[kind]}{number}" for kind, number in made})


@pytest.mark.parametrize(
    ("values", "check", "expected"),
    [
        ({"BASKET_SITE": ""}, checks.check_site, ["E101"]),
        ({"BASKET_NEWSLETTERS": "about-mozilla"}, checks.check_newsletters, ["E201"]),
        ({"BASKET_NEWSLETTERS": 7}, checks.check_newsletters, ["E201"]),
        ({"BASKET_NEWSLETTERS": ["a,b", 7]}, checks.check_newsletters, ["E202", "E202"]),
        ({"BASKET_NEWSLETTERS": ["about-mozilla"]}, checks.check_newsletters, []),
        ({"BASKET_OPEN_NEWSLETTERS": "about-mozilla"}, checks.check_newsletters, ["E201"]),
        ({"BASKET_NEWSLETTER_TITLES": ["a title"]}, checks.check_newsletters, ["E203"]),
        ({"BASKET_URL": ""}, checks.check_connection, ["E301"]),
        ({"BASKET_URL": "basket.example.org"}, checks.check_connection, ["E301"]),
        ({"BASKET_URL": "http://basket.example.org"}, checks.check_connection, ["E302"]),
        ({"BASKET_URL": "http://localhost:8001"}, checks.check_connection, []),
        ({"BASKET_URL": "http://[::1]:8001"}, checks.check_connection, []),
        ({"BASKET_URL": "https://basket.example.org/"}, checks.check_connection, []),
        ({"BASKET_URL": "https://me:word@basket.example.org"}, checks.check_connection, ["E303"]),
        ({"BASKET_URL": "https://basket.example.org/news/"}, checks.check_connection, ["E303"]),
        ({"BASKET_API_KEY": ""}, checks.check_connection, ["E304"]),
        ({"BASKET_TIMEOUT": "soon"}, checks.check_numbers, ["E401"]),
        ({"BASKET_TIMEOUT": 0}, checks.check_numbers, ["E401"]),
        ({"BASKET_TIMEOUT": "25", "BASKET_LEASE_SECONDS": 150}, checks.check_numbers, []),
        ({"BASKET_CONCURRENCY": 1.5}, checks.check_numbers, ["E401"]),
        ({"BASKET_CONCURRENCY": True}, checks.check_numbers, ["E401"]),
        ({"BASKET_SHARE_SIZE": float("inf")}, checks.check_numbers, ["E401"]),
        ({"BASKET_BRAKE_RATIO": "a tenth"}, checks.check_numbers, ["E401"]),
        ({"BASKET_HISTORY_DAYS": 0}, checks.check_numbers, ["E401"]),
        ({"BASKET_HISTORY_DAYS": "soon"}, checks.check_numbers, ["E401"]),
        ({"BASKET_HISTORY_DAYS": None}, checks.check_numbers, []),
        ({"BASKET_HISTORY_DAYS": 30}, checks.check_numbers, []),
        ({"BASKET_LEASE_SECONDS": 30}, checks.check_numbers, ["E402"]),
        (
            {"BASKET_SHARE_SIZE": 1, "BASKET_LEASE_SECONDS": 30},
            checks.check_numbers,
            ["E402", "W401"],
        ),
        ({"BASKET_SHARE_SIZE": 100, "BASKET_LEASE_SECONDS": 120}, checks.check_numbers, ["E402"]),
        ({"BASKET_SHARE_SIZE": 50}, checks.check_numbers, ["W401"]),
        ({"BASKET_SHARE_SIZE": 50, "BASKET_CONCURRENCY": 25}, checks.check_numbers, []),
        ({"BASKET_OPTIN": "Y"}, checks.check_flags, ["E403"]),
        ({"BASKET_TRIGGER_WELCOME": 1}, checks.check_flags, ["E403"]),
        ({"BASKET_SOURCE_URL": "example.org"}, checks.check_flags, ["E404"]),
        ({"BASKET_SOURCE_URL": "https://example.org/join"}, checks.check_flags, []),
        ({"BASKET_MANAGERS": "admin@example.org"}, checks.check_flags, ["E405"]),
        ({"BASKET_MANAGERS": ["admin@example.org"]}, checks.check_flags, []),
        ({"BASKET_SUPPRESSION_KEY_FALLBACKS": "a key"}, checks.check_flags, ["E406"]),
        ({"BASKET_SUPPRESSION_KEY_FALLBACKS": [""]}, checks.check_flags, ["E406"]),
        ({"BASKET_SUPPRESSION_KEY_FALLBACKS": ["a key"]}, checks.check_flags, []),
        ({"WAFFLE_CACHE_NAME": "nowhere"}, checks.check_switch_cache, ["E501"]),
        ({"WAFFLE_CACHE_NAME": "default"}, checks.check_switch_cache, ["E502"]),
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


@pytest.mark.parametrize("number", checks.NUMBERS)
def test_each_number_is_a_setting_of_the_app(number: Any) -> None:
    value = getattr(conf, number.name.removeprefix("BASKET_"))

    assert value is None or isinstance(value, number.cast)
    assert number.unit


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

    expected = ["W601"] if connection.vendor == "sqlite" else []
    assert ids(checks.check_database(None)) == expected


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
