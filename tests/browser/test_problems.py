"""The list of problems: find, understand, retry or dismiss."""

import pytest
from playwright.sync_api import Page, expect

from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import SiteProcess, wait_until
from tests.browser import past
from tests.browser.accessibility import assert_accessible, tab_to
from tests.browser.crowd import address, holders
from tests.browser.moves import PATIENCE, choose_action, reload_until
from tests.browser.past import PHONE

pytestmark = pytest.mark.browser

PROBLEMS = "/admin/mozillians_basket/failingcontact/"


def test_empty_list_says_that_all_is_well(admin_page: Page) -> None:
    admin_page.goto(PROBLEMS)

    expect(admin_page.get_by_text("All is well")).to_be_visible()
    assert_accessible(admin_page)


def test_problems_are_told_in_plain_words_and_filtered(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.goto(PROBLEMS)
    rows = admin_page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)

    admin_page.get_by_role("link", name="address or person refused").click()

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Basket says the address is invalid")
    expect(rows).to_contain_text("code 2")
    expect(rows).to_contain_text(address(past.REFUSED))
    assert_accessible(admin_page)


def test_problems_are_tried_again_once_the_cause_is_gone(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    past.happen(basket)
    basket.heal()
    admin_page.goto(PROBLEMS)

    admin_page.get_by_label("Select all objects on this page for an action").check()
    choose_action(admin_page, "retry")

    expect(admin_page.get_by_text("tried again in the background")).to_be_visible()
    mended = {address(past.REFUSED), address(past.FAILING)}
    wait_until(lambda: mended <= holders(basket, PHONE), timeout=PATIENCE, what="Basket")
    well = admin_page.get_by_text("All is well")
    reload_until(admin_page, well.is_visible, "no problems")


def test_problem_is_opened_and_tried_again_by_the_keyboard(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    past.happen(basket)
    basket.heal()
    admin_page.goto(PROBLEMS)
    admin_page.locator("#result_list").get_by_role("link", name="Basket says the address").click()
    assert_accessible(admin_page)

    tab_to(admin_page, admin_page.get_by_role("button", name="Try again"))
    admin_page.keyboard.press("Enter")

    expect(admin_page.get_by_text("1 problem is tried again")).to_be_visible()
    wait_until(
        lambda: address(past.REFUSED) in holders(basket, PHONE), timeout=PATIENCE, what="Basket"
    )


def test_problem_is_dismissed_with_a_note_that_the_history_keeps(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.goto(PROBLEMS)
    row = admin_page.locator("#result_list tbody tr").filter(has_text=address(past.REFUSED))
    row.get_by_role("checkbox").check()
    choose_action(admin_page, "dismiss")
    expect(admin_page.get_by_text("1 problem is dismissed")).to_be_visible()
    assert_accessible(admin_page)

    admin_page.get_by_role("textbox", name="Note").fill("They will write another address.")
    admin_page.get_by_role("button", name="Dismiss").click()

    expect(admin_page.get_by_text("1 problem was dismissed")).to_be_visible()
    expect(row).not_to_be_visible()
    admin_page.get_by_role("link", name="dismissed", exact=True).click()
    expect(row).to_be_visible()
    admin_page.goto("/admin/mozillians_basket/event/?kind__exact=dismissed")
    expect(admin_page.locator("#result_list")).to_contain_text("dismissed a problem")
