"""The questions to admins: removals held back, and losses at Basket."""

import pytest
from playwright.sync_api import Locator, Page, expect

from mozillians_basket.models import Approval, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile
from project.people.models import UserProfile
from project.processes import Beat, Worker, wait_until
from tests.browser.accessibility import assert_accessible, tab_to
from tests.browser.conftest import Start
from tests.browser.crowd import addresses, crowd, holders
from tests.browser.moves import PATIENCE
from tests.browser.past import PHONE

pytestmark = pytest.mark.browser

#: The default number of removals an hour without approval.
FLOOR = 50

#: More members than that.
MANY = 80


@pytest.fixture
def many_subscribed(basket: SandboxServer, start: Start) -> set[str]:
    """Vouched members whose newsletter a lookup has shown; verification goes on."""
    crowd(MANY, is_vouched=lambda number: True)
    start(Worker, Beat, BASKET_VERIFY_EVERY="1")
    reconcile.apply()
    seen = Subscription.objects.filter(state=State.SUBSCRIBED, seen_at__isnull=False)
    wait_until(lambda: seen.count() == MANY, timeout=PATIENCE, what="the subscriptions")
    everybody = addresses(range(MANY))
    assert holders(basket, PHONE) == everybody
    return everybody


def question(page: Page) -> Locator:
    """Return the question about the newsletter, with its number, examples and form."""
    return page.get_by_role("region", name=PHONE, exact=True)


def test_removals_held_back_by_a_brake_are_shown_and_released(
    admin_page: Page, basket: SandboxServer, many_subscribed: set[str]
) -> None:
    UserProfile.objects.update(is_vouched=False)
    reconcile.apply()
    held_back = MANY - FLOOR
    wait_until(lambda: len(holders(basket, PHONE)) == held_back, timeout=PATIENCE, what="Basket")
    left = holders(basket, PHONE)
    admin_page.goto("/admin/mozillians_basket/")

    admin_page.get_by_role("link", name="Look at what is held back").click()
    numbers = question(admin_page).get_by_role("table", name="Removals that a release carries out")
    expect(numbers.locator("td.basket-number")).to_have_text([str(held_back), str(MANY)])
    examples = question(admin_page).get_by_role("table", name="Members who would lose it")
    expect(examples.get_by_role("rowheader", name="Member 000")).to_have_count(5)
    assert_accessible(admin_page)
    release = admin_page.get_by_role("button", name=f"Release: remove {held_back} subscriptions")
    release.click()
    expect(admin_page.get_by_text("Nothing was done: tick the box first.")).to_be_visible()
    assert holders(basket, PHONE) == left
    assert_accessible(admin_page)
    tab_to(admin_page, admin_page.get_by_label("I have looked at the numbers"))
    admin_page.keyboard.press("Space")
    tab_to(admin_page, release)
    admin_page.keyboard.press("Enter")

    expect(admin_page.get_by_text("Released. The worker carries it out")).to_be_visible()
    wait_until(lambda: not holders(basket, PHONE), timeout=PATIENCE, what="Basket")
    admin_page.reload()
    expect(admin_page.get_by_text("No brake is on: nothing is held back.")).to_be_visible()


def test_lost_subscriptions_are_subscribed_again_when_an_admin_says_so(
    admin_page: Page, basket: SandboxServer, many_subscribed: set[str]
) -> None:
    basket.forget_people()
    losses = Approval.objects.filter(kind=Approval.Kind.LOSS, closed_at=None, number=MANY)
    wait_until(losses.exists, timeout=PATIENCE, what="the question")
    admin_page.goto("/admin/mozillians_basket/")

    admin_page.get_by_role("link", name="Look at what is missing").click()
    numbers = question(admin_page).get_by_role("table", name="Subscriptions missing at Basket")
    expect(numbers.locator("td.basket-number")).to_have_text([str(MANY), str(MANY)])
    examples = question(admin_page).get_by_role("table", name="subscription is missing")
    expect(examples.get_by_role("rowheader", name="Member 000")).to_have_count(5)
    assert_accessible(admin_page)
    assert not holders(basket, PHONE)
    admin_page.get_by_label("Basket lost them: subscribe them again").check()
    admin_page.get_by_label("I have looked at the numbers").check()
    admin_page.get_by_role("button", name="Carry it out").click()

    expect(admin_page.get_by_text("Answered. The worker carries it out")).to_be_visible()
    wait_until(lambda: holders(basket, PHONE) == many_subscribed, timeout=PATIENCE, what="Basket")
    admin_page.reload()
    expect(admin_page.get_by_text("No question is open: nothing needs a decision.")).to_be_visible()
