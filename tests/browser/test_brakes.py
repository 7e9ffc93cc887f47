"""What the brakes hold back is looked at and released on pages of their own."""

import pytest
from playwright.sync_api import Page, expect

from mozillians_basket import reconcile
from mozillians_basket.models import Pulse
from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import UserProfile
from tests.browser.accessibility import assert_accessible, tab_to
from tests.browser.conftest import Start
from tests.browser.crowd import addresses, crowd, holders
from tests.browser.moves import PATIENCE, row
from tests.browser.past import PHONE
from tests.services.processes import wait_until
from tests.services.worker import Beat, Worker

pytestmark = pytest.mark.browser

#: More than may go at once (``BASKET_BRAKE_FLOOR``).
MANY = 60


@pytest.fixture
def many_subscribed(basket: SandboxServer, start: Start) -> set[str]:
    """So many vouched members who get what they should; verified all the time."""
    crowd(MANY, is_vouched=lambda number: True)
    start(Worker, Beat, BASKET_VERIFY_EVERY="1")
    reconcile.apply()
    everybody = addresses(range(MANY))
    wait_until(lambda: holders(basket, PHONE) == everybody, timeout=PATIENCE, what="Basket")
    return everybody


def test_removals_that_are_held_back_are_looked_at_and_released(
    admin_page: Page, basket: SandboxServer, many_subscribed: set[str]
) -> None:
    UserProfile.objects.update(is_vouched=False)
    reconcile.apply()
    admin_page.goto("/admin/mozillians_basket/")

    admin_page.get_by_role("link", name="Look at what is held back").click()
    expect(row(admin_page, PHONE).get_by_role("cell")).to_have_text(
        [str(MANY), str(MANY), str(MANY), "0"]
    )
    expect(admin_page.get_by_role("table", name="who do not meet the policy")).to_be_visible()
    assert_accessible(admin_page)
    release = admin_page.get_by_role("button", name=f"Release: remove {MANY} subscriptions")
    release.click()
    expect(admin_page.get_by_text("Nothing was released: tick the box first.")).to_be_visible()
    assert holders(basket, PHONE) == many_subscribed
    assert_accessible(admin_page)
    tab_to(admin_page, admin_page.get_by_label("I have looked at the numbers"))
    admin_page.keyboard.press("Space")
    tab_to(admin_page, release)
    admin_page.keyboard.press("Enter")

    expect(admin_page.get_by_text("The worker carries it out")).to_be_visible()
    wait_until(lambda: not holders(basket, PHONE), timeout=PATIENCE, what="Basket")
    admin_page.reload()
    expect(admin_page.get_by_text("No brake is on: nothing is held back.")).to_be_visible()


def test_what_basket_has_lost_is_subscribed_again_when_an_admin_says_so(
    admin_page: Page, basket: SandboxServer, many_subscribed: set[str]
) -> None:
    basket.forget_people()
    wait_until(
        lambda: Pulse.now().losing_since is not None, timeout=PATIENCE, what="that it is noticed"
    )
    admin_page.goto("/admin/mozillians_basket/")

    admin_page.get_by_role("link", name="Look at what is gone").click()
    expect(row(admin_page, PHONE)).to_contain_text(f"{MANY}")
    assert_accessible(admin_page)
    assert not holders(basket, PHONE)
    admin_page.get_by_label("Basket lost them: subscribe them again").check()
    admin_page.get_by_label("I have looked at the numbers").check()
    admin_page.get_by_role("button", name="Carry it out").click()

    expect(admin_page.get_by_text("The worker carries it out")).to_be_visible()
    wait_until(lambda: holders(basket, PHONE) == many_subscribed, timeout=PATIENCE, what="Basket")
    admin_page.reload()
    expect(admin_page.get_by_text("No brake is on: nothing needs a decision.")).to_be_visible()
