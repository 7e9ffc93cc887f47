"""Child processes end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from project.demo import processes as module
from project.demo.processes import Interrupted, Processes, ProcessFailed, Signals
from tests.demo.programs import ROOT, needs_proc

STUBBORN = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('ready', child.pid); time.sleep(60)"
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Child processes; they end after the test in any case."""
    started = Processes(tmp_path, Signals())
    yield started
    started.stop()


def runs(pid: int) -> bool:
    """Whether a process exists and is no zombie, which only its parent can clear away."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def in_time(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_child_that_ends_early_is_named_with_its_last_words(processes: Processes) -> None:
    child = processes.start(
        "baker", "-c", "print('no flour'); raise SystemExit(3)", environment=os.environ
    )
    child.process.wait()

    with pytest.raises(ProcessFailed, match=r"'baker' ended with status 3(?s:.*)no flour"):
        processes.check()


def test_a_child_that_does_not_become_ready_is_named(processes: Processes) -> None:
    child = processes.start("baker", "-c", "import time; time.sleep(60)", environment=os.environ)

    with pytest.raises(ProcessFailed, match=r"'baker' was not ready within 0\.1 s"):
        processes.wait_for(child, "ready", timeout=0.1)


@needs_proc
def test_a_child_that_ignores_the_end_is_ended_with_its_own_children(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.3)
    child = processes.start("mule", "-c", STUBBORN, environment=os.environ)
    grandchild = int(processes.wait_for(child, r"ready (\d+)")[1])
    ran = runs(child.process.pid) and runs(grandchild)

    processes.stop()

    assert ran
    assert not runs(child.process.pid)
    assert in_time(lambda: not runs(grandchild))


@needs_proc
def test_children_end_even_when_the_parent_is_killed(tmp_path: Path) -> None:
    parent = (
        "import os, pathlib, sys, time; "
        "from project.demo.processes import Processes, Signals; "
        "all = Processes(pathlib.Path(sys.argv[1]), Signals()); "
        "child = all.start('any', '-c', 'import time; time.sleep(60)', environment=os.environ); "
        "print(child.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        child = int(started.stdout.readline())
        ran = runs(child)

        started.kill()

    assert ran
    assert in_time(lambda: not runs(child))


def interrupted_block(signals: Signals, reached: list[str]) -> None:
    with signals.held():
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("the end of the block")


def test_a_signal_waits_for_a_child_to_be_on_the_list() -> None:
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
