"""The steps of people on the pages, in the pages' words."""

from collections.abc import Callable
from re import Pattern

from playwright.sync_api import Locator, Page, expect

from project.people.models import UserProfile
from project.processes import wait_until

#: Seconds to wait for a worker.
PATIENCE = 60.0


def open_member(page: Page, email: str) -> None:
    """Find a member in the list by their address, and open their page."""
    profile = UserProfile.objects.get(user__email=email)
    page.goto("/admin/people/userprofile/")
    page.get_by_role("textbox", name="Search").fill(email)
    page.keyboard.press("Enter")
    page.get_by_role("rowheader").get_by_role("link", name=profile.user.username).click()
    expect(page.get_by_role("heading", name="Newsletters", exact=True)).to_be_visible()


def choose_action(page: Page, action: str) -> None:
    """Run an action on the ticked rows of a list."""
    page.get_by_label("Action:").select_option(action)
    page.get_by_role("button", name="Go").or_(page.get_by_role("button", name="Run")).click()


def select_all(page: Page, count: int) -> None:
    """Tick all members of the present list, across all of its pages."""
    page.get_by_label("Select all objects on this page for an action").check()
    if count > 100:
        page.get_by_text(f"Select all {count} profiles").click()


def order_for_all(page: Page, count: int, newsletter: str, *, query: str = "") -> None:
    """Subscribe the members of a list to a newsletter, up to the bulk request's own page."""
    page.goto(f"/admin/people/userprofile/{query}")
    select_all(page, count)
    choose_action(page, "subscribe_user_to_basket")
    expect(page.get_by_text(f"{count:,} members are selected")).to_be_visible()
    choice(page, newsletter).check()
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.get_by_role("heading", name="Progress")).to_be_visible()


def choice(page: Page, newsletter: str) -> Locator:
    """Return the box of a newsletter on the page that asks for the newsletters."""
    return page.get_by_role("row").filter(has_text=newsletter).get_by_role("checkbox")


def number(page: Page, name: str) -> Locator:
    """Return a number on a bulk request's page."""
    return page.locator(f"[data-basket-number={name}]")


def choose_language(page: Page, code: str) -> None:
    """Choose a language at the foot of a page of the site."""
    form = page.get_by_role("contentinfo")
    form.get_by_role("combobox").select_option(code)
    form.get_by_role("button").click()
    expect(page.locator("html")).to_have_attribute("lang", code)


def row(page: Page, heading: str | Pattern[str]) -> Locator:
    """Return the row of a table with this heading."""
    return page.get_by_role("row").filter(
        has=page.get_by_role("rowheader", name=heading, exact=True)
    )


def reload_until(page: Page, is_shown: Callable[[], bool], what: str) -> None:
    """Reload the page until it shows the expected text."""

    def shown_now() -> bool:
        page.reload()
        return is_shown()

    wait_until(shown_now, timeout=PATIENCE, what=f"{what} on {page.url}")


def turn_switch(page: Page) -> None:
    """Stop everything or turn the switch on again, by the overview's link."""
    page.goto("/admin/mozillians_basket/status/")
    row(page, "Switch").get_by_role("link").click()
    if page.get_by_label("Reason").is_visible():
        page.get_by_label("Reason").fill("a wrong import")
        page.get_by_label("Yes, send nothing more to Basket").check()
        page.get_by_role("button", name="Stop everything").click()
        expect(page.get_by_text("Stopped: nothing more is sent to Basket.")).to_be_visible()
    else:
        page.get_by_role("button", name="Turn the switch on again").click()
        expect(page.get_by_text("The switch is on again")).to_be_visible()
