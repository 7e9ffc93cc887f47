"""Promises that hold for every page of the app."""

import pytest
from playwright.sync_api import Page
from waffle.models import Switch

from project.processes import Web
from tests.browser.accessibility import barriers_by_theme
from tests.browser.crawl import pages_within

pytestmark = pytest.mark.browser

APP = "/admin/mozillians_basket/"

#: The app's tables with pages of their own.
LISTS = ("bulkrequest", "contact", "event", "failingcontact", "status")


def test_every_page_is_accessible(admin_page: Page, web: Web, site_with_a_past: None) -> None:
    admin_page.goto("/admin/")

    found = {url: barriers_by_theme(admin_page) for url in pages_within(admin_page, APP, APP)}

    assert not any(found.values()), "\n".join(line for lines in found.values() for line in lines)
    assert found.keys() >= {f"{web.url}{APP}{name}/" for name in LISTS}


def test_every_page_says_that_the_switch_is_off(admin_page: Page) -> None:
    Switch.objects.update(active=False)
    admin_page.goto("/admin/")

    found = {
        url: admin_page.get_by_text("BASKET_SWITCH_ENABLED is off").is_visible()
        and not barriers_by_theme(admin_page)
        for url in pages_within(admin_page, APP, APP)
    }

    assert not [url for url, is_well in found.items() if not is_well]
