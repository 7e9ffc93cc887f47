"""The history: search, filters, and the link to the member."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import past
from tests.browser.accessibility import assert_accessible
from tests.browser.crowd import address

pytestmark = pytest.mark.browser

HISTORY = "/admin/mozillians_basket/event/"


def test_events_of_a_member_are_found_by_their_address(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.goto(HISTORY)
    rows = admin_page.locator("#result_list tbody tr")
    expect(rows).to_have_count(past.MEMBERS - 1)  # a failed lookup is no event

    admin_page.get_by_role("textbox", name="Search").fill(address(past.OPTED_OUT))
    admin_page.keyboard.press("Enter")

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("opted out")
    expect(rows).to_contain_text("Member 00003")
    assert_accessible(admin_page)


def test_history_is_filtered_by_kind_and_links_to_the_member(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.goto(HISTORY)

    admin_page.get_by_role("link", name="refused", exact=True).click()
    rows = admin_page.locator("#result_list tbody tr")
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name="Member 00001").click()

    expect(admin_page.get_by_role("heading", name="Newsletters", exact=True)).to_be_visible()
    expect(admin_page.get_by_text("Basket says the address is invalid").first).to_be_visible()


def test_history_cannot_be_changed(admin_page: Page, site_with_a_past: None) -> None:
    admin_page.goto(HISTORY)

    expect(admin_page.locator("#result_list")).to_be_visible()
    content = admin_page.get_by_role("main").locator("#content")
    expect(content.locator(".addlink")).to_have_count(0)
    expect(content.get_by_label("Action:")).to_have_count(0)
    content.locator("#result_list tbody a").first.click()
    expect(content.get_by_role("button", name="Save")).to_have_count(0)
