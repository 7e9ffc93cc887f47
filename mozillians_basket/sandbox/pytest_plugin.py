"""A pytest fixture with a sandbox Basket; nothing is started until a test asks for it."""

from collections.abc import Iterator

import pytest

from mozillians_basket.sandbox.testing import SandboxServer


@pytest.fixture(scope="session")
def basket_sandbox_server() -> Iterator[SandboxServer]:
    """Serve one sandbox Basket for the whole session; what tests leave in it stays."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def basket_sandbox(basket_sandbox_server: SandboxServer) -> SandboxServer:
    """Offer a sandbox Basket in which nothing has happened yet."""
    basket_sandbox_server.reset()
    return basket_sandbox_server
