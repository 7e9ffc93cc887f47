"""Basket's fields of each member: country, language and so on, sent at subscribe."""

import logging

import pytest
from django.db.models import IntegerField, Q, Value
from django.db.models.functions import Cast, Lower

from mozillians_basket.api import order
from mozillians_basket.models import Contact
from mozillians_basket.site import BasketSite, Policy, usable
from tests.app.steps import held
from tests.factories import UserProfileFactory, VouchFactory

PHONE = "mozilla-phone"


class Site(BasketSite):
    email = "user__email"
    policies = (Policy(PHONE, Q(is_vouched=True)),)


class ByPathExpressionAndMethod(Site):
    def lang(self, member):
        return {"br": "pt-BR"}[member.country.lower()]

    def home(self, member):
        return f"https://example.org/{member.pk}"

    fields = {
        "country": Lower("country"),
        "first_name": "full_name",
        "last_name": "user__last_name",
        "format": Value("T"),
        "lang": lang,
        "source_url": "home",
    }


class Country(Site):
    fields = {"country": "country"}


class Failing(Site):
    """A method and an expression that fail for members whose name is not a number."""

    def lang(self, member):
        return {"1": "de"}[member.full_name]

    fields = {"country": "country", "first_name": Cast("full_name", IntegerField()), "lang": lang}


@pytest.fixture
def use(settings):
    def use(site):
        settings.BASKET_SITE = f"{__name__}.{site.__name__}"

    return use


@pytest.fixture
def subscribed(basket, commit):
    """Subscribe a new member; return Basket's fields of them."""

    def subscribe(**values):
        profile = UserProfileFactory(**values)
        with commit():
            VouchFactory(vouchee=profile)
        return basket.person(profile.user.email).fields, profile

    return subscribe


def test_fields_come_from_paths_expressions_and_methods(use, subscribed):
    use(ByPathExpressionAndMethod)

    fields, _profile = subscribed(country="BR", full_name="Ada", user__last_name="Silva")

    expected = {
        "country": "br",
        "first_name": "Ada",
        "last_name": "Silva",
        "format": "T",
        "lang": "pt-BR",
    }
    assert {name: fields[name] for name in expected} == expected


def test_source_url_of_the_member_wins_over_the_setting(use, subscribed, basket, settings):
    settings.BASKET_SOURCE_URL = "https://example.org/everybody"
    use(ByPathExpressionAndMethod)

    fields, profile = subscribed(country="BR")

    assert fields["source_url"] == f"https://example.org/{profile.pk}"


def test_wrong_source_url_of_a_member_leaves_the_setting_s(use, subscribed, settings, monkeypatch):
    settings.BASKET_SOURCE_URL = "https://example.org/everybody"
    monkeypatch.setattr(Country, "fields", {"source_url": Value("example.org")})
    use(Country)

    fields, _profile = subscribed()

    assert fields["source_url"] == "https://example.org/everybody"


@pytest.mark.parametrize("country", ["Brazil", "zz", "", "B\nR"])
def test_wrong_value_is_left_out_and_stops_nothing(use, subscribed, basket, monkeypatch, country):
    monkeypatch.setattr(Country, "fields", {"country": Value(country)})
    use(Country)

    fields, profile = subscribed()

    assert fields["country"] is None
    assert held(basket, profile.user.email) == {profile.user.email: {PHONE}}


def test_value_that_cannot_be_computed_is_left_out_alone(use, basket, commit, caplog):
    caplog.set_level(logging.DEBUG, "mozillians_basket")
    use(Failing)
    good = UserProfileFactory(full_name="1", country="DE")
    bad = UserProfileFactory(full_name="ada@example.com", country="FR")

    with commit():
        for profile in (good, bad):
            VouchFactory(vouchee=profile)

    people = {profile: basket.person(profile.user.email) for profile in (good, bad)}
    assert all(person.newsletters == {PHONE} for person in people.values())
    assert people[good].fields["lang"] == "de"
    assert people[good].fields["first_name"] == "1"
    assert people[bad].fields["country"] == "fr"
    assert "fields['lang'] of a member is left out: KeyError" in caplog.text
    assert "ada@example.com" not in caplog.text


def test_a_share_reads_the_fields_in_one_query(use, basket, commit, django_assert_num_queries):
    use(Country)
    keys = [profile.pk for profile in UserProfileFactory.create_batch(3, country="DE")]

    with django_assert_num_queries(3):  # and a savepoint
        fields = Country().fields_of(keys)

    assert fields == {key: {"country": "de"} for key in keys}


def test_newest_decision_says_whose_fields_are_sent_for_a_shared_mailbox(use, basket, commit):
    use(Country)
    first = UserProfileFactory(user__email="both@example.com", country="DE")
    second = UserProfileFactory(user__email="both@example.com", country="FR")

    with commit():
        order(first, [PHONE], subscribe=True)
        order(second, [PHONE], subscribe=True)

    assert basket.person("both@example.com").fields["country"] == "fr"
    assert Contact.objects.count() == 1


LONG = "x" * 256


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("country", "DE", "de"),
        ("country", "deu", "de"),
        ("country", "Germany", ""),
        ("country", "zz", ""),
        ("lang", "pt-BR", "pt-BR"),
        ("lang", "fil", "fil"),
        ("lang", "pt_BR", ""),
        ("lang", "zh-hans", ""),
        ("format", "H", "H"),
        ("format", "text", "text"),
        ("format", "pdf", ""),
        ("first_name", " Ada ", "Ada"),
        ("first_name", "Ada\nBcc: all", ""),
        ("last_name", LONG, ""),
        ("source_url", "https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("source_url", "example.org", ""),
        ("source_url", "https://", ""),
        ("source_url", "https://example.org/" + "x" * 1024, ""),
        ("optin", "Y", ""),
        ("country", None, ""),
    ],
)
def test_values_are_validated_as_basket_does(name, value, sent):
    assert usable(name, value) == sent


@pytest.mark.parametrize("name", ["first_name", "last_name", "source_url", "country", "lang"])
@pytest.mark.parametrize("value", [LONG * 8, "\x00", "a b", "é" * 300, "-", "x:y"])
def test_no_value_makes_basket_refuse_a_subscribe(
    use, subscribed, basket, monkeypatch, name, value
):
    monkeypatch.setattr(Country, "fields", {name: Value(value)})
    use(Country)

    _fields, profile = subscribed()

    assert held(basket, profile.user.email) == {profile.user.email: {PHONE}}
