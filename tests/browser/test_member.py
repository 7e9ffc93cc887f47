"""A member's newsletters on the member's page: the reasons, and the possible actions."""

import pytest
from playwright.sync_api import Page, expect
from waffle.models import Switch

from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile
from project.processes import SiteProcess, wait_until
from tests.browser import past
from tests.browser.accessibility import assert_accessible, tab_to
from tests.browser.crowd import address, crowd, holders
from tests.browser.moves import PATIENCE, open_member, reload_until, row
from tests.browser.past import NDA, PHONE

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param(past.REFUSED, "Basket says the address is invalid", id="refused"),
        pytest.param(past.FAILING, "Basket fails", id="failing"),
        pytest.param(past.OPTED_OUT, "They turned it off themselves", id="opted-out"),
    ],
)
def test_page_says_in_plain_words_why_a_member_gets_nothing(
    admin_page: Page, site_with_a_past: None, number: int, reason: str
) -> None:
    open_member(admin_page, address(number))

    panel = admin_page.get_by_role("region", name="Newsletters")
    expect(panel.get_by_text(reason).first).to_be_visible()
    assert_accessible(admin_page)


def test_basket_is_asked_and_shown_beside_the_ledger(
    admin_page: Page, basket: SandboxServer, site_with_a_past: None
) -> None:
    basket.put_person(address(0), remove=[PHONE])
    open_member(admin_page, address(0))

    tab_to(admin_page, admin_page.get_by_role("button", name="Ask Basket"))
    admin_page.keyboard.press("Enter")

    answer = admin_page.get_by_role("region", name="Basket's answer now")
    expect(answer.get_by_text(address(0))).to_be_visible()
    line = row(admin_page, PHONE).filter(has_text="differ")
    expect(line.get_by_role("cell")).to_have_text(["subscribed", "not subscribed", "differ"])
    assert_accessible(admin_page)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param({"kind": "drop"}, "Basket is out of reach", id="no-answer"),
        pytest.param({"status": 503}, "Basket fails", id="broken"),
        pytest.param({"status": 401, "code": 7}, "does not accept this site's key", id="key"),
    ],
)
def test_a_basket_that_is_down_breaks_no_page(
    admin_page: Page, basket: SandboxServer, fault: dict[str, object], reason: str
) -> None:
    crowd(1)
    basket.fail(**fault)  # type: ignore[arg-type]
    open_member(admin_page, address(0))

    admin_page.get_by_role("button", name="Ask Basket").click()

    answer = admin_page.get_by_role("region", name="Basket's answer now")
    expect(answer.get_by_text("There is no answer from Basket")).to_contain_text(reason)
    expect(admin_page.get_by_role("region", name="Newsletters", exact=True)).to_be_visible()
    assert_accessible(admin_page)


def test_an_admin_subscribes_and_unsubscribes_a_member(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    crowd(2)
    open_member(admin_page, address(0))

    tab_to(admin_page, admin_page.get_by_role("button", name=f"Subscribe to {NDA}"))
    admin_page.keyboard.press("Enter")

    expect(admin_page.get_by_text(f"They are being subscribed to {NDA}")).to_be_visible()
    assert_accessible(admin_page)
    wait_until(lambda: holders(basket, NDA) == {address(0)}, timeout=PATIENCE, what="Basket")

    button = admin_page.get_by_role("button", name=f"Unsubscribe from {NDA}")
    reload_until(admin_page, button.is_visible, "the button to unsubscribe")
    button.click()

    expect(admin_page.get_by_text(f"They are being unsubscribed from {NDA}")).to_be_visible()
    wait_until(lambda: not holders(basket, NDA), timeout=PATIENCE, what="Basket")


def test_an_opt_out_is_overridden_only_by_a_tick(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    past.happen(basket)
    open_member(admin_page, address(past.OPTED_OUT))
    button = admin_page.get_by_role("button", name=f"Subscribe to {PHONE}")

    button.click()  # the browser itself asks for the tick
    expect(admin_page.get_by_text("They are being subscribed")).not_to_be_visible()
    row(admin_page, PHONE).get_by_label("although they opted out").check()
    button.click()

    expect(
        admin_page.get_by_text(f"subscribed to {PHONE}, although they opted out")
    ).to_be_visible()
    wait_until(
        lambda: address(past.OPTED_OUT) in holders(basket, PHONE), timeout=PATIENCE, what="Basket"
    )


def test_a_refused_address_is_tried_again_once_it_is_mended(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    past.happen(basket)
    basket.heal()
    open_member(admin_page, address(past.REFUSED))

    admin_page.get_by_role("button", name="Sync now").click()

    expect(admin_page.get_by_text("Basket is being asked about them")).to_be_visible()
    wait_until(
        lambda: address(past.REFUSED) in holders(basket, PHONE), timeout=PATIENCE, what="Basket"
    )


def test_with_the_switch_off_nothing_is_asked_and_nothing_ordered(
    admin_page: Page, basket: SandboxServer, worker: SiteProcess
) -> None:
    crowd(1, is_vouched=lambda number: True)
    Switch.objects.update(active=False)
    reconcile.apply()
    open_member(admin_page, address(0))

    admin_page.get_by_role("button", name=f"Subscribe to {NDA}").click()
    expect(admin_page.get_by_text("Nothing was done: the switch")).to_be_visible()
    admin_page.get_by_role("button", name="Ask Basket").click()

    expect(admin_page.get_by_text("Basket was not asked")).to_be_visible()
    assert_accessible(admin_page)
    assert not basket.requests
