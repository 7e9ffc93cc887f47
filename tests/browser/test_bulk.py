"""Bulk requests, from the list of members to Basket's contents at the end."""

import re
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from playwright.sync_api import Page, expect
from waffle.models import Switch

from mozillians_basket.models import BulkItem, BulkRequest
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Beat, SiteProcess, Worker, wait_until
from tests.browser import past
from tests.browser.accessibility import assert_accessible, tab_to
from tests.browser.conftest import Start
from tests.browser.crowd import address, addresses, crowd, holders
from tests.browser.moves import (
    PATIENCE,
    choice,
    choose_action,
    number,
    order_for_all,
    row,
    select_all,
)
from tests.browser.past import NDA, PHONE

pytestmark = pytest.mark.browser

LIST = "/admin/people/userprofile/"

#: Seconds for 5,000 members, also on a machine that is busy with other things.
LONG = 1800.0


def test_all_of_5000_members_are_subscribed_while_the_bar_is_watched(
    admin_page: Page, start: Start, basket: SandboxServer
) -> None:
    start(Worker, Worker, Beat)
    crowd(5000)
    admin_page.goto(LIST)
    assert_accessible(admin_page)
    select_all(admin_page, 5000)
    choose_action(admin_page, "subscribe_user_to_basket")
    expect(admin_page.get_by_text("5,000 members are selected")).to_be_visible()
    assert_accessible(admin_page)
    tab_to(admin_page, choice(admin_page, PHONE))
    admin_page.keyboard.press("Space")
    tab_to(admin_page, admin_page.get_by_role("button", name="Subscribe", exact=True))
    admin_page.keyboard.press("Enter")

    bar = admin_page.get_by_role("progressbar", name="Progress")
    expect(bar).to_be_visible()
    admin_page.evaluate("window.neverReloaded = true")
    expect(number(admin_page, "done")).not_to_have_text("0", timeout=LONG * 1000)
    expect(admin_page.get_by_text("members a second")).to_be_visible(timeout=LONG * 1000)
    assert_accessible(admin_page)
    expect(bar).to_have_js_property("value", 100, timeout=LONG * 1000)
    expect(admin_page.get_by_text("Finished: 5,000 of 5,000 members.").first).to_be_visible()
    expect(number(admin_page, "done")).to_have_text("5,000")
    assert admin_page.evaluate("window.neverReloaded")
    assert_accessible(admin_page)
    assert holders(basket, PHONE) == addresses(range(5000))


def test_cancelling_leaves_out_members_not_begun_and_ends_orders_begun(
    admin_page: Page, worker: SiteProcess, basket: SandboxServer
) -> None:
    crowd(1500)
    basket.latency = 0.5
    order_for_all(admin_page, 1500, PHONE)
    expect(number(admin_page, "done")).not_to_have_text("0", timeout=PATIENCE * 1000)

    tab_to(admin_page, admin_page.get_by_role("button", name="Cancel what is not begun"))
    admin_page.keyboard.press("Enter")
    expect(admin_page.get_by_text("nothing is taken back")).to_be_visible()
    assert_accessible(admin_page)
    admin_page.get_by_role("button", name="Leave them out").click()

    expect(admin_page.get_by_text("Cancelled. Orders that were begun end")).to_be_visible()
    assert_accessible(admin_page)
    basket.latency = 0
    waiting = number(admin_page, "waiting")
    expect(waiting).to_have_text("0", timeout=PATIENCE * 1000)
    expect(admin_page.get_by_text("of 1,500 members are through").first).to_be_visible()
    begun = set(BulkItem.objects.values_list("member__user__email", flat=True))
    assert 0 < len(begun) < 1500
    expect(number(admin_page, "done")).to_have_text(f"{len(begun):,}")
    expect(number(admin_page, "cancelled")).to_have_text(f"{1500 - len(begun):,}")
    assert holders(basket, PHONE) == begun
    assert basket.people.keys() == begun


