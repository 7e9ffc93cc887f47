"""Parts of files in the docs do what their page says, on the site of this repository."""

from types import SimpleNamespace
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from mozillians_basket.models import Contact, Subscription, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.signals import subscription_confirmed
from mozillians_basket.site import BasketSite
from project.people.models import UserProfile
from tests.brokers import Commit
from tests.docs.pages import blocks
from tests.factories import UserProfileFactory, VouchFactory


def run(page: str, part: str, **names: Any) -> dict[str, Any]:
    """Run the one block of a page that holds some text; return its names."""
    [block] = [each for each in blocks("python") if each.page == page and part in each.text]
    exec(compile(block.text, str(block), "exec"), names)
    return names


def held(basket: SandboxServer, member: UserProfile) -> set[str]:
    person = basket.person(member.user.email)
    return set(person.newsletters) if person else set()


def test_functions_for_sites(
    vouched: UserProfile, basket: SandboxServer, commit: Commit, admin_user: User
) -> None:
    with commit():
        run(
            "docs/reference/api.md",
            "opt_in(",
            member=vouched,
            request=SimpleNamespace(user=admin_user),
        )

    assert held(basket, vouched) == {"mozilla-phone", "mozillians-nda"}


def test_public_tasks(basket: SandboxServer, commit: Commit) -> None:
    with commit():
        member = UserProfileFactory.create()
    assert held(basket, member) == set()

    run("docs/reference/tasks.md", "subscribe_user_to_basket.delay(", member=member)

    assert held(basket, member) == {"mozilla-phone"}


def test_touches_after_a_mass_change(vouched: UserProfile, commit: Commit) -> None:
    before = list(Touch.objects.values_list("pk", flat=True))

    run("docs/groups.md", "touch(member)", members=[vouched])

    assert [touch.member_id for touch in Touch.objects.exclude(pk__in=before)] == [vouched.pk]


def test_queries_for_problems(vouched: UserProfile) -> None:
    Contact.objects.filter(members__site_member=vouched).update(
        parked=True, failing_since=timezone.now()
    )
    Subscription.objects.update(state="refused", error_code="2")

    names = run("docs/problems.md", "parked=True")

    assert [contact.email for contact in names["parked"]] == [vouched.user.email]
    assert list(names["refused"]) == [{"newsletter": "mozilla-phone", "error_code": "2"}]


def test_receiver_of_a_signal(db: None) -> None:
    names = run("docs/reference/signals.md", "@receiver")

    assert subscription_confirmed.has_listeners(UserProfile)
    subscription_confirmed.disconnect(names["welcome"])


def test_fields_of_a_member(db: None) -> None:
    member = UserProfileFactory.create(country="BR", user__first_name="Member 01")
    names = run("docs/fields.md", "fields = {", BasketSite=BasketSite)

    expected = {"country": "br", "first_name": "Member 01", "lang": "pt-BR"}
    assert names["Community"]().fields_of([member.pk]) == {member.pk: expected}


def test_outage_in_a_test(basket_site: SandboxServer, basket_settled: Any) -> None:
    ada = VouchFactory.create(vouchee__user__email="ada@example.com").vouchee
    names = run("docs/when-basket-is-down.md", "def test_an_outage")

    names["test_an_outage_delays_a_change"](ada, basket_site, basket_settled)
