"""Promises that hold for every page of the app."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page
from waffle.models import Switch

from mozillians_basket.models import Approval, BulkItem, BulkRequest, Contact
from project.processes import Web
from tests.browser.accessibility import barriers_by_theme
from tests.browser.crawl import pages_within

pytestmark = pytest.mark.browser

APP = "/admin/mozillians_basket/"

#: The app's tables with pages of their own.
LISTS = ("bulkrequest", "contact", "event", "failingcontact", "status")

TOO_WIDE = """
() => {
    document.querySelectorAll("details").forEach(each => { each.open = true; });
    const wide = document.documentElement.clientWidth;
    const scrolls = element => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    const over = [...document.querySelectorAll("body *")].filter(element => {
        const {left, right} = element.getBoundingClientRect();
        let around = element.parentElement;
        while (around && around !== document.body && !scrolls(around)) {
            around = around.parentElement;
        }
        return (right > wide + 1 || left < -1) && (!around || around === document.body);
    });
    const says = over.map(element => element.outerHTML.slice(0, 120));
    const fits = document.documentElement.scrollWidth <= wide;
    return fits ? [] : [`${document.documentElement.scrollWidth} pixels`, ...says];
}
"""


def test_every_page_is_accessible(admin_page: Page, web: Web, site_with_a_past: None) -> None:
    admin_page.goto("/admin/")

    found = {url: barriers_by_theme(admin_page) for url in pages_within(admin_page, APP, APP)}

    assert not any(found.values()), "\n".join(line for lines in found.values() for line in lines)
    assert found.keys() >= {f"{web.url}{APP}{name}/" for name in LISTS}


@pytest.mark.parametrize(
    ("width", "language"),
    [
        pytest.param(640, "en", id="a laptop at 200 %"),
        pytest.param(640, "ar", id="a laptop at 200 %, from right to left"),
        pytest.param(390, "de", id="a phone, in the longest words"),
    ],
)
def test_no_page_scrolls_sideways(
    admin_page: Page, web: Web, admin: User, site_with_a_past: None, width: int, language: str
) -> None:
    ask_and_order(admin)
    admin_page.set_viewport_size({"width": width, "height": 800})
    name = settings.LANGUAGE_COOKIE_NAME
    admin_page.context.add_cookies([{"name": name, "value": language, "url": web.url}])
    admin_page.goto("/admin/")

    found = {url: too_wide(admin_page) for url in pages_within(admin_page, APP, APP)}

    assert not any(found.values()), {url: parts for url, parts in found.items() if parts}
    assert len(found) >= 12
    assert admin_page.locator("html").get_attribute("lang") == language


def ask_and_order(admin: User) -> None:
    """Leave questions, bulk requests, a long address, and a change of address."""
    now = timezone.now()
    for kind in Approval.Kind.values:
        Approval.objects.create(newsletter="mozilla-phone", kind=kind, since=now, number=4, total=8)
    for state in (BulkRequest.State.RUNNING, BulkRequest.State.CANCELLED):
        ordered = BulkRequest.objects.create(
            action="subscribe", newsletters=["mozilla-phone", "mozillians-nda"], actor=admin,
            keys=[1, 2, 3], total=3, position=1, state=state, selection="is vouched, country: BR",
        )  # fmt: skip
        BulkItem.objects.create(request=ordered, member_id=1, state="failed", reason="unavailable")
    failing = Contact.objects.filter(failing_since__isnull=False).order_by("pk")
    long_one = f"{'somebody.' * 6}somebody@{'community-' * 6}site.example.com"
    Contact.objects.filter(pk=failing[0].pk).update(email=long_one, key=long_one)


def too_wide(page: Page) -> list[str]:
    """The parts of a page that reach over its edge, but for those in a scroller of their own."""
    found: list[str] = page.evaluate(TOO_WIDE)
    return found


def test_every_page_says_that_the_switch_is_off(admin_page: Page) -> None:
    Switch.objects.update(active=False)
    admin_page.goto("/admin/")

    found = {
        url: admin_page.get_by_text("BASKET_SWITCH_ENABLED is off").is_visible()
        and not barriers_by_theme(admin_page)
        for url in pages_within(admin_page, APP, APP)
    }

    assert not [url for url, is_well in found.items() if not is_well]
