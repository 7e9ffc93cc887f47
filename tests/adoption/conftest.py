"""The README's site, built once in each process and copied for each test."""

import shutil
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import build


@pytest.fixture(scope="session")
def readme_site(
    tmp_path_factory: pytest.TempPathFactory, basket_sandbox_server: SandboxServer
) -> Path:
    """The README's site, for copies: each of its commands starts a Django."""
    return build(tmp_path_factory.mktemp("readme"), basket_sandbox_server)


@pytest.fixture
def site(readme_site: Path, tmp_path: Path, basket_sandbox: SandboxServer) -> Path:
    """A copy of the README's site, and an empty Basket."""
    return Path(shutil.copytree(readme_site, tmp_path / "site"))
