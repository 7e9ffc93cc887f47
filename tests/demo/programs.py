"""Starts a program of the repository and finds every process that descends from it."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

import pytest

from project.processes import ROOT
from tests.running import Found, processes_with


class Program:
    """A program in a session of its own. Its descendants inherit a mark in the environment."""

    def __init__(self, module: str, var: Path, **environment: str) -> None:
        self.mark = f"TEST_PROGRAM={uuid.uuid4()}"
        name, _, value = self.mark.partition("=")
        tests_own = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL"}
        own = {key: text for key, text in os.environ.items() if key not in tests_own}
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env={**own, "PROJECT_VAR": str(var), name: value, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def read_until(self, text: str) -> None:
        """Wait for a line with this text."""
        for line in cast("IO[str]", self.process.stdout):
            self.said += line
            if text in line:
                return
        pytest.fail(f"{text!r} was never said:\n{self.said}")

    def interrupt(self, number: int) -> None:
        """Send a signal as a terminal does: to the whole foreground group."""
        os.killpg(self.process.pid, number)

    def end(self, timeout: float = 300) -> int:
        """Wait for the end; return the exit status."""
        rest, _ = self.process.communicate(timeout=timeout)
        self.said += rest
        return self.process.returncode

    @property
    def running(self) -> list[Found]:
        """The running processes, including the program itself."""
        return processes_with(self.mark)

    def clear_up(self) -> None:
        """Kill all remaining processes, so that a failed test leaves none."""
        for found in self.running:
            with suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGKILL)
        self.process.wait()
        cast("IO[str]", self.process.stdout).close()


@contextmanager
def program(module: str, var: Path, **environment: str) -> Iterator[Program]:
    """Run a program during the block."""
    started = Program(module, var, **environment)
    try:
        yield started
    finally:
        started.clear_up()
