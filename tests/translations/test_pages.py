"""The members' pages in each language: no English text of the site's own, and right to left."""

from collections.abc import Iterator
from typing import Any

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
from tests.translations.catalogues import LANGUAGES
from tests.translations.texts import Texts, same_as_english

PASSWORD = "a long password"
PHONE, NDA, OPEN = "mozilla-phone", "mozillians-nda", "mozilla-foundation"
NEWSLETTERS = reverse("mozillians_basket:newsletters")
GROUP = reverse("group", args=["nda"])


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
