"""Finds the Basket that the contract is checked against."""

import os
from collections.abc import Iterator

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.contract.target import Target


@pytest.fixture(scope="session")
def contract_target() -> Iterator[Target]:
    """Offer the Basket at BASKET_CONTRACT_URL or, without it, a sandbox."""
    url = os.environ.get("BASKET_CONTRACT_URL", "").rstrip("/")
    if url:
        yield Target(
            url,
            os.environ["BASKET_CONTRACT_KEY"],
            group=os.environ.get("BASKET_CONTRACT_GROUP", ""),
            blocked_domain=os.environ.get("BASKET_CONTRACT_BLOCKED_DOMAIN", ""),
        )
        return
    with SandboxServer() as sandbox:
        yield Target(
            sandbox.url,
            sandbox.api_key,
            group="mozilla-community",
            blocked_domain="blocked.example.com",
            sandbox=sandbox,
        )


@pytest.fixture
def basket(contract_target: Target) -> Target:
    """Offer the Basket, with its cookies forgotten."""
    contract_target.session.cookies.clear()
    return contract_target


@pytest.fixture
def maintained(basket: Target) -> Iterator[Target]:
    """Offer a Basket in maintenance: a sandbox, or the one that is in it already."""
    if basket.sandbox:
        basket.sandbox.maintenance = True
        yield basket
        basket.sandbox.maintenance = False
    elif os.environ.get("BASKET_CONTRACT_MAINTENANCE"):
        yield basket
    else:
        pytest.skip("this Basket cannot be put into maintenance from here")


@pytest.fixture
def read_only(basket: Target) -> Iterator[Target]:
    """Offer a Basket in read-only maintenance: a sandbox, or the one that is in it already."""
    if basket.sandbox:
        basket.sandbox.read_only_maintenance = True
        yield basket
        basket.sandbox.read_only_maintenance = False
    elif os.environ.get("BASKET_CONTRACT_READ_ONLY_MAINTENANCE"):
        yield basket
    else:
        pytest.skip("this Basket cannot be put into read-only maintenance from here")
