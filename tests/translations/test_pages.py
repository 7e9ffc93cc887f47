"""The members' pages in each language: no English text of the site's own, and right to left."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import polib
import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from waffle.testutils import override_switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.sandbox.testing import SandboxServer
from project.groups.models import Group, Membership
from project.people.models import UserProfile
from tests.brokers import Commit
from tests.factories import MembershipFactory, UserFactory, UserProfileFactory, VouchFactory
from tests.translations.catalogues import LANGUAGES, PARTS

PASSWORD = "a long password"
PHONE, NDA, OPEN = "mozilla-phone", "mozillians-nda", "mozilla-foundation"
NEWSLETTERS = reverse("mozillians_basket:newsletters")
GROUP = reverse("group", args=["nda"])

#: Names, addresses and codes in the rows of these tests, and numbers.
DATA = re.compile(r"\b(?:xx|user\d)[\w-]*(?:@[\w.-]+)?|\bBR\b|\d+")

#: The attributes that a person reads or hears.
READ = {"alt", "aria-label", "placeholder", "title"}

#: Words of Django's own catalogues that a language spells as English does.
DJANGOS = {"es": {"no"}}


class Texts(HTMLParser):
    """Collects what a person reads on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.direction = ""
        self.found: set[str] = set()
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "html":
            self.direction = named.get("dir") or ""
        if tag in {"script", "style", "option"}:
            self._inside.append(tag)
        for name in READ & named.keys():
            self._add(named[name] or "")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self._add(data)

    def _add(self, text: str) -> None:
        for part in DATA.sub("", text).split(" – "):  # noqa: RUF001 - of titles
            left = " ".join(part.split()).rstrip(" :")
            if any(each.isalpha() for each in left):
                self.found.add(left)


