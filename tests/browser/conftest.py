"""The running site, its worker, a Basket, and a browser that is logged in as an admin."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from django.conf import settings as site_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from waffle.models import Switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Beat, SiteProcess, Web, Worker
from tests.browser import past, pictures
from tests.browser.chromium import chromium
from tests.browser.servers import HASTE, Servers
from tests.browser.watch import Watch
from tests.services import reports
from tests.services.reports import PROCESSES


class Start(Protocol):
    """Start processes together; the keyword arguments are variables of their environment."""

    def __call__(self, *kinds: type[SiteProcess], **environment: str) -> list[SiteProcess]: ...


#: Seconds until a page must appear or change.
PATIENCE = 15.0

# Its own default is 5 s, whatever a context's is.
expect.set_options(timeout=PATIENCE * 1000)


def pytest_configure(config: pytest.Config) -> None:
    """Add pictures and the output of processes to the reports of failures."""
    for plugin in (reports, pictures):
        config.pluginmanager.register(plugin)


@pytest.fixture(scope="session", autouse=True)
def browser() -> Iterator[Browser]:
    """The browser. It starts first: connections to the database belong to its event loop."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    """The database and the broker."""
    plugins = pytestconfig.pluginmanager.get_plugins()
    own = next((plugin for plugin in plugins if isinstance(plugin, Servers)), None)
    if own is None:
        pytest.fail("These tests need servers: run them by `make test-browser`.")
    with own:
        yield own


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    servers: Servers, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Start the servers before pytest-django creates the tests' database."""


@pytest.fixture(scope="session")
def site(
    servers: Servers, basket_sandbox_server: SandboxServer, django_db_setup: None
) -> dict[str, str]:
    """The environment of the site's processes."""
    return {
        **servers.environment,
        "DATABASE_URL": servers.postgres.database_url(connection.settings_dict["NAME"]),
        "BASKET_URL": basket_sandbox_server.url,
        "BASKET_API_KEY": basket_sandbox_server.api_key,
        **HASTE,
    }


@pytest.fixture
def basket(
    basket_sandbox: SandboxServer, transactional_db: None, servers: Servers, settings: Any
) -> SandboxServer:
    """An empty Basket. The switch is on, and no message waits."""
    servers.redis.clear()
    Switch.objects.create(name=SWITCH, active=True)
    settings.BASKET_URL = basket_sandbox.url
    settings.BASKET_API_KEY = basket_sandbox.api_key
    return basket_sandbox


@pytest.fixture
def start(site: dict[str, str], basket: SandboxServer) -> Iterator[Start]:
    """Start processes of the site for this test."""
    with ExitStack() as stack:

        def start(*kinds: type[SiteProcess], **environment: str) -> list[SiteProcess]:
            processes = [kind({**site, **environment}) for kind in kinds]
            for process in processes:
                PROCESSES.append(process)
                stack.callback(process.stop)
                process.launch()
            for process in processes:
                process.wait_ready()
            return processes

        yield start


@pytest.fixture
def web(start: Start) -> Web:
    """The site over HTTP, in a fresh process."""
    (web,) = start(Web)
    assert isinstance(web, Web)
    return web


@pytest.fixture
def worker(start: Start) -> SiteProcess:
    """A worker, with beat."""
    return start(Worker, Beat)[0]


@pytest.fixture
def site_with_a_past(basket: SandboxServer, worker: SiteProcess) -> None:
    """A site with members who get their newsletter and members who do not; its worker has ended."""
    past.happen(basket)
    worker.stop()


@pytest.fixture
def admin(basket: SandboxServer) -> User:
    """An admin with all permissions."""
    return User.objects.create_superuser("admin", "admin@example.com")


@pytest.fixture
def context(browser: Browser, web: Web) -> Iterator[BrowserContext]:
    """A browser window without cookies."""
    context = browser.new_context(
        base_url=web.url, locale="en-US", viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext, web: Web) -> Iterator[Watch]:
    """Fails the test for any error in its pages, also those that it does not look for."""
    watch = Watch(context, web.url)
    yield watch
    assert not watch.complaints, "\n".join(watch.complaints)


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    """A page without a log-in."""
    return context.new_page()


@pytest.fixture
def admin_page(page: Page, context: BrowserContext, admin: User, web: Web) -> Page:
    """A page of the logged-in admin. Logging in has a test of its own."""
    session = Client()
    session.force_login(admin)
    name = site_settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": session.cookies[name].value, "url": web.url}])
    return page
