"""Options of a site's description: an address by expression, and tables of another member model."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import OuterRef, Q, Subquery
from django.test import Client

from mozillians_basket import sync, tasks
from mozillians_basket.ledger import touches
from mozillians_basket.models import Contact, Decision, Status, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.site import BasketSite, Policy, Trigger, get_site
from tests.app.steps import contact_of, settle_everything
from tests.brokers import Commit
from tests.factories import UserProfileFactory, VouchFactory


class Chosen(BasketSite):
    """A site on which staff have no address for newsletters."""

    email = Subquery(
        User.objects.filter(profile=OuterRef("pk"), is_staff=False).values("email")[:1]
    )
    policies = (Policy("mozilla-phone", Q(is_vouched=True), label="vouched members"),)
    triggers = (Trigger("auth.User", member="profile", fields={"email", "is_staff"}),)


@pytest.fixture
def chosen(settings: Any) -> None:
    settings.BASKET_SITE = f"{__name__}.Chosen"


def test_address_may_be_an_expression(basket: SandboxServer, chosen: None, commit: Commit) -> None:
    with commit():
        profile = VouchFactory.create().vouchee
    with commit():
        profile.user.email = "new@example.com"
        profile.user.save()
    settle_everything()  # type: ignore[no-untyped-call]

    held = {email for email, person in basket.people.items() if person.newsletters}
    assert held == {"new@example.com"}
    assert get_site().members_at(["NEW@example.com"]) == [profile.pk]


def test_expression_without_a_value_is_no_address(basket: SandboxServer, chosen: None) -> None:
    profile = UserProfileFactory.create(user__is_staff=True)

    assert get_site().standings([profile.pk])[profile.pk].email == ""


def test_query_for_thousands_of_members_names_each_once(db: None) -> None:
    profile = VouchFactory.create().vouchee
    keys = range(profile.pk, profile.pk + 12_000)
    sizes: list[int] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, *more: Any) -> Any:
        sizes.append(len(params))
        return execute(sql, params, *more)

    with connection.execute_wrapper(note):
        standings = get_site().standings(keys)

    assert standings[profile.pk].entitled == {"mozilla-phone"}
    assert len(keys) <= sum(sizes) < 2 * len(keys)  # SQLite takes 32,766 by default
    assert get_site().standings_between(keys[0], keys[-1]) == standings


def test_label_of_a_policy_is_shown_to_admins(
    basket: SandboxServer, chosen: None, admin_client: Client
) -> None:
    profile = VouchFactory.create().vouchee
    settle_everything()  # type: ignore[no-untyped-call]

    page = admin_client.get(f"/admin/people/userprofile/{profile.pk}/change/")

    assert "Reason: vouched members, since" in page.content.decode()


def test_nothing_is_evaluated_or_sent_for_another_member_model(basket: SandboxServer) -> None:
    VouchFactory.create()
    touches.drain()
    VouchFactory.create()
    Status.objects.update(member_model="auth.User")
    waiting = Touch.objects.count()

    for work in (touches.drain, sync.look_up):
        with pytest.raises(ImproperlyConfigured, match=r"made for auth\.User"):
            work()

    assert basket.requests == []
    assert Touch.objects.count() == waiting
    assert Decision.objects.filter(wanted=True).count() == 1
    assert not Contact.objects.exclude(lease="").exists()


def test_work_goes_on_once_the_member_model_is_right_again(
    basket: SandboxServer, commit: Commit
) -> None:
    Status.read()
    Status.objects.update(member_model="auth.User")
    profile = VouchFactory.create().vouchee
    with pytest.raises(ImproperlyConfigured):
        touches.drain()

    Status.objects.update(member_model="people.UserProfile")
    tasks.sweep()

    assert contact_of(profile).attempts == 0  # type: ignore[no-untyped-call]
    assert list(basket.people) == [profile.user.email]
