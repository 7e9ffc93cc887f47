"""A pytest fixture with a sandbox Basket; nothing is started until a test asks for it."""

from collections.abc import Iterator

import pytest

from mozillians_basket.sandbox.testing import SandboxServer

ISOLATION = "basket_sandbox_isolation"
NEWSLETTERS = "basket_sandbox_newsletters"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's settings."""
    parser.addini(
        ISOLATION,
        "what tests share of a sandbox Basket: 'test' (nothing; the default) or 'session'",
        default="test",
    )
    parser.addini(NEWSLETTERS, "a file with the sandbox Basket's newsletters", default="")


@pytest.fixture(scope="session")
def basket_sandbox_server(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """Serve one sandbox Basket for the whole session; what tests leave in it stays."""
    newsletters = str(request.config.getini(NEWSLETTERS))
    if newsletters:
        newsletters = str(request.config.rootpath / newsletters)
    with SandboxServer(newsletters=newsletters) as server:
        yield server


@pytest.fixture
def basket_sandbox(
    request: pytest.FixtureRequest, basket_sandbox_server: SandboxServer
) -> SandboxServer:
    """Offer a sandbox Basket in which nothing has happened yet, at least in this test."""
    if request.config.getini(ISOLATION) == "test":
        basket_sandbox_server.reset()
    return basket_sandbox_server
