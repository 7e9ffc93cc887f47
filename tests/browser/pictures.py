"""Keeps a picture of the page on which a test failed."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from project.processes import ROOT

FOLDER = ROOT / "var" / "test-browser"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the picture's path to the report of a failure."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and report.when == "call" and isinstance(page, Page):
        report.sections.append(("Page", taken(page, FOLDER / f"{item.name}.png")))
    return report


def taken(page: Page, file: Path) -> str:
    """Take a picture; return the addresses of page and picture, or the reason why there is none."""
    try:
        page.screenshot(path=file, full_page=True)
    except Error as error:
        return f"{page.url}, of which there is no picture: {error.message}"
    return f"{page.url}, shown by {file}"