def test_failure_shows_its_reason_and_is_tried_again_once_the_cause_is_gone(
    admin_page: Page, worker: SiteProcess, basket: SandboxServer
) -> None:
    crowd(5)
    basket.fail("subscribe", status=400, code=2, email=address(1))
    order_for_all(admin_page, 5, PHONE)

    failure = row(admin_page, "Member 00001")
    expect(failure).to_contain_text("Basket says the address is invalid", timeout=PATIENCE * 1000)
    expect(failure).to_contain_text("code 2")
    expect(number(admin_page, "done")).to_have_text("4", timeout=PATIENCE * 1000)
    assert_accessible(admin_page)
    basket.heal()
    tab_to(admin_page, admin_page.get_by_role("button", name="Try the failed again"))
    admin_page.keyboard.press("Enter")

    expect(admin_page.get_by_text("The failed members are tried again.")).to_be_visible()
    expect(number(admin_page, "done")).to_have_text("5", timeout=PATIENCE * 1000)
    expect(failure).not_to_be_visible()
    assert holders(basket, PHONE) == addresses(range(5))


def test_action_does_nothing_and_says_so_while_the_switch_is_off(
    admin_page: Page, worker: SiteProcess, basket: SandboxServer
) -> None:
    crowd(5)
    Switch.objects.update(active=False)
    admin_page.goto(LIST)
    select_all(admin_page, 5)

    choose_action(admin_page, "subscribe_user_to_basket")

    expect(admin_page.get_by_text("Nothing was done: the switch")).to_be_visible()
    assert_accessible(admin_page)
    assert not BulkRequest.objects.exists()
    assert not basket.requests


def test_opted_out_member_is_subscribed_only_when_the_box_is_ticked(
    admin_page: Page, worker: SiteProcess, basket: SandboxServer
) -> None:
    past.happen(basket)
    basket.heal()
    opted_out = address(past.OPTED_OUT)
    order_for_all(admin_page, past.MEMBERS, PHONE)
    expect(number(admin_page, "skipped")).to_have_text("1", timeout=PATIENCE * 1000)
    expect(row(admin_page, "They opted out themselves.")).to_contain_text("1")
    assert opted_out not in holders(basket, PHONE)

    admin_page.goto(LIST)
    select_all(admin_page, past.MEMBERS)
    choose_action(admin_page, "subscribe_user_to_basket")
    expect(choice(admin_page, PHONE)).not_to_be_checked()
    despite = admin_page.get_by_label("Also those who opted out themselves")
    expect(despite).not_to_be_checked()
    choice(admin_page, PHONE).check()
    despite.check()
    admin_page.get_by_role("button", name="Subscribe", exact=True).click()

    wait_until(lambda: opted_out in holders(basket, PHONE), timeout=PATIENCE, what="Basket")


def test_order_without_a_newsletter_is_refused(admin_page: Page) -> None:
    crowd(5)
    admin_page.goto(LIST)
    select_all(admin_page, 5)
    choose_action(admin_page, "unsubscribe_from_basket_task")

    admin_page.get_by_role("button", name="Unsubscribe", exact=True).click()

    expect(admin_page.get_by_role("alert")).to_have_text("Choose at least one newsletter.")
    assert_accessible(admin_page)
    assert not BulkRequest.objects.exclude(state=BulkRequest.State.DRAFT).exists()


def test_newsletters_are_named_by_their_slugs_while_basket_is_away(
    admin_page: Page, basket: SandboxServer
) -> None:
    crowd(5)
    basket.fail(kind="drop")
    admin_page.goto(LIST)
    select_all(admin_page, 5)
    choose_action(admin_page, "subscribe_user_to_basket")
    expect(admin_page.get_by_label(PHONE, exact=True)).to_be_visible()
    expect(admin_page.get_by_label(NDA, exact=True)).to_be_visible()
    assert_accessible(admin_page)


def test_bulk_request_is_listed_logged_and_downloaded(
    admin_page: Page, worker: SiteProcess, basket: SandboxServer
) -> None:
    crowd(5)
    order_for_all(admin_page, 5, PHONE)
    expect(number(admin_page, "done")).to_have_text("5", timeout=PATIENCE * 1000)

    with admin_page.expect_download() as download:
        admin_page.get_by_role("link", name="Download as CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    admin_page.goto("/admin/mozillians_basket/bulkrequest/")

    assert len(lines) == 6
    assert addresses(range(5)) == {
        found[0] for line in lines if (found := re.search(r"[\w-]+@[\w.]+", line))
    }
    listed = row(admin_page, re.compile("subscribe"))
    expect(listed).to_contain_text("5 of 5")
    expect(listed).to_contain_text("admin")
    assert LogEntry.objects.filter(object_id=str(BulkRequest.objects.get().pk)).exists()
