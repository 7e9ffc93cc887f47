"""Adds the output of the site's processes to a failed test's report."""

from collections.abc import Generator

import pytest

from project.processes import SiteProcess

#: The processes of the running test.
PROCESSES: list[SiteProcess] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last output of the processes to the report of a failure."""
    report = yield
    if report.failed:
        for process in PROCESSES:
            report.sections.append((f"{type(process).__name__} said", process.log[-5000:]))
    if call.when == "teardown":
        PROCESSES.clear()
    return report
