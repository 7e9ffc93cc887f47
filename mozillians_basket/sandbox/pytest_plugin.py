"""Pytest fixtures for the tests of a site; no Basket is started until a test asks for it."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mozillians_basket.sandbox.testing import SandboxServer

ISOLATION = "basket_sandbox_isolation"
NEWSLETTERS = "basket_sandbox_newsletters"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's settings."""
    parser.addini(
        ISOLATION,
        "the share that tests have in a sandbox Basket: 'test' (nothing; the default) or 'session'",
        default="test",
    )
    parser.addini(NEWSLETTERS, "a file with the sandbox Basket's newsletters", default="")


@pytest.fixture(scope="session")
def basket_sandbox_server(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """Serve one sandbox Basket for the whole session; rows that tests leave in it stay."""
    newsletters = str(request.config.getini(NEWSLETTERS))
    if newsletters:
        newsletters = str(request.config.rootpath / newsletters)
    with SandboxServer(newsletters=newsletters) as server:
        yield server


@pytest.fixture
def basket_sandbox(
    request: pytest.FixtureRequest, basket_sandbox_server: SandboxServer
) -> SandboxServer:
    """Offer a sandbox Basket, emptied before the test unless the session's tests share it."""
    if request.config.getini(ISOLATION) == "test":
        basket_sandbox_server.reset()
    return basket_sandbox_server


@pytest.fixture(autouse=True)
def basket_messages() -> Iterator[list[Any]]:
    """Keep the app's messages in the test, so that none reaches a broker."""
    apps = sys.modules.get("django.apps")
    if apps is None or not (apps.apps.ready and apps.apps.is_installed("mozillians_basket")):
        yield []
        return
    from mozillians_basket.dispatch import captured

    with captured() as messages:
        yield messages


@pytest.fixture
def basket_site(
    request: pytest.FixtureRequest, db: None, basket_sandbox: SandboxServer
) -> Iterator[SandboxServer]:
    """Offer a sandbox Basket that the site talks to, with the switch on; see basket_settled."""
    from django.test import SimpleTestCase, TransactionTestCase

    from mozillians_basket.sandbox.site_tests import basket_ready

    test = request.cls or TransactionTestCase
    if issubclass(test, SimpleTestCase) and not issubclass(test, TransactionTestCase):
        yield basket_sandbox  # such a class may not use the database
        return
    with basket_ready(basket_sandbox):
        yield basket_sandbox


@pytest.fixture
def basket_settled(basket_site: SandboxServer) -> Callable[[], None]:
    """Do the work of the worker and beat, until nothing is left to send."""
    from mozillians_basket.sandbox.site_tests import basket_settled

    return basket_settled
