"""Debian's Chromium, driven by Playwright; it sends no requests by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.services.packages import Packages
from tests.services.servers import program

CHROMIUM: Packages = {"chromium": ("chromium", program)}

#: In addition to Playwright's own flags against requests of the browser to its maker.
FLAGS = ("--disable-gpu", "--disable-quic", "--disable-sync")


@contextmanager
def chromium() -> Iterator[Browser]:
    """
    Open a browser without a window and with an empty profile.

    While it is open, an event loop runs in this thread. So Django's ORM works only with
    DJANGO_ALLOW_ASYNC_UNSAFE set, which is safe in a single thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
