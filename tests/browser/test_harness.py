"""The checks behind the other tests find the faults that they look for."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from project.processes import ROOT, Web, wait_until
from tests.browser.accessibility import barriers, tab_to
from tests.browser.conftest import PATIENCE
from tests.browser.watch import Watch
from tests.running import processes_with

pytestmark = pytest.mark.browser

START = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell put aside
from tests.browser.chromium import chromium
with chromium() as browser:
    browser.new_page().set_content("<p>Here.")
    print("open", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def guest(context: BrowserContext, web: Web) -> Page:
    """A page of the site whose errors do not fail the test."""
    page = context.new_page()
    page.goto("/admin/login/")
    return page


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: the one of ``tmp_path`` is too long for Chromium's socket."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def seen(page: Page, condition: Callable[[], bool]) -> bool:
    """Whether the condition comes to hold while the browser tells what happens on the page."""
    for _ in range(int(PATIENCE * 10)):
        if condition():
            return True
        page.wait_for_timeout(100)
    return False


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        pytest.param("console.error('Oh no')", "console: Oh no", id="console-error"),
        pytest.param(
            "setTimeout(() => nobody())", "script error: nobody is not", id="script-error"
        ),
        pytest.param("fetch('/nowhere')", "status 404: GET", id="not-found"),
        pytest.param(
            "fetch('http://127.0.0.2:1/')", "other host: GET http://127.0.0.2:1/", id="other-host"
        ),
        pytest.param(
            "fetch('http://127.0.0.2:1/')", "failed: GET http://127.0.0.2:1/", id="failed"
        ),
    ],
)
def test_errors_behind_a_page_are_noticed(
    guest: Page, web: Web, script: str, complaint: str
) -> None:
    watch = Watch(guest.context, web.url)

    guest.evaluate(f"() => {{ {script}; }}")

    assert seen(guest, lambda: any(complaint in line for line in watch.complaints)), (
        watch.complaints
    )


def test_a_page_with_nothing_wrong_has_no_complaints(guest: Page, web: Web) -> None:
    watch = Watch(guest.context, web.url)

    guest.reload()

    assert not watch.complaints


def test_expected_error_has_to_occur(guest: Page, web: Web) -> None:
    watch = Watch(guest.context, web.url)
    watch.expect("Oh no")

    before = watch.complaints
    guest.evaluate("() => console.error('Oh no')")

    assert before == ["expected, and did not come up: Oh no"]
    assert seen(guest, lambda: not watch.complaints), watch.complaints


def test_a_barrier_is_found(guest: Page) -> None:
    guest.set_content("<html lang='en'><title>A page</title><main><h1>A</h1><input></main>")

    found = barriers(guest)

    assert len(found) == 1
    assert found[0].startswith("label (critical): <input>")


def test_page_is_judged_once_all_of_it_has_arrived(guest: Page) -> None:
    half = b"<html lang='en'><title>A page</title><main><h1>A</h1><button>"
    rest = b"Send</button></main>"
    with socket.create_server(("127.0.0.1", 0)) as server:
        guest.evaluate(f"location = 'http://127.0.0.1:{server.getsockname()[1]}'")
        with server.accept()[0] as page:
            length = len(half + rest)
            page.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
            page.sendall(f"Content-Length: {length}\r\n\r\n".encode() + half)
            guest.locator("button").wait_for()
            Timer(0.5, page.sendall, [rest]).start()

            assert barriers(guest) == []


def test_element_that_the_keyboard_does_not_reach_is_found(guest: Page) -> None:
    guest.set_content("<button>One</button> <button tabindex=-1>Two</button>")

    tab_to(guest, guest.get_by_text("One"))

    with pytest.raises(AssertionError, match="is not reached by 5 times Tab"):
        tab_to(guest, guest.get_by_text("Two"), most=5)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_cut_off_leaves_no_browser_behind(
    browser: Browser, how: signal.Signals, folder: Path
) -> None:
    mark = str(uuid.uuid4())
    run = subprocess.Popen(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env={**os.environ, "MARK": mark, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "open\n"
    before = processes_with(mark)

    run.send_signal(how)
    run.wait()
    run.stdout.close()

    assert any("chromium" in found.command for found in before)
    wait_until(lambda: not processes_with(mark), timeout=20, what="the end of the browser")
    wait_until(lambda: not list(folder.iterdir()), timeout=20, what="the end of its profile")
