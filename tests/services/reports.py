"""Shows with a failed test what the site's processes said."""

from collections.abc import Generator

import pytest

from tests.services.worker import SiteProcess

#: The running test's.
PROCESSES: list[SiteProcess] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what they said last."""
    report = yield
    if report.failed:
        for process in PROCESSES:
            report.sections.append((f"{type(process).__name__} said", process.log[-5000:]))
    if call.when == "teardown":
        PROCESSES.clear()
    return report
