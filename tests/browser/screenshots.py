"""Makes the pictures of the docs: ``python -m tests.browser.screenshots``."""

import os
import sys
from contextlib import ExitStack

from playwright.sync_api import Browser, Page

from mozillians_basket.sandbox.testing import SandboxServer
from project.demo.table import say
from project.processes import ROOT, Beat, Web, Worker
from tests.browser.chromium import chromium
from tests.browser.servers import HASTE, Servers

FOLDER = ROOT / "docs" / "images"


def main() -> int:
    """Start all processes, play the scenes, and take the pictures."""
    with ExitStack() as stack:
        servers = stack.enter_context(Servers())
        basket = stack.enter_context(SandboxServer())
        servers.postgres.execute("CREATE DATABASE site")
        site = {
            **servers.environment,
            "BASKET_URL": basket.url,
            "BASKET_API_KEY": basket.api_key,
            "BASKET_OPEN_NEWSLETTERS": "mozilla-foundation",
            **HASTE,
            "BASKET_LEASE_SECONDS": "60",  # a shorter one would be a finding in the pictures
        }
        # Demo data are for development only, so this process uses the development settings.
        os.environ.update(site, DJANGO_SETTINGS_MODULE="project.settings.dev", DEBUG="1")
        os.environ["PROJECT_VAR"] = str(servers.postgres.folder)

        import django

        django.setup()
        from tests.browser.scenes import Scenes, prepare

        prepare()
        web = stack.enter_context(Web(site))
        stack.enter_context(Worker(site))
        stack.enter_context(Beat(site))
        page = open_page(stack.enter_context(chromium()), web.url)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, full_page in Scenes(page, basket).play():
            file = FOLDER / f"{name}.png"
            page.screenshot(path=file, full_page=full_page, animations="disabled")
            say(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1024:.0f} KiB")
    return 0


def open_page(browser: Browser, url: str) -> Page:
    """Open a page 1280 pixels wide, in English, in the light theme, without the list of models."""
    context = browser.new_context(
        base_url=url,
        locale="en-US",
        color_scheme="light",
        viewport={"width": 1280, "height": 860},
    )
    context.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    return context.new_page()


if __name__ == "__main__":
    sys.exit(main())
