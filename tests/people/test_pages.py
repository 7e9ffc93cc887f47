"""The members' pages: access to them, and Basket's contents afterwards."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
from django.urls import path, reverse

from mozillians_basket.sandbox.testing import SandboxServer
from project import urls
from project.people.models import UserProfile, Vouch
from project.people.views import SALT, sent_mail
from tests.brokers import Commit
from tests.factories import UserFactory, UserProfileFactory, VouchFactory

pytestmark = pytest.mark.django_db

PHONE = "mozilla-phone"
PASSWORD = "a long password"

#: The pages that send visitors to the sign-in.
PRIVATE = ("profile", "address", "delete-account", "members", "mozillians_basket:newsletters")


@pytest.fixture
def member(client: Client) -> UserProfile:
    """A vouched member who is signed in. Basket is empty."""
    profile = VouchFactory.create().vouchee
    client.force_login(profile.user)
    return profile


@pytest.fixture
def newcomer(client: Client) -> UserProfile:
    """A member without a vouch who is signed in."""
    profile = UserProfileFactory.create()
    client.force_login(profile.user)
    return profile


def text_of(page: Any) -> str:
    return " ".join(page.content.decode().split())


def held(basket: SandboxServer, email: str) -> set[str] | None:
    person = basket.person(email)
    return None if person is None else set(person.newsletters)


# Signing in and out


def test_visitor_sees_where_to_sign_in(client: Client) -> None:
    page = client.get("/")

    assert f'href="{reverse("sign-in")}"' in text_of(page)


def test_member_signs_in_and_out(client: Client) -> None:
    user = UserFactory.create()
    user.set_password(PASSWORD)
    user.save()

    page = client.post(
        reverse("sign-in"), {"username": user.username, "password": PASSWORD}, follow=True
    )
    out = client.post(reverse("sign-out"), follow=True)

    assert f"Sign out {user.username}" in text_of(page)
    assert "Sign out" not in text_of(out)


def test_sign_out_by_a_link_does_nothing(member: UserProfile, client: Client) -> None:
    assert client.get(reverse("sign-out")).status_code == 405
    assert client.get(reverse("profile")).status_code == 200


@pytest.mark.parametrize("name", PRIVATE)
def test_visitor_is_sent_to_sign_in_and_back(client: Client, name: str) -> None:
    url = reverse(name)

    answer: Any = client.get(url)

    assert answer.url == f"{reverse('sign-in')}?next={url}"


@pytest.mark.parametrize("name", ["member", "confirm-address", "group"])
def test_visitor_sees_no_page_of_somebody(client: Client, name: str) -> None:
    key = UserProfileFactory.create().pk if name == "member" else "nda"

    answer: Any = client.get(reverse(name, args=[key]))

    assert answer.url.startswith(reverse("sign-in"))


def test_user_without_a_profile_gets_one(client: Client) -> None:
    user = UserFactory.create()
    client.force_login(user)

    page = client.get("/")

    assert page.status_code == 200
    assert UserProfile.objects.get(user=user).is_vouched is False


# The profile


def test_member_changes_their_own_profile(member: UserProfile, client: Client) -> None:
    other = UserProfileFactory.create(full_name="Other")

    client.post(reverse("profile"), {"full_name": "Ana", "country": "br"})

    member.refresh_from_db()
    other.refresh_from_db()
    assert (member.full_name, member.country, member.is_vouched) == ("Ana", "BR", True)
    assert other.full_name == "Other"


@pytest.mark.parametrize("country", ["B", "12", "ÄÖ"])
def test_country_is_a_code_of_two_letters(
    member: UserProfile, client: Client, country: str
) -> None:
    page = client.post(reverse("profile"), {"full_name": "Ana", "country": country})

    assert "two letters" in text_of(page)
    assert UserProfile.objects.get(pk=member.pk).country == ""


# The address


def ask_for_link(client: Client, mailoutbox: list[Any], new: str) -> str:
    client.post(reverse("address"), {"email": new})
    found = re.search(r"http://testserver(\S+)", mailoutbox[-1].body)
    assert found is not None
    return found[1]


def email_of(profile: UserProfile) -> str:
    return User.objects.get(profile=profile).email


def test_address_changes_only_when_the_member_confirms_it(
    basket: SandboxServer, commit: Commit, client: Client, mailoutbox: list[Any]
) -> None:
    with commit():
        member = VouchFactory.create().vouchee
    client.force_login(member.user)
    old, new = email_of(member), "new@example.com"

    link = ask_for_link(client, mailoutbox, new)
    page = client.get(link)
    before = email_of(member), held(basket, old), held(basket, new)
    with commit():
        client.post(link)

    assert mailoutbox[0].to == [new]
    assert new in text_of(page)
    assert before == (old, {PHONE}, None)
    assert email_of(member) == new
    assert (held(basket, old), held(basket, new)) == (set(), {PHONE})


def test_link_works_once(member: UserProfile, client: Client, mailoutbox: list[Any]) -> None:
    link = ask_for_link(client, mailoutbox, "new@example.com")
    client.post(link)
    User.objects.update(email="third@example.com")

    answer = client.post(link)

    assert answer.status_code == 404
    assert email_of(member) == "third@example.com"


def test_link_of_somebody_else_is_not_valid(
    member: UserProfile, client: Client, mailoutbox: list[Any]
) -> None:
    link = ask_for_link(client, mailoutbox, "new@example.com")
    stranger = UserProfileFactory.create()
    client.force_login(stranger.user)

    answer = client.post(link)

    assert answer.status_code == 404
    assert email_of(member) != "new@example.com"
    assert email_of(stranger) != "new@example.com"


def test_link_of_yesterday_is_not_valid(
    member: UserProfile, client: Client, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = ask_for_link(client, mailoutbox, "new@example.com")
    monkeypatch.setattr("project.people.views.LINK_AGE", -1)

    assert client.post(link).status_code == 404
    assert email_of(member) != "new@example.com"


@pytest.mark.parametrize("salt", ["another", SALT])
def test_forged_link_is_not_valid(member: UserProfile, client: Client, salt: str) -> None:
    values = [member.user.pk, member.user.email, "new@example.com"]
    token = signing.dumps(values, salt=salt) if salt != SALT else f"{values}:1:forged"

    assert client.post(reverse("confirm-address", args=[token])).status_code == 404
    assert email_of(member) != "new@example.com"


@pytest.mark.parametrize("new", ["nobody", ""])
def test_address_that_is_none_gets_no_mail(
    member: UserProfile, client: Client, mailoutbox: list[Any], new: str
) -> None:
    client.post(reverse("address"), {"email": new})

    assert mailoutbox == []


def test_present_address_gets_no_mail(
    member: UserProfile, client: Client, mailoutbox: list[Any]
) -> None:
    page = client.post(reverse("address"), {"email": member.user.email})

    assert "That is your address already." in text_of(page)
    assert mailoutbox == []


def test_member_has_only_some_links_sent_an_hour(
    member: UserProfile, client: Client, mailoutbox: list[Any]
) -> None:
    answers = [
        client.post(reverse("address"), {"email": f"new{number}@example.com"})
        for number in range(6)
    ]

    assert answers[-1].status_code == 429
    assert "Try again in an hour." in text_of(answers[-1])
    assert len(mailoutbox) == 5


# Vouching


def test_vouched_member_vouches_for_somebody(
    basket: SandboxServer, commit: Commit, member: UserProfile, client: Client
) -> None:
    newcomer = UserProfileFactory.create()
    url = reverse("member", args=[newcomer.pk])

    with commit():
        client.post(url, {"act": "vouch", "reason": "A friend"})
    client.post(url, {"act": "vouch"})

    vouch = Vouch.objects.get(vouchee=newcomer)
    assert (vouch.voucher, vouch.reason) == (member, "A friend")
    assert held(basket, newcomer.user.email) == {PHONE}


def test_vouch_is_taken_back_and_those_of_others_stay(
    basket: SandboxServer, commit: Commit, member: UserProfile, client: Client
) -> None:
    newcomer = UserProfileFactory.create()
    url = reverse("member", args=[newcomer.pk])
    with commit():
        client.post(url, {"act": "vouch"})
        other = VouchFactory.create(vouchee=newcomer)

    with commit():
        client.post(url, {"act": "take back"})
    between = held(basket, newcomer.user.email)
    with commit():
        other.delete()

    assert between == {PHONE}
    assert held(basket, newcomer.user.email) == set()


@pytest.mark.parametrize("method", ["get", "post"])
def test_member_without_a_vouch_sees_nobody_and_vouches_for_nobody(
    newcomer: UserProfile, client: Client, method: str
) -> None:
    other = UserProfileFactory.create(full_name="Other")

    one = getattr(client, method)(reverse("member", args=[other.pk]), {"act": "vouch"})
    everybody = client.get(reverse("members"))

    assert [one.status_code, everybody.status_code] == [403, 403]
    assert "Only vouched members see this page." in text_of(one)
    assert "Other" not in text_of(everybody)
    assert not Vouch.objects.exists()


def test_nobody_vouches_for_themselves(member: UserProfile, client: Client) -> None:
    answer = client.post(reverse("member", args=[member.pk]), {"act": "vouch"})

    assert answer.status_code == 403
    assert member.vouches_received.count() == 1


def test_no_page_of_somebody_else_shows_their_address(member: UserProfile, client: Client) -> None:
    other = UserProfileFactory.create()

    pages = [client.get(reverse("members")), client.get(reverse("member", args=[other.pk]))]

    assert not [page for page in pages if other.user.email in text_of(page)]


def test_members_are_found_by_name(member: UserProfile, client: Client) -> None:
    UserProfileFactory.create(full_name="Ana")
    UserProfileFactory.create(full_name="Bea")

    page = text_of(client.get(reverse("members"), {"q": "ana"}))

    assert "Ana" in page
    assert "Bea" not in page


# Deletion


def test_member_deletes_their_own_account(
    basket: SandboxServer, commit: Commit, client: Client
) -> None:
    with commit():
        member = VouchFactory.create().vouchee
    email = member.user.email
    basket.put_person(email, add=["app-dev"])
    member.user.set_password(PASSWORD)
    member.user.save()
    client.force_login(member.user)

    with commit():
        page = client.post(reverse("delete-account"), {"password": PASSWORD}, follow=True)

    assert "Your account is deleted." in text_of(page)
    assert not User.objects.filter(email=email).exists()
    assert held(basket, email) == {"app-dev"}


@pytest.mark.parametrize("password", ["wrong", ""])
def test_wrong_password_deletes_nothing(member: UserProfile, client: Client, password: str) -> None:
    client.post(reverse("delete-account"), {"password": password})

    assert User.objects.filter(pk=member.user.pk).exists()


# Development


urlpatterns = [*urls.urlpatterns, path("mail/", sent_mail, name="mail")]


def test_sent_mail_is_shown_in_development_only(client: Client) -> None:
    assert client.get("/mail/").status_code == 404
    assert "/mail/" not in text_of(client.get("/"))


def test_pages_lead_to_the_sent_mail_in_development(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__

    assert '<a href="/mail/">Sent mail</a>' in text_of(client.get("/"))
