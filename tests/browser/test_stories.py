"""Tasks of an admin who has never seen these pages, solved with the texts on the pages."""

import pytest
from playwright.sync_api import Page, expect

from mozillians_basket.models import Contact
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import SiteProcess, wait_until
from tests.browser import past
from tests.browser.crowd import COUNTRIES, address, addresses, crowd, holders
from tests.browser.moves import (
    PATIENCE,
    choice,
    choose_action,
    number,
    open_member,
    reload_until,
    select_all,
    turn_switch,
)
from tests.browser.past import NDA, PHONE

pytestmark = pytest.mark.browser


def test_subscribe_everyone_vouched_in_brazil(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    crowd(60, is_vouched=lambda number: number % 2 == 0)
    brazil = COUNTRIES.index("BR")
    meant = [number for number in range(0, 60, 2) if number % len(COUNTRIES) == brazil]
    admin_page.goto("/admin/")
    admin_page.get_by_role("main").get_by_role("link", name="Profiles").click()

    filters = admin_page.get_by_role("navigation", name="Filter")
    filters.get_by_role("link", name="Yes").click()
    filters.get_by_role("link", name="BR").click()
    select_all(admin_page, len(meant))
    choose_action(admin_page, "subscribe_user_to_basket")
    expect(admin_page.get_by_text(f"{len(meant)} members are selected")).to_be_visible()
    choice(admin_page, NDA).check()
    admin_page.get_by_role("button", name="Subscribe", exact=True).click()

    expect(number(admin_page, "done")).to_have_text(f"{len(meant)}", timeout=PATIENCE * 1000)
    assert holders(basket, NDA) == addresses(meant)


def test_find_out_why_one_person_gets_nothing_and_mend_it(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    past.happen(basket)

    open_member(admin_page, address(past.REFUSED))
    expect(admin_page.get_by_text("Basket says the address is invalid").first).to_be_visible()
    admin_page.get_by_role("link", name="The problem").click()
    basket.heal()
    admin_page.get_by_role("button", name="Try again").click()

    wait_until(
        lambda: address(past.REFUSED) in holders(basket, PHONE), timeout=PATIENCE, what="Basket"
    )


def test_stop_everything_start_again_and_repair_what_failed(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    crowd(30)
    basket.fail("subscribe", status=400, code=2, email=address(7))
    admin_page.goto("/admin/people/userprofile/")
    select_all(admin_page, 30)
    choose_action(admin_page, "subscribe_user_to_basket")
    choice(admin_page, PHONE).check()
    basket.latency = 0.3
    admin_page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(admin_page.get_by_role("heading", name="Progress")).to_be_visible()
    bulk = admin_page.url

    turn_switch(admin_page)
    basket.latency = 0
    leased = Contact.objects.filter(leased_until__isnull=False)
    wait_until(lambda: not leased.exists(), timeout=PATIENCE, what="the end of calls under way")
    basket.clear_requests()
    admin_page.goto(bulk)
    expect(admin_page.get_by_text("BASKET_SWITCH_ENABLED is off")).to_be_visible()
    admin_page.wait_for_timeout(3000)
    assert not basket.requests

    turn_switch(admin_page)
    admin_page.goto(bulk)
    expect(number(admin_page, "done")).to_have_text("29", timeout=PATIENCE * 1000)
    expect(number(admin_page, "failed")).to_have_text("1")
    basket.heal()
    admin_page.goto("/admin/mozillians_basket/")
    admin_page.get_by_role("main").get_by_role("link", name="Problems").first.click()
    admin_page.get_by_label("Select all objects on this page for an action").check()
    choose_action(admin_page, "retry")

    everybody = addresses(range(30))
    wait_until(lambda: holders(basket, PHONE) == everybody, timeout=PATIENCE, what="Basket")
    well = admin_page.get_by_text("All is well")
    reload_until(admin_page, well.is_visible, "no problems")
