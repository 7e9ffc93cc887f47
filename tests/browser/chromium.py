"""Debian's Chromium, driven by Playwright; it asks nothing of the world by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.services.packages import Packages
from tests.services.servers import program

CHROMIUM: Packages = {"chromium": ("chromium", program)}

#: Besides those by which Playwright itself keeps a browser from calling home.
FLAGS = ("--disable-gpu", "--disable-quic", "--disable-sync")


@contextmanager
def chromium() -> Iterator[Browser]:
    """
    A browser without a window and with an empty profile.

    While it is open an event loop runs in this thread, so Django's ORM works only with
    DJANGO_ALLOW_ASYNC_UNSAFE set: there is but this one thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