def pages(language: str, basket: SandboxServer, commit: Commit) -> Iterator[Any]:
    """Yield pages of members, with forms in error and messages, in one language."""
    accept = {"accept-language": language}
    visitor, own, managers = Client(headers=accept), Client(headers=accept), Client(headers=accept)
    name = f"xx-{language}"

    def person(role: str) -> UserProfile:
        user = UserFactory.create(username=f"{name}-{role}", email=f"{name}-{role}@example.com")
        return UserProfileFactory.create(user=user, full_name=f"{name}-{role}")

    def say(client: Client, url: str, **fields: Any) -> Any:
        with commit():
            return client.post(url, fields, follow=True)

    # Visitors and newcomers.
    yield visitor.get("/")
    yield visitor.get(reverse("sign-in"))
    yield visitor.post(reverse("sign-in"), {"username": "nobody", "password": "wrong"})
    yield visitor.get("/nowhere/")
    with commit():
        member = person("member")
    member.user.set_password(PASSWORD)
    member.user.save()
    own.force_login(member.user)
    yield own.get("/")
    yield own.get(GROUP)
    yield own.get(NEWSLETTERS)
    yield own.get(reverse("members"))
    yield say(own, NEWSLETTERS, choice="subscribe", newsletter=PHONE)
    yield say(own, NEWSLETTERS, choice="manage")

    # The profile and the address.
    yield say(own, reverse("profile"), full_name=f"{name}-member", country="12")
    yield say(own, reverse("profile"), full_name=f"{name}-member", country="br")
    yield own.get(reverse("address"))
    yield say(own, reverse("address"), email="nobody")
    yield say(own, reverse("address"), email=member.user.email)
    for number in range(6):
        yield say(own, reverse("address"), email=f"xx-{number}@example.com")
    yield own.get(reverse("confirm-address", args=["wrong"]))
    yield own.get(reverse("delete-account"))
    yield say(own, reverse("delete-account"), password="wrong")

    # Vouching, and the list of members.
    voucher = person("voucher")
    with commit():
        VouchFactory.create(voucher=voucher, vouchee=member, reason="xx-reason")
        VouchFactory.create(voucher=None, vouchee=member)
    other = person("other")
    page = reverse("member", args=[other.pk])
    UserProfileFactory.create_batch(51)
    yield own.get("/")
    yield own.get(reverse("members"))
    yield own.get(reverse("members"), {"page": 2})
    yield own.get(reverse("members"), {"q": "nobody has this name"})
    yield own.get(reverse("member", args=[member.pk]))
    yield say(own, reverse("member", args=[member.pk]), act="vouch")
    yield own.get(page)
    yield say(own, page, act="vouch")
    yield say(own, page, act="take back")

    # The group, for a member and for a manager.
    nda = Group.objects.get_or_create(slug="nda", defaults={"name": "NDA"})[0]
    manager = person("manager")
    managers.force_login(manager.user)
    yield say(managers, GROUP, act="accept")
    manager.user.user_permissions.add(Permission.objects.get(codename="change_membership"))
    yield managers.get(GROUP)
    yield own.get(GROUP)
    yield say(own, GROUP, act="ask")
    yield say(own, GROUP, act="ask")
    membership = Membership.objects.get(profile=member)
    yield managers.get(GROUP)
    yield say(managers, GROUP, act="accept", membership=membership.pk)
    yield own.get(GROUP)
    yield say(own, GROUP, act="accept terms")
    guest = MembershipFactory.create(profile=other, group=nda)
    yield own.get("/")
    yield say(managers, GROUP, act="remove", membership=guest.pk)

    # The newsletters.
    yield own.get(NEWSLETTERS)
    yield say(own, NEWSLETTERS, choice="unsubscribe", newsletter=PHONE)
    yield say(own, NEWSLETTERS, choice="subscribe", newsletter=PHONE)
    yield say(own, NEWSLETTERS, choice="subscribe", newsletter=OPEN)
    yield say(own, NEWSLETTERS, choice="manage")
    with override_switch(SWITCH, active=False):
        yield say(own, NEWSLETTERS, choice="manage")
        yield say(own, NEWSLETTERS, choice="unsubscribe", newsletter=NDA)
    member.user.email = f"{name}-moved@example.com"
    member.user.save()
    yield own.get(NEWSLETTERS)
    basket.fail("subscribe", status=400, code=2)
    with commit():
        UserProfileFactory.create(user__email=member.user.email)
        VouchFactory.create(vouchee=member)
    yield own.get(NEWSLETTERS)
    basket.heal()
    yield say(own, NEWSLETTERS, choice="manage")
    User.objects.filter(pk=member.user.pk).update(email="")
    yield own.get(NEWSLETTERS)
    stranger = Client(headers=accept)
    stranger.force_login(UserFactory.create(username=f"{name}-stranger"))
    yield stranger.get(NEWSLETTERS)
    yield say(own, reverse("delete-account"), password=PASSWORD)


#: The pages by language; the English ones are compared with those of each other language.
PAGES_READ: dict[str, list[Texts]] = {}


def same_as_english(language: str) -> set[str]:
    """Return the texts that a translator left as they are in English, on purpose."""
    found = {
        entry.msgid
        for part in PARTS
        for entry in polib.pofile(str(part.catalogue(language)))
        if entry.msgstr == entry.msgid
    }
    return found | DJANGOS.get(language, set())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_has_an_english_text_of_the_sites(
    language: str, basket: SandboxServer, commit: Commit, settings: Any
) -> None:
    settings.BASKET_OPEN_NEWSLETTERS = [OPEN]
    for each in {"en", language} - PAGES_READ.keys():
        cache.clear()
        PAGES_READ[each] = [Texts(page.content.decode()) for page in pages(each, basket, commit)]
    english, translated = (
        set().union(*(page.found for page in PAGES_READ[each])) for each in ("en", language)
    )

    assert len(english) > 100
    assert english & translated <= same_as_english(language)
    assert {page.direction for page in PAGES_READ[language]} == {
        "rtl" if language == "ar" else "ltr"
    }
