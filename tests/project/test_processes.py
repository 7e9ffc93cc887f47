"""The processes of a program end with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.processes import (
    ROOT,
    Interrupted,
    Process,
    ProcessFailed,
    Signals,
    stop_all,
    wait_until,
)
from tests.running import is_running, needs_proc

STUBBORN = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('ready', child.pid, flush=True); time.sleep(60)"
)
PARENT = """
import sys, time
from project.processes import Process

class Baker(Process):
    def command(self):
        return [sys.executable, "-c", "import time; time.sleep(60)"]

baker = Baker()
baker.launch()
print(baker.pid, baker.folder, flush=True)
time.sleep(60)
"""


class Baker(Process):
    """Runs some Python, and is ready when it says so."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self._code = code

    def command(self) -> list[str]:
        return [sys.executable, "-c", self._code]

    def is_ready(self) -> bool:
        return "ready" in self.log


@pytest.fixture
def baker(request: pytest.FixtureRequest) -> Iterator[Baker]:
    """A process that runs the code in the test's parameter."""
    baker = Baker(request.param)
    yield baker
    baker.stop()


@pytest.mark.parametrize("baker", ["print('no flour'); raise SystemExit(3)"], indirect=True)
def test_process_that_ends_early_is_named_with_its_last_lines(baker: Baker) -> None:
    baker.launch()

    with pytest.raises(ProcessFailed, match=r"'baker' ended with status 3(?s:.*)no flour"):
        baker.wait_ready()
    with pytest.raises(ProcessFailed, match="'baker' ended with status 3"):
        baker.check()


@pytest.mark.parametrize("baker", ["import time; time.sleep(60)"], indirect=True)
def test_process_that_does_not_become_ready_is_named(
    baker: Baker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Baker, "start_timeout", 0.1)

    with pytest.raises(ProcessFailed, match=r"'baker' was not ready within 0\.1 s"):
        baker.start()


@needs_proc
@pytest.mark.parametrize("baker", [STUBBORN], indirect=True)
def test_process_that_ignores_the_end_is_killed_with_its_children(baker: Baker) -> None:
    pid = baker.start().pid
    child = int(baker.log.split()[1])
    ran = is_running(pid) and is_running(child)

    stop_all([baker], patience=0.3)

    assert ran
    assert not is_running(pid)
    wait_until(lambda: not is_running(child), timeout=60, what="the end of the child")
    assert not baker.folder.exists()


@pytest.mark.parametrize("baker", ["print('ready', flush=True); input()"], indirect=True)
def test_only_lines_with_a_warning_are_warnings(baker: Baker) -> None:
    baker.log_file.write_text("a INFO b\na WARNING c\na ERROR d\n")

    assert baker.warnings == "    a WARNING c\n    a ERROR d"


@needs_proc
def test_processes_end_when_the_program_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        pid, folder = started.stdout.readline().split()
        ran = is_running(int(pid)) and Path(folder).is_dir()

        started.kill()

    assert ran
    wait_until(lambda: not is_running(int(pid)), timeout=60, what="the end of the process")
    wait_until(lambda: not Path(folder).is_dir(), timeout=60, what="the end of its folder")


def interrupted_block(signals: Signals, reached: list[str]) -> None:
    with signals.held():
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("the end of the block")


def test_signal_waits_for_the_end_of_the_block() -> None:
    signals = Signals()
    reached: list[str] = []
    former = {number: signal.getsignal(number) for number in Signals.NUMBERS}
    signals.install()
    try:
        with pytest.raises(Interrupted) as interruption:
            interrupted_block(signals, reached)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)

    assert reached == ["the end of the block"]
    assert interruption.value.exit_code == 143
