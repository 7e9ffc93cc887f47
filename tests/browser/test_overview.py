"""The overview: the switch, the breaker, the queue, the calls of the last days."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from mozillians_basket.models import Contact, Status
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile
from project.processes import SiteProcess, wait_until
from tests.browser.accessibility import assert_accessible, tab_to
from tests.browser.crowd import addresses, crowd, holders
from tests.browser.moves import PATIENCE, reload_until, row, turn_switch
from tests.browser.past import MEMBERS, PHONE

pytestmark = pytest.mark.browser

OVERVIEW = "/admin/mozillians_basket/status/"


def test_the_overview_is_one_link_from_the_app_s_page(admin_page: Page) -> None:
    admin_page.goto("/admin/")

    admin_page.get_by_role("main").get_by_role("link", name="Basket newsletters").click()
    admin_page.get_by_role("link", name="Overview: switch").click()

    expect(admin_page.get_by_role("heading", name="How it stands")).to_be_visible()


def test_the_overview_counts_what_was_done_and_what_waits(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.goto(OVERVIEW)

    newsletter = row(admin_page, PHONE).get_by_role("cell")
    wanted, confirmed = str(MEMBERS - 1), str(MEMBERS - 3)
    expect(newsletter).to_have_text([wanted, confirmed, "0", "1", "1", "0", "0"])
    expect(row(admin_page, "Address not accepted").get_by_role("cell").first).to_have_text("1")
    expect(admin_page.get_by_role("img", name="24 hours").first).to_be_visible()
    expect(admin_page.get_by_role("img", name="30 days").first).to_be_visible()
    assert_accessible(admin_page)


def test_the_charts_have_tables_that_the_keyboard_opens(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.goto(OVERVIEW)
    table = admin_page.get_by_role("table", name="The last 24 hours: All newsletters")

    tab_to(admin_page, admin_page.locator("summary").first)
    expect(table).not_to_be_visible()
    admin_page.keyboard.press("Enter")

    expect(table).to_be_visible()
    assert_accessible(admin_page)


def test_everything_is_stopped_and_started_again(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    crowd(MEMBERS, is_vouched=lambda number: True)

    turn_switch(admin_page)
    admin_page.goto(OVERVIEW)
    expect(row(admin_page, "Switch")).to_contain_text("Off: nothing is sent to Basket.")
    expect(admin_page.get_by_text("BASKET_SWITCH_ENABLED is off")).to_be_visible()
    reconcile.apply()
    due = row(admin_page, "Due").get_by_role("cell").first
    reload_until(admin_page, lambda: due.inner_text() == str(MEMBERS), "what waits")
    assert_accessible(admin_page)
    assert not basket.requests

    turn_switch(admin_page)
    admin_page.goto(OVERVIEW)

    expect(admin_page.get_by_text("On: changes are sent to Basket.")).to_be_visible()
    everybody = addresses(range(MEMBERS))
    wait_until(lambda: holders(basket, PHONE) == everybody, timeout=PATIENCE, what="Basket")
    reload_until(admin_page, lambda: due.inner_text() == "0", "that nothing waits")


def test_the_numbers_are_kept_up_to_date_without_a_reload(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.clock.install()
    admin_page.goto(OVERVIEW)
    expect(row(admin_page, "Due").get_by_role("cell").first).to_have_text("0")
    Contact.objects.create(email="a@example.com", key="a@example.com", touched_at=timezone.now())

    admin_page.clock.fast_forward(11_000)

    expect(row(admin_page, "Due").get_by_role("cell").first).to_have_text("1")


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_of_the_overview_fit_the_screen(
    admin_page: Page, site_with_a_past: None, width: int
) -> None:
    admin_page.set_viewport_size({"width": width, "height": 800})
    for page in ("", "stop/"):
        admin_page.goto(OVERVIEW + page)

        wide = admin_page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        assert_accessible(admin_page)


def test_an_open_breaker_is_said_on_the_overview_until_basket_answers_again(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    crowd(MEMBERS, is_vouched=lambda number: True)
    basket.fail(status=401, code=7)
    reconcile.apply()
    wait_until(lambda: Status.read().opened_at is not None, timeout=PATIENCE, what="the breaker")

    admin_page.goto(OVERVIEW)
    expect(admin_page.get_by_text("The breaker has been open since")).to_be_visible()
    expect(row(admin_page, "Breaker")).to_contain_text("Basket's code 7")
    assert_accessible(admin_page)
    basket.heal()

    closed = admin_page.get_by_text("Closed: Basket answers.")
    reload_until(admin_page, closed.is_visible, "a closed breaker")
    everybody = addresses(range(MEMBERS))
    wait_until(lambda: holders(basket, PHONE) == everybody, timeout=PATIENCE, what="Basket")


def test_overview_says_that_no_worker_runs(admin_page: Page) -> None:
    admin_page.goto(OVERVIEW)

    expect(admin_page.get_by_text("The sweeper has never run")).to_be_visible()
    assert_accessible(admin_page)
