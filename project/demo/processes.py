"""Child processes that end with the process that started them, for any reason."""

import atexit
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Self

from project.demo.keeper import DONE

#: Seconds that a child has to end by itself.
GRACE = 8.0

_ROOT = Path(__file__).resolve().parent.parent.parent
_TAIL = 25
_GRAVE = re.compile(r" (WARNING|ERROR|CRITICAL) ")
_POLL = 0.02


class Interrupted(KeyboardInterrupt):
    """The program was asked to end, by Ctrl-C or by a similar signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class ProcessFailed(Exception):
    """A child ended early, or did not become ready. The text names it and has its last lines."""


class Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into :class:`Interrupted`, unless that would do harm."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._holding = False
        self._ignoring = False
        self._held: int | None = None

    def install(self) -> Self:
        """Install the handlers."""
        for number in self.NUMBERS:
            signal.signal(number, self._receive)
        return self

    def ignore(self) -> None:
        """Ignore all further signals, so that none interrupts the cleanup."""
        self._ignoring = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay a signal until the end of the block."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._held is not None:
            raise Interrupted(self._held)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._ignoring:
            return
        if self._holding:
            self._held = number
            return
        raise Interrupted(number)


class Child:
    """One running process. It leads a session and a process group of its own."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @property
    def said(self) -> str:
        """All output of the process so far."""
        return self.log.read_text(errors="replace")

    @property
    def tail(self) -> str:
        """The last lines of the output."""
        return _indented(self.said.splitlines()[-_TAIL:]) or "    (nothing)"

    @property
    def complaints(self) -> str:
        """The last lines of the output with a warning or an error."""
        return _indented([line for line in self.said.splitlines() if _GRAVE.search(line)][-_TAIL:])

    def signal_group(self, number: int) -> bool:
        """Send a signal to the process and all its descendants; return False if none is left."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


class Processes:
    """
    The processes that one program needs. ``stop()`` ends them all, and always runs at exit.

    A keeper process ends them when the program is killed and cannot do it.
    """

    def __init__(self, folder: Path, signals: Signals) -> None:
        self._folder = folder
        self._signals = signals
        self._children: list[Child] = []
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self, name: str, *command: str, environment: Mapping[str, str]) -> Child:
        """Start ``python <command>`` with its output in ``<name>.log``."""
        log = self._folder / f"{name}.log"
        with self._signals.held():
            if self._keeper is None:
                self._keep()
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603
                    [sys.executable, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=_ROOT,
                    env={**environment, "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,
                )
            child = Child(name, process, log)
            self._children.append(child)
            self._tell_keeper(process.pid)
        return child

    def check(self) -> None:
        """
        Check that all processes are running.

        :raises ProcessFailed: naming the first one that is not.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ProcessFailed(
                    f"The process {child.name!r} ended with status {code}. "
                    f"It said last:\n{child.tail}"
                )

    def wait_for(self, child: Child, pattern: str, *, timeout: float = 30) -> re.Match[str]:
        """
        Wait until a child's output matches a pattern.

        :raises ProcessFailed: when the child ended, or took longer than ``timeout`` seconds.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = re.search(pattern, child.said)
            if found:
                return found
            self.check()
            time.sleep(_POLL)
        raise ProcessFailed(
            f"The process {child.name!r} was not ready within {timeout:g} s. "
            f"It said last:\n{child.tail}"
        )

    def stop(self) -> None:
        """End all processes and their descendants, with SIGTERM first. May be called twice."""
        self._signals.ignore()
        children, self._children = self._children[::-1], []
        for child in children:
            # Not its group: a worker without its beat would start another one.
            if child.process.poll() is None:
                child.process.terminate()
        end = time.monotonic() + GRACE
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, end - time.monotonic()))
        for child in children:
            _end_group(child)
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            with suppress(OSError):
                keeper.communicate(f"{DONE}\n".encode())
            keeper.wait()
        atexit.unregister(self.stop)

    def _keep(self) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "project.demo.keeper"],
            stdin=subprocess.PIPE,
            cwd=_ROOT,
            start_new_session=True,
        )
        atexit.register(self.stop)

    def _tell_keeper(self, group: int) -> None:
        if self._keeper is None or self._keeper.stdin is None:
            return
        # A signal to the whole foreground group can hit the keeper before it has left it.
        with suppress(BrokenPipeError):
            self._keeper.stdin.write(f"{group}\n".encode())
            self._keeper.stdin.flush()


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _end_group(child: Child) -> None:
    """Wait a moment for the child's descendants to end, then kill them."""
    end = time.monotonic() + 1
    while child.signal_group(0) and child.process.poll() is not None and time.monotonic() < end:
        time.sleep(_POLL)
    child.signal_group(signal.SIGKILL)
    child.process.wait()
